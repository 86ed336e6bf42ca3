"""The rows of one key, as dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..errors import Error, RowErrors
from ..values import Timestamp
from .calls import Clock

R = TypeVar("R")


class Group(Generic[R]):
    """The rows of one key, in the order in which they came. A row that cannot be read is a row error, and is left out.

    ``Group[None]`` reads no column; ``len(rows)`` counts.
    """

    def __init__(self, rows: list[Any], first: int, more: bool, errors: RowErrors) -> None:
        self._rows = rows
        self._first = first
        self._errors = errors
        self._next = 0
        #: Whether the function is called once more in this epoch, for more rows of this key: where there are more than a batch
        #: has. It finds there what it leaves in its state now.
        self.more = more

    def __len__(self) -> int:
        """How many rows have not been read yet."""
        return len(self._rows) - self._next

    def __iter__(self) -> Iterator[R]:
        while self._next < len(self._rows):
            row = self._rows[self._next]
            self._next += 1
            if isinstance(row, Error):
                self._errors.add(self._first + self._next - 1, row)
            else:
                yield row

    def each(self, of: Callable[[R], object]) -> None:
        """Calls a function for each row. Where it raises, that row is in error, and the others go on."""
        for row in self:
            try:
                of(row)
            except Exception as error:
                self._errors.add(self._first + self._next - 1, error)


@dataclass(frozen=True)
class Fired:
    """A timer that fires."""

    #: The clock that it was set on.
    clock: Clock
    #: What it was set to; the clock may be past it.
    at: Timestamp
