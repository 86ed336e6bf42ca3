"""Where a date goes."""

import json
from collections.abc import Iterable

import streamhost
from dates import parse
from streamhost import Error

FIRST, LAST = -(1 << 31), (1 << 31) - 1


@streamhost.config
class Route:
    """A stretch of time, and its output."""

    output: str
    """The output."""
    from_: str | None = None
    """The first date, such as `2025-01-01`."""
    before: str | None = None
    """The first date that no longer is in it."""


class Router:
    """The outputs, and which dates each of them takes."""

    def __init__(self, output: str, routes: Iterable[Route], undated: str | None) -> None:
        # The place of the rows that no stretch takes comes first.
        self.names = [output]
        self.stretches = [(bound(one.from_, FIRST), bound(one.before, LAST), self._place(one.output)) for one in routes]
        self.undated = None if undated is None else self._place(undated)

    def _place(self, name: str) -> int:
        """Several stretches may share an output."""
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def places(self, days: Iterable[int | None], column: str) -> list[int]:
        """For each row the index of its output's name."""
        return [self._of(day, column) for day in days]

    def _of(self, day: int | None, column: str) -> int:
        if day is not None:
            return next((place for first, before, place in self.stretches if first <= day < before), 0)
        if self.undated is None:
            raise Error.permanent(
                f"a row has no `{column}`; name an output for such rows with `undated`, or leave them out before"
            )
        return self.undated


def bound(date: str | None, default: int) -> int:
    """The day of a date of the configuration."""
    if date is None:
        return default
    day = parse(date)
    if day is None:
        shown = json.dumps(date, ensure_ascii=False)
        raise Error.invalid(f"config: routes: {shown} is no date; write it as 2025-01-31")
    return day
