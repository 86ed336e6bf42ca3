"""What a table has of the keys of a call: read in one crossing, and written in one, of which only what was changed is."""

from __future__ import annotations

import struct
from typing import Any, Generic, TypeVar

from ..batch import Batch
from ..errors import Error
from ..rows import Shape
from ..schema import Schema
from .state import Entries, OpenTable
from .tables import Table

S = TypeVar("S")
Tuple = tuple[Any, ...]


class Value(Generic[S]):
    """What a table of one value has of the key: ``value`` is ``None`` if there is none. Setting it to ``None`` removes it."""

    __slots__ = ("value",)

    def __init__(self, value: S | None = None) -> None:
        self.value = value


class Held:
    """One table, key after key."""

    def __init__(self, table: Table, second: Shape | None, value: Shape) -> None:
        self.table = table
        self.second = second
        self.value = value

    def open(self, entries: Entries) -> None:
        """Begins with a call."""
        self.entries = entries
        self.values = self.value.tuples(entries.values)
        self.seconds = self.second.tuples(entries.second) if self.second else []
        #: What was kept of keys in this call.
        self.kept: dict[int, list[tuple[Tuple, Tuple]]] = {}

    def begin(self, key: int) -> Any:
        """What the function gets for a key."""
        stored = self.kept[key] if key in self.kept else self.stored(key)
        values = [_made(self.value, value) for _, value in stored]
        if self.table.kind == "value":
            self.given: Any = Value(values[0] if values else None)
        elif self.table.kind == "sequence":
            self.given = values
        else:
            assert self.second is not None
            self.given = dict(zip([_made(self.second, second) for second, _ in stored], values))
        return self.given

    def stored(self, key: int) -> list[tuple[Tuple, Tuple]]:
        """The entries of a key before the call: the second key's values, if there is one, and the value's."""
        return [(self.seconds[at] if self.seconds else (), self.values[at]) for at in self.entries.range(key)]

    def noted(self) -> list[tuple[Tuple, Tuple]]:
        """What the function left, as entries. What no column takes fails the call when it is written."""
        given, of = self.given, self.value.check_row
        if self.table.kind == "value":
            return [] if given.value is None else [((), of(given.value))]
        if self.table.kind == "sequence":
            return [((), of(value)) for value in given]
        assert self.second is not None
        second = self.second.check_row
        return [(second(place), of(value)) for place, value in given.items()]

    def keep(self, key: int, entries: list[tuple[Tuple, Tuple]]) -> None:
        """Keeps entries of a key."""
        self.kept[key] = entries

    def write(self, table: OpenTable) -> None:
        """Writes what was changed."""
        changes = _Changes()
        for key, now in self.kept.items():
            before = self.stored(key)
            {"value": changes.value, "sequence": changes.sequence, "mapping": changes.mapping}[self.table.kind](
                key, [_exact(entry) for entry in before], [_exact(entry) for entry in now], now
            )
        if changes.put:
            table.put([key for key, _ in changes.put], self._batch([entry for _, entry in changes.put]))
        if changes.appended:
            table.append([key for key, _ in changes.appended], self._batch([entry for _, entry in changes.appended]))
        if changes.gone:
            self._remove_found(table, changes.gone)
        table.remove(changes.removed)

    def _batch(self, entries: list[tuple[Tuple, Tuple]]) -> Batch:
        values = self.value.of_tuples([value for _, value in entries])
        if self.second is None:
            return values
        second = self.second.of_tuples([of for of, _ in entries])
        return Batch(Schema([*second.schema, *values.schema]), [*second.columns, *values.columns], len(entries))

    def _remove_found(self, table: OpenTable, gone: list[tuple[int, Any]]) -> None:
        assert self.second is not None
        places = {(key, of) for key, of in gone}
        found = [(key, second) for key in {key for key, _ in gone} for second, _ in self.stored(key)]
        rows = [(key, second) for key, second in found if (key, _bits(second)) in places]
        table.remove_found([key for key, _ in rows], self.second.of_tuples([second for _, second in rows]))


class _Changes:
    """What is to be written so that keys have these entries, in the place of the stored ones."""

    def __init__(self) -> None:
        self.put: list[tuple[int, Any]] = []
        self.appended: list[tuple[int, Any]] = []
        self.gone: list[tuple[int, Any]] = []
        self.removed: list[int] = []

    def value(self, key: int, before: list[Any], now: list[Any], entries: list[Any]) -> None:
        if now and now != before:
            self.put.append((key, entries[0]))
        elif before and not now:
            self.removed.append(key)

    def sequence(self, key: int, before: list[Any], now: list[Any], entries: list[Any]) -> None:
        if now[: len(before)] == before:
            self.appended += [(key, entry) for entry in entries[len(before) :]]
        elif now:
            self.put += [(key, entry) for entry in entries]
        else:
            self.removed.append(key)

    def mapping(self, key: int, before: list[Any], now: list[Any], entries: list[Any]) -> None:
        if before and not now:
            self.removed.append(key)
            return
        known = dict(before)
        for (of, value), entry in zip(now, entries):
            if known.pop(of, None) != value:
                self.put.append((key, entry))
        self.gone += [(key, of) for of in known]


def _made(shape: Shape, values: Tuple) -> Any:
    row = shape.make(values)
    if isinstance(row, Error):
        raise row
    return row


def _exact(entry: tuple[Tuple, Tuple]) -> tuple[Tuple, Tuple]:
    return _bits(entry[0]), _bits(entry[1])


def _bits(values: Tuple) -> Tuple:
    """Values that are the same only to the bit: fractions as their bytes, so that zeros and NaNs differ as they do there."""
    return tuple(struct.pack("<d", value) if isinstance(value, float) else _hashable(value) for value in values)


def _hashable(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, _hashable(item)) for key, item in value.items())
    return value
