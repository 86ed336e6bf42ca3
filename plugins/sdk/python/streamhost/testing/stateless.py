"""A batch of a plugin without state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from .. import kernels
from ..context import Context
from ..ipc import encode
from ..outcome import Outcome, RowError
from ..schema import Schema
from ..stateless import Stateless
from .rows import decoded, read, same, write

TEST = Context(query="test")


@dataclass
class Answer:
    """What leaves the step: rows as JSON objects without their nulls."""

    #: The main output.
    rows: list[dict[str, Any]] = field(default_factory=list)
    #: The side outputs that got rows.
    side: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    #: ``row 2: why``, counted from 0; ``row 2 (retry): why`` if the row may pass later.
    errors: list[str] = field(default_factory=list)

    def expect(self, rows: str) -> None:
        """Compares the main output with rows, a JSON object a line; nulls may be left out of them."""
        same("the rows that left", self.rows, rows)


def bind(plugin: Stateless, config: str, schema: str) -> Bound:
    """Binds a plugin to a configuration as JSON, or none, and an input schema as DDL."""
    return Bound(plugin, config, Schema.parse(schema) if schema else Schema())


class Bound:
    """A plugin with its configuration and input schema."""

    def __init__(self, plugin: Stateless, config: str, input: Schema) -> None:
        self.instance = plugin.bind(config, input)
        self.input = input
        #: What the plugin is told of the epoch: ``bound.context = replace(bound.context, epoch=3)``.
        self.context = replace(TEST)

    def run(self, rows: str) -> Answer:
        """Processes rows, a JSON object a line, and does with the answer what the host does."""
        batch = read(rows, self.input)
        messages = encode(batch.select(self.instance.input.names))
        return self._answer(write(batch), self.instance.process(self.context, messages))

    def _answer(self, input: list[dict[str, Any]], outcome: Outcome) -> Answer:
        added = decoded(outcome.main, self.instance.output)
        rows = added
        if outcome.kind in ("keep", "keep-extend"):
            flags = kernels.unpack(outcome.keep, len(input))
            rows = [row for row, there in zip(input, flags) if there]
        if outcome.kind == "keep-extend":
            rows = _beside(rows, added)
        if outcome.kind == "extend":
            bad = {row for row, _, _ in outcome.errors}
            rows = [row for i, row in enumerate(_beside(input, added)) if i not in bad]
        side = {name: decoded(messages, self.instance.side[name]) for name, messages in outcome.side.items()}
        return Answer(rows, {name: given for name, given in side.items() if given}, [shown(one) for one in outcome.errors])


def _beside(rows: list[dict[str, Any]], added: list[dict[str, Any]]) -> list[dict[str, Any]]:
    assert len(rows) == len(added), f"{len(added)} rows of new columns for {len(rows)} rows"
    return [{**row, **more} for row, more in zip(rows, added)]


def shown(error: RowError, which: str | None = None) -> str:
    """A row in error as a case writes it."""
    row, retry, message = error
    return f"{which or f'row {row}'}{' (retry)' if retry else ''}: {message}"
