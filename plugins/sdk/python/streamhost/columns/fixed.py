"""Columns whose values have one width."""

from __future__ import annotations

from typing import Any

from .. import kernels
from ..types import DataType
from .base import Buffer, Buffers, Column, Nodes
from .convert import decoder, wide_values
from .plain import BooleanColumn


class FixedColumn(Column):
    """Numbers, and days, moments and lengths of time, which are numbers too."""

    __slots__ = ("values",)

    def __init__(self, type: DataType, values: Buffer, length: int, valid: Buffer | None = None) -> None:
        super().__init__(type, length, valid)
        assert type.code is not None
        view = memoryview(values)
        if view.format != type.code:
            view = view.cast("B")[: length * type.width].cast(type.code)  # type: ignore[call-overload]
        if len(view) != length:
            raise ValueError(f"{len(view)} values for {length} rows")
        #: The values as they lie in memory: ``values[3]``, ``values.tolist()``. Those of null rows are any.
        self.values: memoryview = view

    def raw(self) -> list[Any]:
        """The values as plain numbers, ``None`` where they are null."""
        values = self.values.tolist()
        return values if self.valid is None else kernels.nulls_into(values, self.valid)

    def filter(self, keep: BooleanColumn) -> FixedColumn:
        if len(keep) != self.length:
            raise ValueError(f"bits for {len(keep)} rows, and {self.length} rows")
        bits = keep.kept()
        values = kernels.filter_fixed(self.type.width, self.values, self.length, bits)
        valid = None if self.valid is None else kernels.take_bits(self.valid, self.length, keep.rows())
        return FixedColumn(self.type, values, len(values) // self.type.width, valid)

    def _values(self) -> list[Any]:
        values = self.values.tolist()
        of = decoder(self.type)
        return values if of is None else list(map(of, values))

    def _take(self, rows: Buffer, valid: Buffer | None) -> FixedColumn:
        values = kernels.take_fixed(self.type.width, self.values, self.length, rows)
        return FixedColumn(self.type, values, len(values) // self.type.width, valid)

    def parts(self, nodes: Nodes, buffers: Buffers) -> None:
        super().parts(nodes, buffers)
        buffers.append(self.values.cast("B"))


class WideColumn(Column):
    """Decimals, intervals, half floats and bytes of one length: values that no memoryview has."""

    __slots__ = ("data",)

    def __init__(self, type: DataType, data: Buffer, length: int, valid: Buffer | None = None) -> None:
        super().__init__(type, length, valid)
        view = memoryview(data).cast("B")
        if len(view) < length * type.width:
            raise ValueError(f"{len(view)} bytes for {length} values of {type.width} bytes")
        #: The values' bytes, one after the other.
        self.data: memoryview = view[: length * type.width]

    def _values(self) -> list[Any]:
        return wide_values(self.type, self.data)

    def _take(self, rows: Buffer, valid: Buffer | None) -> WideColumn:
        taken = kernels.take_fixed(self.type.width, self.data, self.length, rows)
        return WideColumn(self.type, taken, len(memoryview(rows).cast("B")) // 4, valid)

    def parts(self, nodes: Nodes, buffers: Buffers) -> None:
        super().parts(nodes, buffers)
        buffers.append(self.data)
