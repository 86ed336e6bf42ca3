"""Rows from batches, and batches from rows."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from .. import ddl, types
from ..batch import Batch
from ..columns import Column, column
from ..columns.convert import decoder
from ..errors import Error, told
from ..schema import Field, Schema
from .fields import FieldShape, of_annotation


def is_row(kind: Any) -> bool:
    """Whether this is a dataclass, and so a row."""
    from ..config import is_config

    return isinstance(kind, type) and dataclasses.is_dataclass(kind) and not is_config(kind)


def shape(kind: type[Any]) -> Shape:
    """How a dataclass is a row."""
    known = _SHAPES.get(kind)
    return known if known is not None else _SHAPES.setdefault(kind, Shape(kind))


_SHAPES: dict[type[Any], Shape] = {}


class Shape:
    """The columns of a dataclass, and how its instances are read from them and written to them."""

    def __init__(self, kind: type[Any]) -> None:
        if not is_row(kind):
            raise TypeError(f"{kind} is no row: rows are dataclasses")
        hints = typing.get_type_hints(kind, include_extras=True)
        self.kind = kind
        self.fields = [self._field(field.name, hints[field.name]) for field in dataclasses.fields(kind)]
        self.schema = Schema(Field(field.column, field.type, field.nullable) for field in self.fields)
        self._values = _getter([field.name for field in self.fields])

    def _field(self, name: str, hint: Any) -> FieldShape:
        try:
            return of_annotation(name, hint)
        except TypeError as error:
            raise TypeError(f"field `{name}` of {self.kind.__name__}: {error}") from None

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return self.schema.names

    def check(self, schema: Schema) -> None:
        """That rows can be read from these columns."""
        for field in self.fields:
            _same_type(field, schema.field(field.column).type)

    def tuples(self, batch: Batch) -> list[tuple[Any, ...]]:
        """The values of each row's fields, those that are null as ``None``, before they become the fields' own types."""
        if not self.fields:
            return [()] * batch.num_rows
        return list(zip(*[_open(field, batch) for field in self.fields]))

    def read(self, batch: Batch) -> list[Any]:
        """The rows; in the place of one that cannot be read, the :class:`~streamhost.Error` that says why."""
        columns = [_open(field, batch) for field in self.fields]
        if all(field.read is None and (field.nullable or batch[field.column].null_count == 0) for field in self.fields):
            return list(map(self.kind, *columns)) if columns else [self.kind() for _ in range(batch.num_rows)]
        return [self.make(values) for values in zip(*columns)]

    def make(self, values: Sequence[Any]) -> Any:
        """One row, or the error that says why there is none."""
        given = []
        for field, value in zip(self.fields, values):
            if value is None and not field.nullable:
                return Error.permanent(f"`{field.column}` is null")
            if value is not None and field.read is not None:
                try:
                    value = field.read(value)
                except Exception as error:
                    return told(error).context(f"`{field.column}`")
            given.append(value)
        return self.kind(*given)

    def values(self, row: Any) -> tuple[Any, ...]:
        """The values of a row as columns take them."""
        values: tuple[Any, ...] = self._values(row)
        if not self._writes:
            return values
        return tuple(
            value if value is None or field.write is None else field.write(value) for field, value in zip(self.fields, values)
        )

    @functools.cached_property
    def _writes(self) -> bool:
        return any(field.write is not None for field in self.fields)

    def write(self, rows: Sequence[Any]) -> Batch:
        """A batch of rows; ``None`` is a row of nulls."""
        there = [row for row in rows if row is not None]
        lists = [self._column_of(field, there) for field in self.fields]
        if len(there) < len(rows):
            lists = [_spread(values, rows) for values in lists]
        columns = [_column(field, values) for field, values in zip(self.fields, lists)]
        return Batch(self.schema, columns, len(rows))

    def _column_of(self, field: FieldShape, rows: Sequence[Any]) -> list[Any]:
        values = list(map(attrgetter(field.name), rows))
        write = field.write
        return values if write is None else [None if value is None else write(value) for value in values]

    def of_tuples(self, tuples: Sequence[tuple[Any, ...]]) -> Batch:
        """A batch of rows' values."""
        lists: list[Sequence[Any]] = list(zip(*tuples)) if tuples else [()] * len(self.fields)
        columns = [_column(field, values) for field, values in zip(self.fields, lists)]
        return Batch(self.schema, columns, len(tuples))

    def written(self, rows: Sequence[Any]) -> tuple[Batch, dict[int, Error]]:
        """A batch of rows, in which those that cannot be written are nulls; and why they cannot."""
        try:
            batch = self.write(rows)
            missing = sum(row is None for row in rows)
            if all(field.nullable or batch.columns[i].null_count == missing for i, field in enumerate(self.fields)):
                return batch, {}
        except Exception:  # noqa: S110 - looked for row by row
            pass
        faults = {i: fault for i, row in enumerate(rows) if row is not None and (fault := self._fault(row)) is not None}
        return self.write([None if i in faults else row for i, row in enumerate(rows)]), faults

    def check_row(self, row: Any) -> tuple[Any, ...]:
        """The values of a row that is one, and has no ``None`` where its type does not say so."""
        if not isinstance(row, self.kind):
            raise TypeError(f"expected {self.kind.__name__}, not {type(row).__name__}")
        values = self.values(row)
        if None in values:
            for field, value in zip(self.fields, values):
                if value is None and not field.nullable:
                    raise TypeError(f"field `{field.name}` of {self.kind.__name__} is None, and its type does not say so")
        return values

    def _fault(self, row: Any) -> Error | None:
        """Why a row cannot be written."""
        try:
            for field, value in zip(self.fields, self.check_row(row)):
                _column(field, [value])
        except Exception as error:
            return told(error)
        return None


def _spread(values: Sequence[Any], rows: Sequence[Any]) -> list[Any]:
    """The values of the rows that are there, and None in the places of the others."""
    rest = iter(values)
    return [None if row is None else next(rest) for row in rows]


def _getter(names: list[str]) -> Any:
    if not names:
        return lambda row: ()
    if len(names) == 1:
        one = attrgetter(names[0])
        return lambda row: (one(row),)
    return attrgetter(*names)


def _column(field: FieldShape, values: Sequence[Any]) -> Column:
    try:
        return column(field.type, values)
    except (TypeError, ValueError, OverflowError) as error:
        raise type(error)(f"field `{field.name}`: {error}") from None


def _open(field: FieldShape, batch: Batch) -> list[Any]:
    found = batch[field.column]
    _same_type(field, found.type)
    values = found.to_pylist()
    if found.type != field.type:
        values = _widened(field, found.type, values)
    return values


def _widened(field: FieldShape, found: types.DataType, values: list[Any]) -> list[Any]:
    if isinstance(field.type, types.Float) and isinstance(found, types.Int):
        return [None if value is None else float(value) for value in values]
    of = decoder(field.type)
    if of is not None and decoder(found) is None:
        return [None if value is None else of(value) for value in values]
    return values


def _same_type(field: FieldShape, found: types.DataType) -> None:
    wanted = field.type
    if types.alike(found, wanted) or found in field.narrower:
        return
    if isinstance(found, types.DecimalType) and isinstance(wanted, types.DecimalType):
        return
    remedy = ""
    if found.is_number and wanted.is_number:
        remedy = f", which not every {ddl.type_name(found)} is; cast the column before this step"
    has, wants = ddl.type_name(found), ddl.type_name(wanted)
    raise Error.invalid(f"column `{field.column}` has type {has}, and the plugin reads {wants}{remedy}")
