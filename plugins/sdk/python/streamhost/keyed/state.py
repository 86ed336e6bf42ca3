"""The state of the keys of one call, which the host holds."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from ..batch import Batch
from ..columns import FixedColumn
from ..errors import Error
from ..ipc import decode_one, encode
from ..schema import Schema
from ..types import UINT, alike
from .calls import Clock, Timer
from .tables import Table

T = TypeVar("T")


class Store(Protocol):
    """Where state is: with the host, or in a test."""

    def get(self, table: str, keys: Sequence[int] | None) -> bytes: ...
    def find(self, table: str, of: bytes) -> bytes: ...
    def put(self, table: str, entries: bytes) -> None: ...
    def append(self, table: str, entries: bytes) -> None: ...
    def remove(self, table: str, keys: Sequence[int]) -> None: ...
    def remove_found(self, table: str, of: bytes) -> None: ...
    def set_timers(self, clock: Clock, timers: Sequence[Timer]) -> None: ...
    def clear_timers(self, clock: Clock, timers: Sequence[Timer]) -> None: ...
    def clear_all_timers(self, clock: Clock, keys: Sequence[int]) -> None: ...


class Entries:
    """Entries of a table, ordered by key; those of a key as they were appended, or by their second key."""

    def __init__(self, table: Table, entries: Batch) -> None:
        keys = entries.columns[0]
        assert isinstance(keys, FixedColumn)
        #: The key of each entry, as its row in the call's keys.
        self.keys: list[int] = keys.values.tolist()
        if keys.null_count or any(a > b for a, b in zip(self.keys, self.keys[1:])):
            raise Error.permanent("the host's entries are not ordered by their keys")
        second = 1 + len(table.second)
        #: The second keys, a row for each entry; without columns but in a mapping.
        self.second = Batch(table.second, entries.columns[1:second], entries.num_rows)
        #: The values, a row for each entry.
        self.values = Batch(table.columns_of_value, entries.columns[second:], entries.num_rows)

    def __len__(self) -> int:
        return len(self.keys)

    def range(self, key: int) -> range:
        """Where the entries of the key are."""
        return range(bisect_left(self.keys, key), bisect_left(self.keys, key + 1))

    def row(self, key: int) -> int | None:
        """Where the first entry of the key is, if it has one."""
        found = self.range(key)
        return found.start if found else None


class State:
    """Tables and timers of the keys of one call. A key is named by its row in the call's keys."""

    def __init__(self, tables: Sequence[Table], store: Store) -> None:
        self._tables = {table.name: table for table in tables}
        self._store = store

    def open(self, name: str) -> OpenTable:
        """A table that the plugin declared."""
        if name not in self._tables:
            raise Error.permanent(f"the plugin did not declare a table `{name}`")
        return OpenTable(self._tables[name], self._store)

    def set_timers(self, clock: Clock, timers: Sequence[Timer]) -> None:
        """Sets timers; one that the clock has reached already is an error. One that is set already stays one."""
        if timers:
            self._store.set_timers(clock, timers)

    def clear_timers(self, clock: Clock, timers: Sequence[Timer]) -> None:
        """Takes timers back. Those that are not set are passed over."""
        if timers:
            self._store.clear_timers(clock, timers)

    def clear_all_timers(self, clock: Clock, keys: Sequence[int]) -> None:
        """Takes all timers of these keys back."""
        if keys:
            self._store.clear_all_timers(clock, keys)


class OpenTable:
    """A table, for the keys of one call. Each method crosses to the host once, for however many entries, and not at all for none."""

    def __init__(self, table: Table, store: Store) -> None:
        self.table = table
        self._store = store

    def get(self, keys: Sequence[int] | None = None) -> Entries:
        """The entries of these keys, of all if none are named; ordered by key, in whichever order the keys are named."""
        if keys is None:
            return self._entries(self._told(lambda: self._store.get(self.table.name, None)))
        sorted_keys = sorted(set(keys))
        if not sorted_keys:
            return self._entries(b"")
        return self._entries(self._told(lambda: self._store.get(self.table.name, sorted_keys)))

    def find(self, keys: Sequence[int], second: Batch) -> Entries:
        """Of a mapping: those entries that are there of these, which are a key each and a row of the second key's columns."""
        places = self._places()
        if not keys:
            return self._entries(b"")
        of = self._encoded(keys, second, places)
        return self._entries(self._told(lambda: self._store.find(self.table.name, of)))

    def put(self, keys: Sequence[int], columns: Batch) -> None:
        """Inserts or overwrites: a key each, and a row of the second key's columns and the value's.

        What a sequence has of a key is all its rows from now on.
        """
        self._write(keys, columns, self._store.put)

    def append(self, keys: Sequence[int], columns: Batch) -> None:
        """Of a sequence: adds values at the end, a key each and a row of the value's columns."""
        if self.table.kind != "sequence":
            raise self._wrong("is no sequence, so nothing is appended to it")
        self._write(keys, columns, self._store.append)

    def remove(self, keys: Sequence[int]) -> None:
        """Removes all entries of these keys."""
        if keys:
            self._told(lambda: self._store.remove(self.table.name, keys))

    def remove_found(self, keys: Sequence[int], second: Batch) -> None:
        """Of a mapping: removes entries, named as for :meth:`find`."""
        places = self._places()
        if keys:
            of = self._encoded(keys, second, places)
            self._told(lambda: self._store.remove_found(self.table.name, of))

    def _write(self, keys: Sequence[int], columns: Batch, write: Callable[[str, bytes], None]) -> None:
        if keys or columns.num_rows:
            entries = self._encoded(keys, columns, self.table.entry)
            self._told(lambda: write(self.table.name, entries))

    def _encoded(self, keys: Sequence[int], columns: Batch, schema: Schema) -> bytes:
        """Entries of these keys, once their columns are those of the table."""
        wanted = schema.fields[1:]
        fits = len(wanted) == len(columns.columns) and all(
            alike(field.type, column.type) for field, column in zip(wanted, columns.columns)
        )
        if not fits:
            raise self._wrong(f"takes {Schema(wanted)}, and is given {columns.schema}")
        if len(keys) != columns.num_rows:
            raise self._wrong(f"is given {len(keys)} keys for {columns.num_rows} rows")
        key = FixedColumn(UINT, array("I", keys).tobytes(), len(keys))
        return encode(Batch(schema, [key, *columns.columns], len(keys)))

    def _places(self) -> Schema:
        if self.table.kind != "mapping":
            raise self._wrong("is no mapping, so nothing is found in it by a second key")
        return self.table.place

    def _entries(self, messages: bytes) -> Entries:
        return self._told(lambda: Entries(self.table, decode_one(messages, self.table.entry)))

    def _told(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except Error as error:
            raise error.context(f"table `{self.table.name}`") from None

    def _wrong(self, why: str) -> Error:
        return Error.permanent(f"table `{self.table.name}` {why}")
