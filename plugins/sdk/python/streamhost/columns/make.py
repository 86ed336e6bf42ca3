"""Columns from Python's values, and from buffers."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from .. import kernels
from ..errors import Error
from ..types import Binary, Boolean, DataType, FixedList, Float, List, Map, Null, Struct, Utf8
from .base import Buffer, Column
from .binary import BytesColumn
from .convert import encoder, wide_bytes
from .fixed import FixedColumn, WideColumn
from .nested import FixedListColumn, ListColumn, MapColumn, StructColumn
from .plain import BooleanColumn, NullColumn


def column(kind: DataType, values: Iterable[Any]) -> Column:
    """A column of Python's values, ``None`` for null.

    A value of another type is a ``TypeError``, one that does not fit an ``OverflowError`` or ``ValueError``.
    """
    items: Sequence[Any] = values if isinstance(values, (list, tuple)) else list(values)
    return _make(kind, items)


def from_buffer(kind: DataType, values: Any, valid: Buffer | None = None) -> Column:
    """A column of numbers, days or moments from ``array.array``, a memoryview or bytes, without a copy."""
    if kind.code is None or kind.code == "e":
        raise TypeError(f"{kind} has no values in a buffer of numbers")
    view = memoryview(values).cast("B")
    return FixedColumn(kind, view, len(view) // kind.width, valid)


def repeat(kind: DataType, value: Any, count: int) -> Column:
    """A column of one value."""
    return column(kind, [value]).take(array("I", bytes(4 * count)))


def _make(kind: DataType, items: Sequence[Any]) -> Column:
    if isinstance(kind, Null):
        return _nulls(items)
    if isinstance(kind, Boolean):
        return _booleans(items)
    if isinstance(kind, (Utf8, Binary)):
        return _bytes(kind, items)
    if isinstance(kind, (List, Map)):
        return _lists(kind, items)
    if isinstance(kind, FixedList):
        return _fixed_lists(kind, items)
    if isinstance(kind, Struct):
        return _structs(kind, items)
    if kind.code is not None and kind.code != "e":
        return _numbers(kind, items)
    return WideColumn(kind, wide_bytes(kind, items), len(items), _valid(items))


def _valid(items: Sequence[Any]) -> bytes | None:
    return kernels.pack([item is not None for item in items]) if None in items else None


def _nulls(items: Sequence[Any]) -> Column:
    if any(item is not None for item in items):
        raise TypeError("a column of nulls has a value")
    return NullColumn(len(items))


def _booleans(items: Sequence[Any]) -> Column:
    wrong = next((item for item in items if item is not None and not isinstance(item, bool)), None)
    if wrong is not None:
        raise TypeError(f"expected bool, not {type(wrong).__name__}")
    return BooleanColumn(kernels.pack(items), len(items), _valid(items))


def _numbers(kind: DataType, items: Sequence[Any]) -> Column:
    of = encoder(kind)
    if of is not None:
        items = [None if item is None else of(item) for item in items]
    code = str(kind.code)
    values, valid, _ = kernels.values(code, items)
    return FixedColumn(kind, values, len(items), valid)


def _bytes(kind: Utf8 | Binary, items: Sequence[Any]) -> Column:
    offsets, data, valid, _ = kernels.join(items, isinstance(kind, Utf8))
    if kind.large:
        offsets = kernels.convert("i", "q", offsets, len(items) + 1)
    return BytesColumn(kind, offsets, data, len(items), valid)


def _lists(kind: List | Map, items: Sequence[Any]) -> Column:
    wide = isinstance(kind, List) and kind.large
    ends, end = array("q" if wide else "i", [0]), 0
    lists = [() if item is None else item for item in items]
    if isinstance(kind, Map):
        lists = [item.items() if isinstance(item, dict) else item for item in lists]
    for item in lists:
        end += len(item)
        ends.append(end)
    if isinstance(kind, Map):
        return MapColumn(kind, ends.tobytes(), _pairs(kind, lists), len(items), _valid(items))
    return ListColumn(kind, ends.tobytes(), _make(kind.item.type, _flat(lists)), len(items), _valid(items))


def _flat(lists: Iterable[Any]) -> list[Any]:
    return list(chain.from_iterable(lists))


def _pairs(kind: Map, lists: Iterable[Any]) -> Column:
    pairs = _flat(lists)
    key, value = kind.pair
    keys = [pair[0] for pair in pairs]
    if None in keys:
        raise Error.permanent("a map has a key that is None")
    columns = [_make(key.type, keys), _make(value.type, [pair[1] for pair in pairs])]
    return StructColumn(kind.entry.type, columns, len(pairs))  # type: ignore[arg-type]


def _fixed_lists(kind: FixedList, items: Sequence[Any]) -> Column:
    empty = [None] * kind.size
    lists = [empty if item is None else item for item in items]
    wrong = next((item for item in lists if len(item) != kind.size), None)
    if wrong is not None:
        raise ValueError(f"a list of {len(wrong)} items where each has {kind.size}")
    return FixedListColumn(kind, _make(kind.item.type, _flat(lists)), len(items), _valid(items))


def _structs(kind: Struct, items: Sequence[Any]) -> Column:
    children = [_make(field.type, [_member(item, field.name) for item in items]) for field in kind.fields]
    return StructColumn(kind, children, len(items), _valid(items))


def _member(item: Any, name: str) -> Any:
    if item is None:
        return None
    return item.get(name) if isinstance(item, dict) else getattr(item, name)
