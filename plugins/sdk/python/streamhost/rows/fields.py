"""Which Python type is which column."""

from __future__ import annotations

import dataclasses
import datetime
import types as pytypes
import typing
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from .. import types
from ..schema import Field
from ..values import Date, Timestamp

#: Narrower numbers, for rows that are written.
Int8 = Annotated[int, types.TINYINT]
Int16 = Annotated[int, types.SMALLINT]
Int32 = Annotated[int, types.INT]
Float32 = Annotated[float, types.FLOAT]


@dataclass(frozen=True)
class rename:
    """The column's name where it is not the field's: ``address: Annotated[str, rename("url")]``."""

    to: str


@dataclass(frozen=True)
class FieldShape:
    """A field of a row: its column, and how values go from there and to there."""

    name: str
    column: str
    type: types.DataType
    nullable: bool
    #: Types that are read too, because each of their values is one of this type.
    narrower: tuple[types.DataType, ...]
    #: What makes the field's value of the column's; nothing if it is one.
    read: Callable[[Any], Any] | None
    #: What makes the column's value of the field's.
    write: Callable[[Any], Any] | None


_WHOLE = (types.INT, types.SMALLINT, types.TINYINT)
_NARROWER: dict[types.DataType, tuple[types.DataType, ...]] = {
    types.SMALLINT: (types.TINYINT,),
    types.INT: (types.SMALLINT, types.TINYINT),
    types.BIGINT: _WHOLE,
    types.FLOAT: (types.SMALLINT, types.TINYINT),
    types.DOUBLE: (types.FLOAT, *_WHOLE),
    types.TIMESTAMP: (types.TIMESTAMP_NTZ,),
}

_PLAIN: dict[Any, types.DataType] = {
    bool: types.BOOLEAN,
    int: types.BIGINT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BINARY,
    Date: types.DATE,
    Timestamp: types.TIMESTAMP,
    datetime.date: types.DATE,
    datetime.datetime: types.TIMESTAMP,
    Decimal: types.DecimalType(38, 18),
}


def of_annotation(name: str, hint: Any) -> FieldShape:
    """The shape of a field with this annotation."""
    nullable, hint = _optional(hint)
    column, given, hint = name, None, hint
    while typing.get_origin(hint) is Annotated:
        hint, *extra = typing.get_args(hint)
        column = next((one.to for one in extra if isinstance(one, rename)), column)
        given = next((one for one in extra if isinstance(one, types.DataType)), given)
        inner, hint = _optional(hint)
        nullable = nullable or inner
    kind = given or type_of(hint)
    return FieldShape(name, column, kind, nullable, _NARROWER.get(kind, ()), _reader(hint), _writer(hint))


def _optional(hint: Any) -> tuple[bool, Any]:
    if typing.get_origin(hint) in (typing.Union, pytypes.UnionType):
        rest = [one for one in typing.get_args(hint) if one is not type(None)]
        if len(rest) == 1:
            return True, rest[0]
    return False, hint


def type_of(hint: Any) -> types.DataType:
    """The column's type for a Python type."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated or _optional(hint)[0]:
        return of_annotation("", hint).type
    if origin is list:
        return types.array(type_of(arguments[0]))
    if origin is dict:
        return types.map(type_of(arguments[0]), type_of(arguments[1]))
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        fields = [of_annotation(field.name, hints[field.name]) for field in dataclasses.fields(hint)]
        return types.Struct(tuple(Field(field.column, field.type) for field in fields))
    raise TypeError(f"no column has values of type {hint}")


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    """What makes a value of this type of a column's value, which is not None."""
    if hint is datetime.date:
        return Date.date
    if hint is datetime.datetime:
        return Timestamp.datetime
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        item = _nested_reader(arguments[0])
        return None if item is None else lambda values: [None if value is None else item(value) for value in values]
    if origin is dict:
        return dict
    if dataclasses.is_dataclass(hint):
        return _struct_reader(hint)
    return None


def _nested_reader(hint: Any) -> Callable[[Any], Any] | None:
    hint = _optional(hint)[1]
    if typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    return _reader(hint)


def _struct_reader(hint: Any) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(hint, include_extras=True)
    shapes = [of_annotation(field.name, hints[field.name]) for field in dataclasses.fields(hint)]

    def read(value: dict[str, Any]) -> Any:
        members = {}
        for shape in shapes:
            member = value[shape.column]
            members[shape.name] = member if member is None or shape.read is None else shape.read(member)
        return hint(**members)

    return read


def _writer(hint: Any) -> Callable[[Any], Any] | None:
    """What makes a column's value of a field's. Columns take most values as they are."""
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        shapes = [of_annotation(field.name, hints[field.name]) for field in dataclasses.fields(hint)]

        def write(value: Any) -> dict[str, Any]:
            members = {}
            for shape in shapes:
                member = getattr(value, shape.name)
                members[shape.column] = member if member is None or shape.write is None else shape.write(member)
            return members

        return write
    if typing.get_origin(hint) is list:
        item = _writer(_optional(typing.get_args(hint)[0])[1])
        return None if item is None else lambda values: [None if value is None else item(value) for value in values]
    return None
