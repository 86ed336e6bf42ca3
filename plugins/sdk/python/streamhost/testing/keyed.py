"""Epochs of a plugin that keeps state for each key, with state in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..batch import Batch
from ..errors import Error
from ..ipc import encode, encode_schema
from ..keyed import Clock, Keyed, Timer
from ..keyed.rowwise import KeyedFunction
from ..outcome import Outcome
from ..plugin import Plugin
from ..schema import Schema
from .memory import Memory, Tuple, batch_of, order, tuples
from .rows import decoded, moment, read, write
from .stateless import TEST, Answer, shown


def bind_keyed(plugin: KeyedFunction | Keyed | type[Keyed], config: str, schema: str, keys: list[str]) -> Job:
    """Binds a plugin that keeps state to a configuration as JSON, or none, an input schema as DDL, and the columns of the key."""
    made: Any = plugin if isinstance(plugin, (Plugin, Keyed)) else plugin()
    return Job(made, config, Schema.parse(schema), keys)


@dataclass
class _Call:
    """Keys and rows of one call, and which rows of the epoch they are."""

    keys: list[Tuple]
    starts: list[int]
    rows: list[int]
    more: bool = False


class Job:
    """A plugin that keeps state, with its configuration, columns and keys, between two epochs."""

    def __init__(self, plugin: Any, config: str, input: Schema, keys: list[str]) -> None:
        self.plugin = plugin.bind(config, input, keys)
        self.input = input
        self.memory = Memory(self.plugin.tables, self.plugin.input.keys)
        self._batch = 8192
        #: What the plugin is told of the next epoch.
        self.context = replace(TEST)

    def watermark(self, at: str) -> Job:
        """The watermark from the next epoch on: ``2025-03-01T12:00:00Z``. Rows are not dropped for it; leave late ones out."""
        to = moment(at)
        if self.context.watermark is not None and to < self.context.watermark:
            raise Error.invalid("a watermark does not fall")
        self.context = replace(self.context, watermark=to)
        return self

    def now(self, at: str) -> Job:
        """The time of the next epoch, and of those after it."""
        self.context = replace(self.context, now=moment(at))
        return self

    def batch_rows(self, rows: int) -> Job:
        """How many rows a call has at most; 8,192 unless it is given. A key with more comes in several calls."""
        self._batch = max(rows, 1)
        return self

    def epoch(self, rows: str = "") -> Answer:
        """Runs an epoch of these rows, a JSON object a line, as the host does.

        Keys in their order, then the timers of the event-time clock, then those of the other. If it raises, nothing has changed.
        """
        batch = read(rows, self.input)
        before = self.memory.copy()
        self.memory.begin(self.context)
        try:
            answer = self._run(batch)
        except Exception:
            self.memory.restore(before)
            raise
        self.context = replace(self.context, epoch=self.context.epoch + 1)
        return answer

    def state(self, table: str) -> list[dict[str, Any]]:
        """What a table has: the columns of the key, then of an entry. An entry a row, ordered by key."""
        of = self.memory.tables[table]
        rows = [
            (*key, *one.second, *one.value)
            for key, entries in sorted(self.memory.entries[table].items(), key=lambda item: order(item[0]))
            for one in entries
        ]
        return write(batch_of(Schema([*self.plugin.input.keys, *of.columns]), rows))

    def timers(self, clock: Clock) -> list[dict[str, Any]]:
        """The timers that are set, by their time: the columns of the key, and ``at`` in microseconds."""
        due = sorted(self.memory.timers[clock], key=lambda timer: (timer[0], order(timer[1])))
        keys = write(batch_of(self.plugin.input.keys, [key for _, key in due]))
        return [{**key, "at": at} for key, (at, _) in zip(keys, due)]

    def migrate(self, table: str, version: int, before: str, entries: str) -> list[dict[str, Any]]:
        """Brings entries of an older version into the columns of now: ``before`` has their columns as DDL."""
        schema = Schema.parse(before)
        messages = self.plugin.migrate(table, version, encode_schema(schema), encode(read(entries, schema)))
        return decoded(messages, self.memory.tables[table].columns)

    def _run(self, batch: Batch) -> Answer:
        answer = Answer()
        keys = tuples(batch.select(self.plugin.input.keys.names))
        columns = batch.select(self.plugin.input.rows.names)
        bad: list[tuple[int, str]] = []
        for call in _calls(keys, self._batch):
            self.memory.call = call.keys
            sent = encode(batch_of(self.plugin.input.keys, call.keys))
            rows = encode(columns.take(call.rows))
            outcome = self.plugin.process(self.context, sent, call.starts, rows, call.more, self.memory)
            self._take(answer, outcome)
            bad += [(call.rows[one[0]], shown(one, f"row {call.rows[one[0]]}")) for one in outcome.errors]
        answer.errors = [text for _, text in sorted(bad)]
        fired = 0
        for clock in Clock:
            fired = self._fire(answer, clock, fired)
        return answer

    def _fire(self, answer: Answer, clock: Clock, fired: int) -> int:
        due = self.memory.due(clock)
        for start in range(0, len(due), self._batch):
            part = due[start : start + self._batch]
            self.memory.call = sorted({key for _, key in part}, key=order)
            timers = [Timer(self.memory.call.index(key), at) for at, key in part]
            keys = encode(batch_of(self.plugin.input.keys, self.memory.call))
            outcome = self.plugin.fired(self.context, clock, keys, timers, self.memory)
            self._take(answer, outcome)
            answer.errors += [shown(one, f"timer {fired + one[0]}") for one in outcome.errors]
            fired += len(part)
        return fired

    def _take(self, answer: Answer, outcome: Outcome) -> None:
        answer.rows += decoded(outcome.main, self.plugin.output)
        for name, messages in outcome.side.items():
            rows = decoded(messages, self.plugin.side[name])
            if rows:
                answer.side.setdefault(name, []).extend(rows)


def _calls(keys: list[Tuple], most: int) -> list[_Call]:
    """Rows sorted by their keys, as calls of so many rows at most. A key with more is alone in its calls."""
    groups: dict[Tuple, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    calls: list[_Call] = []
    open_call = _Call([], [], [])
    for key in sorted(groups, key=order):
        rows = groups[key]
        if open_call.rows and len(open_call.rows) + len(rows) > most:
            calls.append(open_call)
            open_call = _Call([], [], [])
        if len(rows) > most:
            parts = [rows[i : i + most] for i in range(0, len(rows), most)]
            calls += [_Call([key], [0], part, more=i + 1 < len(parts)) for i, part in enumerate(parts)]
            continue
        open_call.keys.append(key)
        open_call.starts.append(len(open_call.rows))
        open_call.rows += rows
    return [*calls, open_call] if open_call.rows else calls
