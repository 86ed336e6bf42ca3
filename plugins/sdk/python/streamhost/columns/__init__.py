"""Columns: Arrow's layouts over the bytes that came, without copies. See :class:`Column`."""

from .base import Column, Rows
from .binary import BytesColumn
from .fixed import FixedColumn, WideColumn
from .make import column, from_buffer, repeat
from .nested import FixedListColumn, ListColumn, MapColumn, StructColumn
from .plain import BooleanColumn, NullColumn

__all__ = [
    "BooleanColumn",
    "BytesColumn",
    "Column",
    "FixedColumn",
    "FixedListColumn",
    "ListColumn",
    "MapColumn",
    "NullColumn",
    "Rows",
    "StructColumn",
    "WideColumn",
    "column",
    "from_buffer",
    "repeat",
]
