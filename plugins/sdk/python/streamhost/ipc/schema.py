"""Schema messages. Numbers are those of Arrow's Schema.fbs and Message.fbs."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from .. import types
from ..errors import Error
from ..schema import Field, Schema
from .flat import Slots, Table, Writer, cut

CONTINUATION = b"\xff\xff\xff\xff"
#: Bodies and their buffers start at multiples of it, as Arrow recommends.
ALIGNMENT = 64

_UNITS = ["s", "ms", "us", "ns"]
_INTERVALS = ["year-month", "day-time", "month-day-nano"]
_FLOATS = [16, 32, 64]
_DEEPEST = 16
_MOST_FIELDS = 20_000
# Message.
_VERSION_5, _SCHEMA = 4, 1


def decode_schema(message: bytes | memoryview) -> Schema:
    """Reads a schema message."""
    try:
        return _decode(memoryview(message).cast("B"))
    except Error as error:
        raise error.context("the input's schema") from None


def _decode(view: memoryview) -> Schema:
    header, _ = frame(view)
    table = Table.root(header)
    schema = table.table(2)
    if table.scalar(1, "<B") != _SCHEMA or schema is None:
        raise cut("it has no schema")
    if schema.scalar(0, "<h"):
        raise Error.permanent("the host's numbers are big-endian")
    left = [_MOST_FIELDS]
    return Schema(_field(field, 0, left) for field in schema.tables(1))


def frame(view: memoryview) -> tuple[memoryview, int]:
    """The header of the message that the bytes begin with, and where its body begins."""
    if bytes(view[:4]) != CONTINUATION or len(view) < 8:
        raise cut("no continuation mark")
    (length,) = struct.unpack_from("<i", view, 4)
    if length <= 0 or 8 + length > len(view):
        raise cut("its length")
    return view[8 : 8 + length], 8 + length


def _field(table: Table, depth: int, left: list[int]) -> Field:
    left[0] -= 1
    if depth > _DEEPEST or left[0] < 0:
        raise cut("too many fields, or too deep")
    if table.place(4) is not None:
        raise Error.permanent("the host sent a dictionary")
    children = [_field(child, depth + 1, left) for child in table.tables(5)]
    kind = table.table(3)
    if kind is None:
        raise cut("a type")
    read = _READ.get(table.scalar(2, "<B"))
    if read is None:
        raise Error.invalid(f"column `{table.string(0)}` has a type that cannot come into a plugin")
    return Field(table.string(0) or "", read(kind, children), bool(table.scalar(1, "<B")))


def _one(values: list[Any], number: int) -> Any:
    if not 0 <= number < len(values):
        raise cut("a unit")
    return values[number]


def _only(children: list[Field]) -> Field:
    if len(children) != 1:
        raise cut("a list's item")
    return children[0]


def _int(table: Table, _: list[Field]) -> types.DataType:
    bits = table.scalar(0, "<i")
    if bits not in (8, 16, 32, 64):
        raise cut("bits of a number")
    return types.Int(bits, bool(table.scalar(1, "<B")))


def _decimal(table: Table, _: list[Field]) -> types.DataType:
    bits = table.scalar(2, "<i", 128)
    precision, scale = table.scalar(0, "<i"), table.scalar(1, "<i")
    if bits not in (128, 256) or not 1 <= precision <= 76 or not -76 <= scale <= 76:
        raise cut("a decimal")
    return types.DecimalType(precision, scale, bits)


def _width(table: Table, what: str) -> int:
    width: int = table.scalar(0, "<i")
    if width <= 0:
        raise cut(what)
    return width


def _map(table: Table, children: list[Field]) -> types.DataType:
    entry = _only(children)
    if not isinstance(entry.type, types.Struct) or len(entry.type.fields) != 2:
        raise cut("a map's entries")
    return types.Map(entry, bool(table.scalar(0, "<B")))


def _time(table: Table, _: list[Field]) -> types.DataType:
    kind = types.TimeType(_one(_UNITS, table.scalar(0, "<h", 1)))
    if table.scalar(1, "<i", 32) != 8 * kind.width:
        raise cut("a time's bits")
    return kind


_READ: dict[int, Callable[[Table, list[Field]], types.DataType]] = {
    1: lambda table, children: types.VOID,
    2: _int,
    3: lambda table, children: types.Float(_one(_FLOATS, table.scalar(0, "<h"))),
    4: lambda table, children: types.BINARY,
    5: lambda table, children: types.STRING,
    6: lambda table, children: types.BOOLEAN,
    7: _decimal,
    8: lambda table, children: types.DateType(_one(["day", "ms"], table.scalar(0, "<h", 1))),
    9: _time,
    10: lambda table, children: types.TimestampType(_one(_UNITS, table.scalar(0, "<h")), table.string(1)),
    11: lambda table, children: types.IntervalType(_one(_INTERVALS, table.scalar(0, "<h"))),
    12: lambda table, children: types.List(_only(children)),
    13: lambda table, children: types.Struct(tuple(children)),
    15: lambda table, children: types.FixedBinary(_width(table, "bytes of one length")),
    16: lambda table, children: types.FixedList(_only(children), _width(table, "a list's length")),
    17: _map,
    18: lambda table, children: types.DurationType(_one(_UNITS, table.scalar(0, "<h", 1))),
    19: lambda table, children: types.Binary(large=True),
    20: lambda table, children: types.Utf8(large=True),
    21: lambda table, children: types.List(_only(children), large=True),
}


def encode_schema(schema: Schema) -> bytes:
    """Writes a schema message."""
    root: Slots = {
        0: ("<h", _VERSION_5),
        1: ("<B", _SCHEMA),
        2: ("ref", {0: ("<h", 0), 1: ("ref", [_written(field) for field in schema])}),
        3: ("<q", 0),
    }
    header = Writer().finish(root)
    length = 8 + len(header)
    padding = -length % ALIGNMENT
    return CONTINUATION + struct.pack("<i", length + padding - 8) + header + bytes(padding)


def _written(field: Field) -> Slots:
    number, slots, children = _type(field.type)
    return {
        0: ("ref", field.name),
        1: ("<B", int(field.nullable)),
        2: ("<B", number),
        3: ("ref", slots),
        5: ("ref", [_written(child) for child in children]),
    }


def _type(kind: types.DataType) -> tuple[int, Slots, tuple[Field, ...]]:
    """The number of a type, the slots of its table, and its children."""
    if isinstance(kind, types.Int):
        return 2, {0: ("<i", kind.bits), 1: ("<B", int(kind.signed))}, ()
    if isinstance(kind, types.Float):
        return 3, {0: ("<h", _FLOATS.index(kind.bits))}, ()
    if isinstance(kind, (types.Utf8, types.Binary)):
        narrow, wide = (5, 20) if isinstance(kind, types.Utf8) else (4, 19)
        return wide if kind.large else narrow, {}, ()
    if isinstance(kind, types.DecimalType):
        return 7, {0: ("<i", kind.precision), 1: ("<i", kind.scale), 2: ("<i", kind.bits)}, ()
    if isinstance(kind, (types.List, types.FixedList, types.Struct, types.Map)):
        return _nested(kind)
    return _timely(kind)


def _nested(kind: types.List | types.FixedList | types.Struct | types.Map) -> tuple[int, Slots, tuple[Field, ...]]:
    if isinstance(kind, types.List):
        return 21 if kind.large else 12, {}, (kind.item,)
    if isinstance(kind, types.FixedList):
        return 16, {0: ("<i", kind.size)}, (kind.item,)
    if isinstance(kind, types.Struct):
        return 13, {}, kind.fields
    return 17, {0: ("<B", int(kind.ordered))}, (kind.entry,)


def _timely(kind: types.DataType) -> tuple[int, Slots, tuple[Field, ...]]:
    if isinstance(kind, types.TimestampType):
        zone: Slots = {} if kind.zone is None else {1: ("ref", kind.zone)}
        return 10, {0: ("<h", _UNITS.index(kind.unit)), **zone}, ()
    if isinstance(kind, types.DateType):
        return 8, {0: ("<h", 0 if kind.unit == "day" else 1)}, ()
    if isinstance(kind, types.TimeType):
        return 9, {0: ("<h", _UNITS.index(kind.unit)), 1: ("<i", 8 * kind.width)}, ()
    if isinstance(kind, types.DurationType):
        return 18, {0: ("<h", _UNITS.index(kind.unit))}, ()
    if isinstance(kind, types.IntervalType):
        return 11, {0: ("<h", _INTERVALS.index(kind.unit))}, ()
    if isinstance(kind, types.FixedBinary):
        return 15, {0: ("<i", kind.width)}, ()
    return (6 if isinstance(kind, types.Boolean) else 1), {}, ()
