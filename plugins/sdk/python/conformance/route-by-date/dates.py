"""Dates as days since 1970-01-01, and as text."""

import datetime
import re
from collections.abc import Iterable

from streamhost import Batch, Date, Error, types
from streamhost.columns import FixedColumn

MICROS_A_DAY = 86_400_000_000
PARTS = ("year", "month", "day")


def days(batch: Batch, name: str) -> list[int | None]:
    """The date of each row."""
    column = batch[name]
    if not isinstance(column, FixedColumn) or not (
        column.type == types.DATE or (isinstance(column.type, types.TimestampType) and column.type.unit == "us")
    ):
        raise Error.invalid(f"column `{name}` has type {column.type}, which has no date")
    if column.type == types.DATE:
        return column.raw()
    return [None if micros is None else micros // MICROS_A_DAY for micros in column.raw()]


def parse(text: str) -> int | None:
    """The day of a date written `2025-03-01`."""
    written = re.fullmatch(r"(\d+)-(\d+)-(\d+)", text)
    if written is None:
        return None
    try:
        return int(Date.of(datetime.date(*map(int, written.groups()))))
    except ValueError:
        return None


class Pattern:
    """A text with places for the parts of a date."""

    def __init__(self, text: str) -> None:
        self.parts: list[str] = []
        rest = text
        while "{" in rest:
            before, _, behind = rest.partition("{")
            name, closed, rest = behind.partition("}")
            if not closed:
                raise Error.invalid(f"config: text: `{text}` has a `{{` and no `}}` to it")
            if name not in PARTS:
                raise Error.invalid(f"config: text: {{{name}}} is none of {{year}}, {{month}} and {{day}}")
            self.parts += [before, f"{{{name}}}"]
        self.parts.append(rest)

    def texts(self, of_rows: Iterable[int | None]) -> list[str | None]:
        """The text of each day; the same day has the same text."""
        known: dict[int, str] = {}
        return [None if day is None else known.get(day) or known.setdefault(day, self.text(day)) for day in of_rows]

    def text(self, day: int) -> str:
        """The text of a day."""
        date, _, number = str(Date(day)).rpartition("-")
        year, _, month = date.rpartition("-")
        values = {"{year}": year, "{month}": month, "{day}": number}
        return "".join(values.get(part, part) for part in self.parts)
