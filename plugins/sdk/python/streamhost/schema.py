"""Columns by name and type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from . import ddl
from .errors import Error
from .types import DataType, alike


@dataclass(frozen=True)
class Field:
    """A column's name, its type, and whether it may have nulls."""

    name: str
    type: DataType
    nullable: bool = True


class Schema:
    """Fields in their order."""

    __slots__ = ("fields", "_places")

    def __init__(self, fields: Iterable[Field] = ()) -> None:
        self.fields: tuple[Field, ...] = tuple(fields)
        self._places = {field.name: i for i, field in reversed(list(enumerate(self.fields)))}

    @classmethod
    def parse(cls, text: str) -> Schema:
        """Reads Spark's way to write a schema: ``user_id INT, tags ARRAY<STRING>``."""
        return cls(ddl.parse(text))

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [field.name for field in self.fields]

    def index(self, name: str) -> int:
        """Where the column of this name is."""
        place = self._places.get(name)
        if place is None:
            raise Error.invalid(f"the input has no column `{name}`; its columns are {self}")
        return place

    def field(self, name: str) -> Field:
        """The field of this name."""
        return self.fields[self.index(name)]

    def project(self, names: Iterable[str] | None) -> Schema:
        """The columns of these names, in the order of this schema; all of them without names."""
        if names is None:
            return self
        wanted = {self.index(name) for name in list(names)}
        return Schema(field for i, field in enumerate(self.fields) if i in wanted)

    def nullable(self) -> Schema:
        """The same columns, each of which may be null."""
        return Schema(replace(field, nullable=True) for field in self.fields)

    def alike(self, other: Schema) -> bool:
        """Whether names and types are the same, in order."""
        pairs = zip(self.fields, other.fields)
        return len(self) == len(other) and all(a.name == b.name and alike(a.type, b.type) for a, b in pairs)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __str__(self) -> str:
        return ddl.show(self.fields)

    def __repr__(self) -> str:
        return f"Schema.parse({str(self)!r})"
