"""Rows as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .columns import BooleanColumn, Column, Rows, column
from .columns.base import rows_of
from .schema import Field, Schema


class Batch:
    """Columns of one length, each with a name.

    ``batch["value"]`` is a column, and ``batch.num_rows`` how many rows there are. A batch does not change.
    """

    __slots__ = ("schema", "columns", "num_rows")

    def __init__(self, schema: Schema, columns: Iterable[Column], num_rows: int | None = None) -> None:
        self.schema = schema
        self.columns = list(columns)
        lengths = {len(one) for one in self.columns}
        if num_rows is None:
            num_rows = lengths.pop() if len(lengths) == 1 else 0
            lengths.discard(num_rows)
        if lengths - {num_rows} or len(self.columns) != len(schema):
            raise ValueError(f"columns of {sorted(lengths | {num_rows})} rows, {len(self.columns)} for {len(schema)} names")
        #: How many rows there are, also without columns.
        self.num_rows = num_rows

    @classmethod
    def of(cls, columns: Mapping[str, Column] | None = None, /, **more: Column) -> Batch:
        """A batch of columns by name: ``Batch.of(share=value / 100)`` or ``Batch.of({"share": …})``."""
        named = {**(columns or {}), **more}
        lengths = {name: len(one) for name, one in named.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")
        return cls(Schema(Field(name, one.type) for name, one in named.items()), named.values())

    @classmethod
    def from_pylist(cls, schema: Schema | str, rows: Iterable[Mapping[str, Any]]) -> Batch:
        """A batch of rows as dicts. What a row does not have is null."""
        schema = Schema.parse(schema) if isinstance(schema, str) else schema
        items = list(rows)
        columns = [column(field.type, [row.get(field.name) for row in items]) for field in schema]
        return cls(schema, columns, len(items))

    @classmethod
    def empty(cls, schema: Schema) -> Batch:
        """A batch of no rows."""
        return cls(schema, [column(field.type, []) for field in schema], 0)

    def to_pylist(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        names = self.schema.names
        if not names:
            return [{} for _ in range(self.num_rows)]
        return [dict(zip(names, row)) for row in zip(*[one.to_pylist() for one in self.columns])]

    def __getitem__(self, name: str | int) -> Column:
        return self.columns[name if isinstance(name, int) else self.schema.index(name)]

    def __contains__(self, name: object) -> bool:
        return name in self.schema

    def __len__(self) -> int:
        return self.num_rows

    def take(self, rows: Rows | Iterable[int]) -> Batch:
        """These rows, in this order."""
        numbers = rows_of(rows)
        taken = [one.take(numbers) for one in self.columns]
        return Batch(self.schema, taken, len(memoryview(numbers).cast("B")) // 4)

    def filter(self, keep: BooleanColumn) -> Batch:
        """The rows for which ``keep`` is true."""
        return self.take(keep.rows())

    def slice(self, start: int, stop: int) -> Batch:
        """A range of rows."""
        return self.take(range(start, stop))

    def select(self, names: Iterable[str]) -> Batch:
        """These columns, in this order."""
        places = [self.schema.index(name) for name in names]
        fields = [self.schema.fields[place] for place in places]
        return Batch(Schema(fields), [self.columns[place] for place in places], self.num_rows)

    def with_columns(self, columns: Mapping[str, Column] | None = None, /, **more: Column) -> Batch:
        """The same with these columns behind, or in the place of those of the same name."""
        named = dict(zip(self.schema.names, self.columns)) | dict(columns or {}) | more
        fields = {field.name: field for field in self.schema}
        schema = Schema(_field(fields.get(name), name, one) for name, one in named.items())
        return Batch(schema, named.values(), self.num_rows)

    def __repr__(self) -> str:
        return f"<Batch of {self.num_rows} rows: {self.schema}>"


def _field(known: Field | None, name: str, one: Column) -> Field:
    return known if known is not None and known.type == one.type else Field(name, one.type)


def concat(schema: Schema, batches: Iterable[Batch]) -> Batch:
    """The rows of batches one after the other."""
    parts = list(batches)
    if len(parts) == 1:
        return parts[0]
    columns = [
        column(field.type, [value for part in parts for value in part.columns[i].to_pylist()])
        for i, field in enumerate(schema)
    ]
    return Batch(schema, columns, sum(part.num_rows for part in parts))
