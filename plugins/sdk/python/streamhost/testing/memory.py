"""The host's state, in memory: for the keys of one call at a time."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..batch import Batch
from ..columns import column
from ..context import Context
from ..errors import Error
from ..ipc import decode_one, encode
from ..keyed import Clock, Table, Timer
from ..schema import Schema
from ..values import Timestamp

Tuple = tuple[Any, ...]


@dataclass
class Entry:
    """A row of a table without its key."""

    second: Tuple
    value: Tuple
    put: int


def order(values: Tuple) -> Tuple:
    """What sorts as the host sorts: nulls first."""
    return tuple((value is not None, value) for value in values)


def tuples(batch: Batch) -> list[Tuple]:
    """The rows as tuples."""
    return list(zip(*[one.to_pylist() for one in batch.columns])) if batch.columns else [()] * batch.num_rows


def batch_of(schema: Schema, rows: Sequence[Tuple]) -> Batch:
    """A batch of tuples."""
    lists: Any = list(zip(*rows)) if rows else [()] * len(schema)
    return Batch(schema, [column(field.type, values) for field, values in zip(schema, lists)], len(rows))


def _refuse(table: Table, count: int) -> None:
    """Tables that cannot be."""
    name = table.name
    if not re.fullmatch("[A-Za-z0-9_-]{1,64}", name):
        raise Error.invalid(f"table `{name}`: a name has 1 to 64 letters, digits, `-` and `_`")
    if count > 1:
        raise Error.invalid(f"it has two tables `{name}`")
    if not len(table.columns_of_value):
        raise Error.invalid(f"its table `{name}` has values of no columns")
    if table.kind == "mapping" and not len(table.second):
        raise Error.invalid(f"its table `{name}` has a second key of no columns")
    if table.ttl is not None and table.ttl.total_seconds() < 0.001:
        raise Error.invalid(f"its table `{name}` lets values go after no time")


class Memory:
    """Tables and timers of all keys."""

    def __init__(self, tables: list[Table], keys: Schema) -> None:
        for table in tables:
            _refuse(table, [one.name for one in tables].count(table.name))
        self.keys = keys
        self.tables = {table.name: table for table in tables}
        self.entries: dict[str, dict[Tuple, list[Entry]]] = {table.name: {} for table in tables}
        self.timers: dict[Clock, set[tuple[int, Tuple]]] = {clock: set() for clock in Clock}
        self.reached: dict[Clock, int | None] = dict.fromkeys(Clock)
        #: The keys of the call.
        self.call: list[Tuple] = []
        self.now = 0

    def begin(self, cx: Context) -> None:
        """Begins with an epoch: what is too old goes."""
        self.now = int(cx.now)
        self.reached = {Clock.EVENT_TIME: cx.watermark, Clock.PROCESSING_TIME: cx.now}
        for name, table in self.tables.items():
            if table.ttl is not None:
                ttl = int(table.ttl.total_seconds() * 1_000_000)
                kept = {key: [one for one in of if self.now - one.put < ttl] for key, of in self.entries[name].items()}
                self.entries[name] = {key: of for key, of in kept.items() if of}

    def copy(self) -> tuple[Any, Any]:
        """What is there now, to come back to."""
        return copy.deepcopy(self.entries), {clock: set(of) for clock, of in self.timers.items()}

    def restore(self, before: tuple[Any, Any]) -> None:
        """Comes back to what was there."""
        self.entries, self.timers = before

    def due(self, clock: Clock) -> list[tuple[int, Tuple]]:
        """Takes the timers that a clock has reached, by their time, then by their key."""
        reached = self.reached[clock]
        due = [timer for timer in self.timers[clock] if reached is not None and timer[0] <= reached]
        self.timers[clock] -= set(due)
        return sorted(due, key=lambda timer: (timer[0], order(timer[1])))

    # What a plugin does.

    def get(self, table: str, keys: Sequence[int] | None) -> bytes:
        rows = range(len(self.call)) if keys is None else sorted(set(keys))
        return self._send(table, [(row, one) for row in rows for one in self._of(table, self._key(row))])

    def find(self, table: str, of: bytes) -> bytes:
        found = []
        for row, key, second in self._read(table, of, self._table(table).place):
            found += [(row, one) for one in self._of(table, key) if one.second == second]
        return self._send(table, sorted(found, key=lambda one: one[0]))

    def put(self, table: str, entries: bytes) -> None:
        sequence = self._table(table).kind == "sequence"
        read = self._read(table, entries, self._table(table).entry)
        for _, key, _ in read if sequence else []:
            self.entries[table][key] = []
        for _, key, values in read:
            self._put(table, key, values, sequence)

    def append(self, table: str, entries: bytes) -> None:
        for _, key, values in self._read(table, entries, self._table(table).entry):
            self._put(table, key, values, True)

    def _put(self, table: str, key: Tuple, values: Tuple, add: bool) -> None:
        count = len(self._table(table).second)
        second, value = values[:count], values[count:]
        before = [one for one in self.entries[table].get(key, []) if add or one.second != second]
        self.entries[table][key] = [*before, Entry(second, value, self.now)]

    def remove(self, table: str, keys: Sequence[int]) -> None:
        for key in [self._key(row) for row in keys]:
            self.entries[table].pop(key, None)

    def remove_found(self, table: str, of: bytes) -> None:
        for _, key, second in self._read(table, of, self._table(table).place):
            left = [one for one in self.entries[table].get(key, []) if one.second != second]
            self.entries[table][key] = left

    def set_timers(self, clock: Clock, timers: Sequence[Timer]) -> None:
        reached = self.reached[clock]
        for timer in timers:
            if reached is not None and timer.at <= reached:
                name = "the watermark" if clock is Clock.EVENT_TIME else "the time of the epoch"
                at, until = Timestamp(timer.at), Timestamp(reached)
                raise Error.invalid(f"it sets a timer at {at}, which {name}, {until}, has reached")
        self.timers[clock] |= self._timers(timers)

    def clear_timers(self, clock: Clock, timers: Sequence[Timer]) -> None:
        self.timers[clock] -= self._timers(timers)

    def clear_all_timers(self, clock: Clock, keys: Sequence[int]) -> None:
        gone = {self._key(row) for row in keys}
        self.timers[clock] = {timer for timer in self.timers[clock] if timer[1] not in gone}

    def _timers(self, timers: Sequence[Timer]) -> set[tuple[int, Tuple]]:
        return {(timer.at, self._key(timer.key)) for timer in timers}

    def _table(self, name: str) -> Table:
        if name not in self.tables:
            raise Error.invalid(f"it opens a table `{name}`, which it did not declare")
        return self.tables[name]

    def _key(self, row: int) -> Tuple:
        if not 0 <= row < len(self.call):
            raise Error.invalid(f"it names key {row}, and the call has {len(self.call)} keys")
        return self.call[row]

    def _of(self, table: str, key: Tuple) -> list[Entry]:
        entries = self.entries[self._table(table).name].get(key, [])
        by_second: Callable[[Entry], Tuple] = lambda one: order(one.second)  # noqa: E731
        return sorted(entries, key=by_second) if self.tables[table].kind == "mapping" else entries

    def _read(self, table: str, messages: bytes, schema: Schema) -> list[tuple[int, Tuple, Tuple]]:
        """Entries, or their places, each with its key. All are looked at before any is used."""
        rows = tuples(decode_one(messages, schema))
        return [(row[0], self._key(row[0]), row[1:]) for row in rows]

    def _send(self, table: str, entries: list[tuple[int, Entry]]) -> bytes:
        """Entries as the host sends them."""
        rows = [(row, *one.second, *one.value) for row, one in entries]
        return encode(batch_of(self._table(table).entry, rows))
