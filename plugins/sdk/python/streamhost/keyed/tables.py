"""Tables, as a plugin declares them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from ..schema import Field, Schema
from ..types import UINT


@dataclass(frozen=True)
class Table:
    """What is kept for each key, under a name of letters, digits, ``-`` and ``_``."""

    name: str
    #: ``value``: one a key; ``sequence``: a list a key; ``mapping``: values by a second key.
    kind: str
    columns_of_value: Schema
    #: The second key's columns, of which only a mapping has some.
    second: Schema = Schema()
    #: Entries that were not put for this long, by the epoch's time, are removed.
    ttl: timedelta | None = None
    #: Raise it when the columns change, and migrate what is stored.
    version: int = 1

    @classmethod
    def value(cls, name: str, value: Schema | str) -> Table:
        """A table of one value a key: Spark's ``ValueState``."""
        return cls(name, "value", _schema(value))

    @classmethod
    def sequence(cls, name: str, value: Schema | str) -> Table:
        """A table of a list of values a key: Spark's ``ListState``."""
        return cls(name, "sequence", _schema(value))

    @classmethod
    def mapping(cls, name: str, second: Schema | str, value: Schema | str) -> Table:
        """A table of values by a second key: Spark's ``MapState``."""
        return cls(name, "mapping", _schema(value), _schema(second))

    def with_ttl(self, ttl: timedelta | None) -> Table:
        """The same, from which what was not put for so long is removed."""
        return replace(self, ttl=ttl)

    def with_version(self, version: int) -> Table:
        """The same in another version."""
        return replace(self, version=version)

    @property
    def columns(self) -> Schema:
        """The columns of an entry but for its key."""
        return Schema([*self.second, *self.columns_of_value])

    @property
    def entry(self) -> Schema:
        """The columns of an entry."""
        return _with_key(self.columns)

    @property
    def place(self) -> Schema:
        """The columns by which an entry of a mapping is found."""
        return _with_key(self.second)


def _schema(columns: Schema | str) -> Schema:
    # Columns may be null, so that a column that learns to be is no new version.
    return (Schema.parse(columns) if isinstance(columns, str) else columns).nullable()


def _with_key(columns: Schema) -> Schema:
    # Names of columns do not matter in an entry; so that of the key may be a column's too.
    return Schema([Field("key", UINT, False), *columns])
