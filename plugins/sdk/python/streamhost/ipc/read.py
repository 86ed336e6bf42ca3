"""Messages → batches. Columns are views of the messages: nothing is copied."""

from __future__ import annotations

from .. import types
from ..batch import Batch
from ..columns import (
    BooleanColumn,
    BytesColumn,
    Column,
    FixedColumn,
    FixedListColumn,
    ListColumn,
    MapColumn,
    NullColumn,
    StructColumn,
    WideColumn,
)
from ..errors import Error
from ..schema import Schema
from .flat import Table, cut
from .schema import frame

_RECORD_BATCH = 3
#: Rows that a column may claim without a byte for them: of nulls, or of a batch without columns.
_MOST_UNBACKED = 1 << 24
_MOST_ROWS = (1 << 31) - 2


def decode(messages: bytes | memoryview, schema: Schema) -> list[Batch]:
    """The batches of the messages."""
    rest = memoryview(messages).cast("B")
    batches = []
    while len(rest):
        batch, length = _message(rest, schema)
        batches.append(batch)
        rest = rest[length:]
    return batches


def decode_one(messages: bytes | memoryview, schema: Schema) -> Batch:
    """The one batch of the messages, which is empty if there are none."""
    batches = decode(messages, schema)
    if len(batches) > 1:
        raise Error.permanent("the host sent several batches where one is due")
    return batches[0] if batches else Batch.empty(schema)


def _message(view: memoryview, schema: Schema) -> tuple[Batch, int]:
    header, start = frame(view)
    table = Table.root(header)
    batch = table.table(2)
    if table.scalar(1, "<B") != _RECORD_BATCH or batch is None:
        raise cut("it is no record batch")
    length = table.scalar(3, "<q")
    if not 0 <= length <= len(view) - start:
        raise cut("its body")
    return _batch(batch, view[start : start + length], schema), start + length


def _batch(table: Table, body: memoryview, schema: Schema) -> Batch:
    if table.place(3) is not None:
        raise Error.permanent("the host sent a compressed batch")
    rows = table.scalar(0, "<q")
    if not 0 <= rows <= (_MOST_ROWS if len(schema) else _MOST_UNBACKED):
        raise cut("its number of rows")
    parts = _Parts(table.pairs(1), table.pairs(2), body)
    columns = []
    for field in schema:
        try:
            column = _column(parts, field.type)
            if len(column) != rows:
                raise cut(f"{len(column)} values for {rows} rows")
        except (ValueError, TypeError) as error:
            raise Error.permanent(f"column `{field.name}`: {error}") from None
        except Error as error:
            raise error.context(f"column `{field.name}`") from None
        columns.append(column)
    return Batch(schema, columns, rows)


class _Parts:
    """The nodes and buffers of a message, in the order of the schema's fields, depth first."""

    __slots__ = ("nodes", "buffers", "body")

    def __init__(self, nodes: list[tuple[int, int]], buffers: list[tuple[int, int]], body: memoryview) -> None:
        self.nodes = iter(nodes)
        self.buffers = iter(buffers)
        self.body = body

    def node(self) -> tuple[int, int]:
        """Length and nulls of the next column."""
        length, nulls = next(self.nodes, (-1, 0))
        if not 0 <= length <= _MOST_ROWS or not 0 <= nulls <= length:
            raise cut("its nodes")
        return length, nulls

    def buffer(self, least: int = 0) -> memoryview:
        """The next buffer, of so many bytes at least."""
        offset, length = next(self.buffers, (-1, 0))
        if offset < 0 or length < 0 or offset + length > len(self.body):
            raise cut("its buffers")
        if length < least:
            raise Error.permanent("the host's message has a buffer that is too short for its rows")
        return self.body[offset : offset + length]

    def bits(self, length: int) -> memoryview:
        """The next buffer, which is a bitmap."""
        return self.buffer((length + 7) // 8)


def _column(parts: _Parts, kind: types.DataType) -> Column:
    length, nulls = parts.node()
    if isinstance(kind, types.Null):
        if length > _MOST_UNBACKED:
            raise cut("its number of rows")
        return NullColumn(length)
    # A bitmap may be there without a null; then it is not looked at.
    valid = parts.bits(length) if nulls else None
    if not nulls:
        parts.buffer()
    if isinstance(kind, types.Boolean):
        return BooleanColumn(parts.bits(length), length, valid)
    if isinstance(kind, (types.Utf8, types.Binary)):
        return BytesColumn(kind, parts.buffer(), parts.buffer(), length, valid)
    if kind.code is not None and kind.code != "e":
        return FixedColumn(kind, parts.buffer(length * kind.width)[: length * kind.width], length, valid)
    if kind.width:
        return WideColumn(kind, parts.buffer(length * kind.width), length, valid)
    return _nested(parts, kind, length, valid)


def _nested(parts: _Parts, kind: types.DataType, length: int, valid: memoryview | None) -> Column:
    if isinstance(kind, (types.List, types.Map)):
        offsets = parts.buffer()
        if isinstance(kind, types.Map):
            return MapColumn(kind, offsets, _column(parts, kind.entry.type), length, valid)
        return ListColumn(kind, offsets, _column(parts, kind.item.type), length, valid)
    if isinstance(kind, types.FixedList):
        return FixedListColumn(kind, _column(parts, kind.item.type), length, valid)
    assert isinstance(kind, types.Struct)
    if not kind.fields and length > _MOST_UNBACKED:
        raise cut("its number of rows")
    return StructColumn(kind, [_column(parts, field.type) for field in kind.fields], length, valid)
