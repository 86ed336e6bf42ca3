"""Plugins that store epochs, and what they are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from .config import parse as parse_config
from .batch import Batch
from .context import Context
from .errors import Error
from .ipc import decode, encode, encode_schema
from .outcome import Binding
from .plugin import Plugin, Reads, reads_of
from .rows import shape
from .schema import Schema

#: Outputs by name: the dataclass of their rows, or their columns; or a function of configuration and input schema that gives that.
Written = Mapping[str, Any] | Callable[..., Mapping[str, Any]]


class Places(Protocol):
    """Where the outputs are: with the host, or in a test."""

    def next_rows(self) -> bytes | None:
        """The next messages of the epoch's rows."""

    def write(self, output: str, rows: bytes) -> None:
        """Adds rows to an output."""

    def execute(self, output: str, statement: str, schema: bytes, parameters: bytes) -> int:
        """Runs a statement on an output."""


class EpochRows:
    """The rows of an epoch, batch by batch; those of one partition in their order.

    The next batch is only fetched when it is asked for, so an epoch may be larger than the plugin's memory.
    """

    def __init__(self, schema: Schema, places: Places) -> None:
        #: The columns of every batch.
        self.schema = schema
        self._places = places

    def __iter__(self) -> Iterator[Batch]:
        while (messages := self._places.next_rows()) is not None:
            yield from decode(messages, self.schema)

    def of(self, kind: type[Any]) -> Iterator[Any]:
        """The rows as instances of a dataclass. One that cannot be read is an :class:`Error`."""
        for batch in self:
            for row in shape(kind).read(batch):
                if isinstance(row, Error):
                    raise row
                yield row


class Outputs:
    """The places that the plugin writes to. Each stores what one epoch wrote to it exactly once, if its sink does.

    What fails here fails the epoch.
    """

    def __init__(self, declared: Mapping[str, Schema], places: Places) -> None:
        self._declared = declared
        self._places = places

    def write(self, output: str, rows: Batch) -> None:
        """Adds rows to an output. Their columns are those that the plugin named for it, in that order."""
        declared = self._schema(output)
        if not declared.alike(rows.schema):
            raise Error.permanent(f"output `{output}` takes {declared}, and is given {rows.schema}")
        if rows.num_rows:
            self._places.write(output, encode(rows))

    def write_rows(self, output: str, rows: Iterable[Any]) -> None:
        """Adds rows that are instances of one dataclass."""
        items = list(rows)
        if not items:
            self._schema(output)
            return
        batch, faults = shape(type(items[0])).written(items)
        for _, fault in sorted(faults.items()):
            raise fault.context(f"output `{output}`")
        self.write(output, batch)

    def execute(self, output: str, statement: str, parameters: Batch) -> int:
        """Runs a statement on an SQL output, once for each row of ``parameters``: ``$1`` stands for its first column.

        It belongs to the same transaction as everything else of the epoch. Answers how many rows it changed; 0 on a replay, if the
        output has the epoch already.
        """
        self._schema(output)
        if not parameters.num_rows:
            return 0
        schema = encode_schema(parameters.schema.nullable())
        return self._places.execute(output, statement, schema, encode(parameters))

    def _schema(self, output: str) -> Schema:
        if output not in self._declared:
            raise Error.permanent(f"the plugin did not say that it writes to an output `{output}`")
        return self._declared[output]


class BatchSink(Plugin):
    """A plugin that stores epochs."""

    role = "batch-sink"

    def __init__(self, function: Callable[..., Any], outputs: Written, reads: Reads, about: dict[str, Any]) -> None:
        super().__init__(function, about)
        self.outputs = outputs
        self.reads = reads

    def bind(self, config: str, input: Schema) -> BoundSink:
        """Agrees on columns and outputs."""
        read = parse_config(self.config, config)
        reads = reads_of(self.reads, read)
        projected = input.project(reads)
        given = self._outputs(read, projected)
        declared = {name: columns(of).nullable() for name, of in given.items()}
        return BoundSink(self, read, projected, declared, reads is not None)

    def _outputs(self, config: Any, input: Schema) -> Mapping[str, Any]:
        if not callable(self.outputs):
            return self.outputs
        return self.outputs(config, input)


class BoundSink:
    """A plugin that has agreed on columns."""

    def __init__(
        self, plugin: BatchSink, config: Any, input: Schema, outputs: dict[str, Schema], projected: bool
    ) -> None:
        self.plugin = plugin
        self.config = config
        self.input = input
        self.outputs = outputs
        self.binding = Binding(input.names if projected else None, "nothing", Schema(), outputs)

    def process(self, cx: Context, places: Places) -> None:
        """Stores an epoch."""
        made = self.plugin.signature
        given = {EpochRows: EpochRows(self.input, places), Outputs: Outputs(self.outputs, places)}
        roles = {"config": self.config, "cx": cx}
        arguments = [given.get(made.hints[name], roles.get(str(made.roles[name]))) for name in made.names]
        made.function(*arguments)


def columns(of: Any) -> Schema:
    """The columns of an output's rows: a schema, DDL, or a dataclass."""
    if isinstance(of, Schema):
        return of
    if isinstance(of, str):
        return Schema.parse(of)
    if dataclasses.is_dataclass(of):
        return shape(of).schema  # type: ignore[arg-type]
    raise TypeError(f"an output's rows are a dataclass, a Schema or DDL, not {of!r}")
