"""Columns of nulls and of booleans."""

from __future__ import annotations

from typing import Any

from .. import kernels
from ..types import BOOLEAN, VOID
from .base import Buffer, Buffers, Column, Nodes


class NullColumn(Column):
    """Nothing but nulls."""

    __slots__ = ()

    def __init__(self, length: int) -> None:
        super().__init__(VOID, length)
        self.null_count = length

    def is_null(self, row: int) -> bool:
        return True

    def _values(self) -> list[Any]:
        return [None] * self.length

    def _take(self, rows: Buffer, valid: Buffer | None) -> NullColumn:
        kernels.take_bits(bytes((self.length + 7) // 8), self.length, rows)
        return NullColumn(len(memoryview(rows).cast("B")) // 4)

    def parts(self, nodes: Nodes, buffers: Buffers) -> None:
        nodes.append((self.length, self.length))


class BooleanColumn(Column):
    """A bit a value. As a filter, null is false."""

    __slots__ = ("bits",)

    def __init__(self, bits: Buffer, length: int, valid: Buffer | None = None) -> None:
        super().__init__(BOOLEAN, length, valid)
        #: The values: eight a byte, the first in its lowest bit.
        self.bits = bits

    def kept(self) -> Buffer:
        """Bits of the rows that are true and not null."""
        if self.valid is None:
            return self.bits
        return kernels.both(self.bits, self.valid, self.length)

    def rows(self) -> bytes:
        """The rows that are true and not null, for ``take``."""
        return kernels.indices(self.kept(), self.length)

    def count(self) -> int:
        """How many rows are true and not null."""
        return kernels.count(self.kept(), self.length)

    def __and__(self, other: BooleanColumn) -> BooleanColumn:
        """True where both are; null where one is null."""
        return self._with(other, kernels.both(self.bits, other.bits, self._same(other)))

    def __or__(self, other: BooleanColumn) -> BooleanColumn:
        """True where one is; null where one is null."""
        return self._with(other, kernels.either(self.bits, other.bits, self._same(other)))

    def __invert__(self) -> BooleanColumn:
        """True where it is false; null stays null."""
        return BooleanColumn(kernels.toggled(self.bits, self.length), self.length, self.valid)

    def _same(self, other: BooleanColumn) -> int:
        if self.length != other.length:
            raise ValueError(f"a column of {self.length} rows and one of {other.length}")
        return self.length

    def _with(self, other: BooleanColumn, bits: Buffer) -> BooleanColumn:
        return BooleanColumn(bits, self.length, both_valid(self, other))

    def _values(self) -> list[Any]:
        return kernels.unpack(self.bits, self.length)

    def _take(self, rows: Buffer, valid: Buffer | None) -> BooleanColumn:
        taken = kernels.take_bits(self.bits, self.length, rows)
        return BooleanColumn(taken, len(memoryview(rows).cast("B")) // 4, valid)

    def parts(self, nodes: Nodes, buffers: Buffers) -> None:
        super().parts(nodes, buffers)
        buffers.append(memoryview(self.bits).cast("B")[: (self.length + 7) // 8])


def both_valid(one: Column, other: Column) -> Buffer | None:
    """The rows that are null in neither."""
    if one.valid is None or other.valid is None:
        return one.valid if other.valid is None else other.valid
    return kernels.both(one.valid, other.valid, one.length)
