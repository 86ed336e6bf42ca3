"""An epoch of a plugin that stores epochs, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ..ipc import decode_schema, encode
from ..schema import Schema
from ..sink import BatchSink
from .rows import decoded, read
from .stateless import TEST


@dataclass
class Executed:
    """A statement that a plugin ran, and the rows that it was run for."""

    output: str
    statement: str
    parameters: list[dict[str, Any]]


@dataclass
class Stored:
    """What an epoch has stored: rows as JSON objects without their nulls."""

    #: The outputs that got rows.
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    #: The statements that were run, in their order.
    statements: list[Executed] = field(default_factory=list)


def bind_sink(plugin: BatchSink, config: str, schema: str) -> Bound:
    """Binds a plugin that stores epochs to a configuration as JSON, or none, and an input schema as DDL."""
    return Bound(plugin, config, Schema.parse(schema))


class Bound:
    """A plugin with its configuration and input schema."""

    def __init__(self, plugin: BatchSink, config: str, input: Schema) -> None:
        self.sink = plugin.bind(config, input)
        self.input = input
        #: What the plugin is told of the epoch.
        self.context = replace(TEST)

    def run(self, rows: str) -> Stored:
        """Stores an epoch of these rows, a JSON object a line, which come in one batch."""
        return self.run_batches([rows])

    def run_batches(self, batches: Iterable[str]) -> Stored:
        """Stores an epoch of these batches."""
        messages = [encode(read(rows, self.input).select(self.sink.input.names)) for rows in batches]
        recorder = _Recorder(messages)
        self.sink.process(self.context, recorder)
        written = {
            name: [row for output, rows in recorder.written if output == name for row in decoded(rows, schema)]
            for name, schema in self.sink.outputs.items()
        }
        return Stored({name: rows for name, rows in written.items() if rows}, recorder.executed)


class _Recorder:
    """Keeps what is written."""

    def __init__(self, messages: list[bytes]) -> None:
        self.messages = messages
        self.written: list[tuple[str, bytes]] = []
        self.executed: list[Executed] = []

    def next_rows(self) -> bytes | None:
        return self.messages.pop(0) if self.messages else None

    def write(self, output: str, rows: bytes) -> None:
        self.written.append((output, rows))

    def execute(self, output: str, statement: str, schema: bytes, parameters: bytes) -> int:
        """As if each row of the parameters changed one row."""
        rows = decoded(parameters, decode_schema(schema))
        self.executed.append(Executed(output, statement, rows))
        return len(rows)
