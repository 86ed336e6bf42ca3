"""What all columns have in common."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .. import kernels
from ..types import DataType

if TYPE_CHECKING:
    from .plain import BooleanColumn

Buffer = bytes | bytearray | memoryview
#: Numbers of rows: unsigned 32-bit numbers as a buffer, or any numbers to iterate over.
Rows = Buffer | array  # type: ignore[type-arg]
#: The parts of a message that a column writes: lengths and nulls, and buffers.
Nodes = list[tuple[int, int]]
Buffers = list[Buffer]


class Column:
    """A column of a batch.

    It is a view of bytes: nothing is copied and nothing becomes Python's own values until it is asked for. ``values`` of the
    columns of fixed width, ``bits`` and ``offsets`` and ``data`` of the others are the fast path, together with
    :mod:`streamhost.compute`; ``to_pylist()`` is the easy one.
    """

    __slots__ = ("type", "length", "valid", "null_count")
    __hash__ = object.__hash__

    def __init__(self, type: DataType, length: int, valid: Buffer | None = None) -> None:
        #: The type of its values.
        self.type = type
        self.length = length
        #: How many values are null.
        self.null_count = 0 if valid is None else length - kernels.count(valid, length)
        #: Bits of the rows that are not null, in Arrow's order; nothing if none is null.
        self.valid = valid if self.null_count else None

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_pylist())

    def __getitem__(self, row: int) -> Any:
        if not -self.length <= row < self.length:
            raise IndexError(f"there is no row {row} among {self.length}")
        return self.take(array("I", [row % self.length])).to_pylist()[0]

    def __repr__(self) -> str:
        shown = ", ".join(repr(value) for value in self.take(range(min(self.length, 8))).to_pylist())
        return f"<{type(self).__name__} {self.type}: {self.length} rows, {shown}{' …' if self.length > 8 else ''}>"

    def is_null(self, row: int) -> bool:
        """Whether the value of this row is null."""
        return self.valid is not None and not self.valid[row >> 3] >> (row & 7) & 1

    def to_pylist(self) -> list[Any]:
        """The values as Python's own, ``None`` where they are null."""
        values = self._values()
        return values if self.valid is None else kernels.nulls_into(values, self.valid)

    def take(self, rows: Rows | Iterable[int]) -> Column:
        """The values of these rows, in this order."""
        numbers = rows_of(rows)
        return self._take(numbers, None if self.valid is None else kernels.take_bits(self.valid, self.length, numbers))

    def filter(self, keep: BooleanColumn) -> Column:
        """The values of the rows for which ``keep`` is true."""
        return self.take(keep.rows())

    def slice(self, start: int, stop: int) -> Column:
        """The values of a range of rows."""
        return self.take(range(start, stop))

    def _values(self) -> list[Any]:
        """A new list of values, of which those of null rows are any."""
        raise NotImplementedError

    def _take(self, rows: Buffer, valid: Buffer | None) -> Column:
        raise NotImplementedError

    def parts(self, nodes: Nodes, buffers: Buffers) -> None:
        """Adds what a message has of the column, depth first."""
        nodes.append((self.length, self.null_count))
        buffers.append(b"" if self.valid is None else memoryview(self.valid).cast("B")[: (self.length + 7) // 8])

    # Comparisons and arithmetic, of numbers and, with `>` and its like, of nothing else.

    def __gt__(self, other: object) -> BooleanColumn:
        return _compared(self, ">", other)

    def __ge__(self, other: object) -> BooleanColumn:
        return _compared(self, ">=", other)

    def __lt__(self, other: object) -> BooleanColumn:
        return _compared(self, "<", other)

    def __le__(self, other: object) -> BooleanColumn:
        return _compared(self, "<=", other)

    def __add__(self, other: object) -> Column:
        return _calculated(self, "+", other)

    def __sub__(self, other: object) -> Column:
        return _calculated(self, "-", other)

    def __mul__(self, other: object) -> Column:
        return _calculated(self, "*", other)

    def __truediv__(self, other: object) -> Column:
        return _calculated(self, "/", other)

    def __radd__(self, other: object) -> Column:
        return _calculated(other, "+", self)

    def __rsub__(self, other: object) -> Column:
        return _calculated(other, "-", self)

    def __rmul__(self, other: object) -> Column:
        return _calculated(other, "*", self)

    def __rtruediv__(self, other: object) -> Column:
        return _calculated(other, "/", self)


def rows_of(rows: Rows | Iterable[int]) -> Buffer:
    """Numbers of rows as a buffer of unsigned 32-bit numbers."""
    if isinstance(rows, (bytes, bytearray, memoryview)):
        return rows
    if isinstance(rows, array):
        return memoryview(rows if rows.itemsize == 4 else array("I", rows)).cast("B")
    return array("I", rows).tobytes()


def _compared(one: Column, op: str, other: object) -> BooleanColumn:
    from ..compute import compare

    return compare(one, op, other)


def _calculated(one: object, op: str, other: object) -> Column:
    from ..compute import arithmetic

    return arithmetic(one, op, other)
