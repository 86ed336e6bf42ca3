"""Columns of text and of bytes."""

from __future__ import annotations

from array import array
from typing import Any

from .. import kernels
from ..types import DataType, Utf8
from .base import Buffer, Buffers, Column, Nodes


class BytesColumn(Column):
    """Text or bytes: value ``i`` is ``data[offsets[i]:offsets[i + 1]]``."""

    __slots__ = ("offsets", "data")

    def __init__(
        self, type: DataType, offsets: Buffer, data: Buffer, length: int, valid: Buffer | None = None
    ) -> None:
        super().__init__(type, length, valid)
        self.offsets = offsets_view(offsets, length, self.is_large)
        #: The values' bytes.
        self.data: memoryview = memoryview(data).cast("B")
        if not kernels.check_offsets(self.is_large, self.offsets, length, len(self.data)):
            raise ValueError("offsets do not fit their data")

    @property
    def is_large(self) -> bool:
        """Whether offsets have 64 bits."""
        return self.type.large  # type: ignore[attr-defined, no-any-return]

    @property
    def is_text(self) -> bool:
        """Whether values are text."""
        return isinstance(self.type, Utf8)

    def to_pylist(self) -> list[Any]:
        of = kernels.texts if self.is_text else kernels.blobs
        return of(self.is_large, self.offsets, self.data, self.length, self.valid)

    def _take(self, rows: Buffer, valid: Buffer | None) -> BytesColumn:
        offsets, data = kernels.take_bytes(self.is_large, self.offsets, self.data, self.length, rows)
        return BytesColumn(self.type, offsets, data, len(memoryview(rows).cast("B")) // 4, valid)

    def parts(self, nodes: Nodes, buffers: Buffers) -> None:
        super().parts(nodes, buffers)
        start = from_zero(self.offsets, self.length, buffers)
        buffers.append(self.data[start : self.offsets[self.length]])


def offsets_view(offsets: Buffer, length: int, large: bool) -> memoryview:
    """Offsets as numbers; an array of none may come without any."""
    code, width = ("q", 8) if large else ("i", 4)
    view = memoryview(offsets)
    if not view.nbytes and not length:
        return memoryview(array(code, [0]))
    if view.format != code or len(view) != length + 1:
        if view.nbytes < (length + 1) * width:
            raise ValueError(f"{view.nbytes} bytes of offsets for {length} rows")
        view = view.cast("B")[: (length + 1) * width].cast(code)  # type: ignore[call-overload]
    return view


def from_zero(offsets: memoryview, length: int, buffers: Buffers) -> int:
    """Adds offsets that begin with 0; answers what they began with."""
    start: int = offsets[0]
    if start == 0:
        buffers.append(offsets.cast("B"))
    else:
        buffers.append(array(str(offsets.format), [offset - start for offset in offsets]).tobytes())
    return start
