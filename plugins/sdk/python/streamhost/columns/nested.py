"""Columns of lists, structs and maps."""

from __future__ import annotations

from array import array
from typing import Any

from .. import kernels
from ..types import FixedList, List, Map, Struct
from .base import Buffer, Buffers, Column, Nodes
from .binary import from_zero, offsets_view


class ListColumn(Column):
    """Lists: value ``i`` is the items ``offsets[i]`` to ``offsets[i + 1]``."""

    __slots__ = ("offsets", "items")

    def __init__(
        self, type: List | Map, offsets: Buffer, items: Column, length: int, valid: Buffer | None = None
    ) -> None:
        super().__init__(type, length, valid)
        large = isinstance(type, List) and type.large
        self.offsets = offsets_view(offsets, length, large)
        #: The items of all lists.
        self.items = items
        if not kernels.check_offsets(large, self.offsets, length, len(items)):
            raise ValueError("offsets do not fit their items")

    def _values(self) -> list[Any]:
        start, end = self.offsets[0], self.offsets[self.length]
        items = self._items().slice(start, end).to_pylist() if start else self._items().to_pylist()
        ends = [offset - start for offset in self.offsets.tolist()]
        return [items[a:b] for a, b in zip(ends, ends[1:])]

    def _items(self) -> Column:
        return self.items

    def _take(self, rows: Buffer, valid: Buffer | None) -> ListColumn:
        numbers = memoryview(rows).cast("B").cast("I").tolist()
        ends, picked, end = array(str(self.offsets.format), [0]), array("I"), 0
        for row in numbers:
            start, stop = self.offsets[row], self.offsets[row + 1]
            picked.extend(range(start, stop))
            end += stop - start
            ends.append(end)
        items = self.items.take(picked)
        return type(self)(self.type, ends.tobytes(), items, len(numbers), valid)  # type: ignore[arg-type]

    def parts(self, nodes: Nodes, buffers: Buffers) -> None:
        super().parts(nodes, buffers)
        start = from_zero(self.offsets, self.length, buffers)
        end = self.offsets[self.length]
        whole = start == 0 and end == len(self.items)
        (self.items if whole else self.items.slice(start, end)).parts(nodes, buffers)


class MapColumn(ListColumn):
    """Maps: lists of pairs, in their order. ``items`` is a struct of key and value."""

    __slots__ = ()

    def _items(self) -> Column:
        return _Pairs(self.items)  # type: ignore[arg-type]


class _Pairs(Column):
    """A struct of two, as tuples."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: StructColumn) -> None:
        super().__init__(pairs.type, pairs.length)
        self.pairs = pairs

    def _values(self) -> list[Any]:
        key, value = self.pairs.children
        return list(zip(key.to_pylist(), value.to_pylist()))

    def slice(self, start: int, stop: int) -> Column:
        return _Pairs(self.pairs.slice(start, stop))  # type: ignore[arg-type]


class FixedListColumn(Column):
    """Lists of one length."""

    __slots__ = ("items",)

    def __init__(self, type: FixedList, items: Column, length: int, valid: Buffer | None = None) -> None:
        super().__init__(type, length, valid)
        if len(items) < length * type.size:
            raise ValueError(f"{len(items)} items for {length} lists of {type.size}")
        #: The items of all lists.
        self.items = items

    @property
    def size(self) -> int:
        """How many items each list has."""
        return self.type.size  # type: ignore[attr-defined, no-any-return]

    def _values(self) -> list[Any]:
        items, size = self.items.to_pylist(), self.size
        return [items[i * size : i * size + size] for i in range(self.length)]

    def _take(self, rows: Buffer, valid: Buffer | None) -> FixedListColumn:
        numbers, picked = memoryview(rows).cast("B").cast("I").tolist(), array("I")
        for row in numbers:
            picked.extend(range(row * self.size, row * self.size + self.size))
        return FixedListColumn(self.type, self.items.take(picked), len(numbers), valid)  # type: ignore[arg-type]

    def parts(self, nodes: Nodes, buffers: Buffers) -> None:
        super().parts(nodes, buffers)
        count = self.length * self.size
        (self.items if len(self.items) == count else self.items.slice(0, count)).parts(nodes, buffers)


class StructColumn(Column):
    """Structs: a column for each field."""

    __slots__ = ("children",)

    def __init__(self, type: Struct, children: list[Column], length: int, valid: Buffer | None = None) -> None:
        super().__init__(type, length, valid)
        if len(children) != len(type.fields) or any(len(child) != length for child in children):
            raise ValueError(f"the fields of a struct do not fit its {length} rows")
        #: The columns of the fields, in their order.
        self.children = children

    def field(self, name: str) -> Column:
        """The column of the field of this name."""
        fields = self.type.fields  # type: ignore[attr-defined]
        return self.children[[field.name for field in fields].index(name)]

    def _values(self) -> list[Any]:
        names = [field.name for field in self.type.fields]  # type: ignore[attr-defined]
        if not names:
            return [{} for _ in range(self.length)]
        return [dict(zip(names, row)) for row in zip(*[child.to_pylist() for child in self.children])]

    def _take(self, rows: Buffer, valid: Buffer | None) -> StructColumn:
        children = [child.take(rows) for child in self.children]
        return StructColumn(self.type, children, len(memoryview(rows).cast("B")) // 4, valid)  # type: ignore[arg-type]

    def parts(self, nodes: Nodes, buffers: Buffers) -> None:
        super().parts(nodes, buffers)
        for child in self.children:
            child.parts(nodes, buffers)
