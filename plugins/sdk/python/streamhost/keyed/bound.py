"""A plugin that keeps state, and how it agrees on columns and is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..config import parse as parse_config
from ..batch import Batch, concat
from ..context import Context
from ..errors import Error, RowErrors
from ..ipc import decode, decode_one, decode_schema, encode
from ..manifest import Manifest
from ..manifest import of as manifest_of
from ..outcome import Binding, Outcome, row_errors
from ..rows import shape
from ..schema import Schema
from .calls import Clock, FiredTimers, Groups, Input, Timer
from .state import State, Store
from .tables import Table


@dataclass
class Plan:
    """What a plugin agrees on before the first row."""

    #: The columns of the rows that leave.
    output: Schema
    #: What is kept for each key.
    tables: list[Table] = field(default_factory=list)
    #: Side outputs, by name.
    side: dict[str, Schema] = field(default_factory=dict)


@dataclass
class Output:
    """What leaves a call: rows, and rows for side outputs by name."""

    main: Batch | None = None
    side: dict[str, Batch] = field(default_factory=dict)


class Before:
    """Entries that an older version of the plugin stored: the second key's columns, if it is a mapping, then the value's, under
    their names of then."""

    def __init__(self, table: str, version: int, entries: Batch) -> None:
        self.table = table
        #: The version of their columns.
        self.version = version
        #: A row for each entry.
        self.entries = entries

    def each(self, old: type[Any], renewed: Callable[[Any], Any]) -> Batch:
        """Makes each entry, an instance of ``old``, one of now: instances of one dataclass with the columns of now."""
        rows = []
        for row in shape(old).read(self.entries):
            if isinstance(row, Error):
                raise row
            rows.append(renewed(row))
        if not rows:
            return Batch.empty(Schema())
        batch, faults = shape(type(rows[0])).written(rows)
        for fault in faults.values():
            raise fault
        return batch

    def unknown(self) -> Error:
        """That the plugin does not know this version."""
        return Error.invalid(
            f"table `{self.table}` is stored in version {self.version}, which the plugin does not know how to migrate"
        )


class Keyed:
    """A plugin that keeps state for each key and works on all keys of a call at once. Make a subclass; the module exports it.

    The host calls ``plan`` when the plugin is bound, ``process`` for the keys of an epoch, in the order of the keys, and after the
    last of them ``fired`` for the timers that are due. What a call changed is kept if it succeeds, and gone if it raises; a call that
    fails is tried again with fewer keys. So nothing may outlive a call but what is in a table.
    """

    role = "keyed"
    #: The class of its configuration, if it has one.
    config: type[Any] | None = None
    name: str | None = None
    version: str | None = None
    summary: str | None = None
    deterministic: bool = True
    asks: tuple[str, ...] = ()

    def reads(self, config: Any) -> Iterable[str] | None:
        """The input's columns it reads, all if none. The host sends no other; keys come by themselves."""
        return None

    def plan(self, config: Any, input: Input) -> Plan:
        """What leaves it and what it keeps, for these columns."""
        raise NotImplementedError

    def process(self, config: Any, cx: Context, groups: Groups, state: State, errors: RowErrors) -> Batch | Output | None:
        """Processes the rows of some keys."""
        raise NotImplementedError

    def fired(self, config: Any, cx: Context, fired: FiredTimers, state: State, errors: RowErrors) -> Batch | Output | None:
        """Processes timers that are due; rows in error are numbered as the timers are."""
        return None

    def migrate(self, config: Any, before: Before) -> Batch:
        """Brings entries of an older version of a table into the columns of now."""
        raise before.unknown()

    @property
    def manifest(self) -> Manifest:
        """What it says of itself."""
        names = ("name", "version", "summary", "deterministic", "asks")
        return manifest_of(type(self), {name: getattr(self, name) for name in names})

    @classmethod
    def __streamhost_plugin__(cls) -> Keyed:
        return cls()

    def bind(self, config: str, input: Schema, keys: list[str]) -> BoundKeyed:
        """Agrees on columns and tables."""
        if not keys:
            name = self.manifest.name
            raise Error.invalid(
                f'`{name}` keeps state for each key: name the key\'s columns, as in keys = ["user_id"]'
            )
        read = parse_config(self.config, config)
        reads = self.reads(read)
        rows = input.project(None if reads is None else list(reads))
        columns = Input(Schema(input.field(key) for key in keys), rows)
        return BoundKeyed(self, read, columns, self.plan(read, columns), reads is not None)


class BoundKeyed:
    """A plugin that has agreed on columns and tables."""

    def __init__(self, plugin: Keyed, config: Any, input: Input, plan: Plan, projected: bool) -> None:
        self.plugin = plugin
        self.config = config
        self.input = input
        self.tables = plan.tables
        self.output = plan.output.nullable()
        self.side = {name: schema.nullable() for name, schema in plan.side.items()}
        self.binding = Binding(input.rows.names if projected else None, "rows", self.output, self.side)
        self._nothing = encode(Batch.empty(self.output))

    def process(self, cx: Context, keys: bytes, starts: list[int], rows: bytes, more: bool, store: Store) -> Outcome:
        """Processes the rows of some keys."""
        groups = Groups(decode_one(keys, self.input.keys), starts, decode_one(rows, self.input.rows), more)
        errors = RowErrors()
        given = self.plugin.process(self.config, cx, groups, State(self.tables, store), errors)
        return self._outcome(given, errors, groups.rows.num_rows)

    def fired(self, cx: Context, clock: Clock, keys: bytes, timers: list[Timer], store: Store) -> Outcome:
        """Processes timers that are due."""
        fired = FiredTimers(clock, decode_one(keys, self.input.keys), timers)
        errors = RowErrors()
        given = self.plugin.fired(self.config, cx, fired, State(self.tables, store), errors)
        return self._outcome(given, errors, len(timers))

    def migrate(self, table: str, version: int, before: bytes, messages: bytes) -> bytes:
        """Brings entries of an older version into the columns of now."""
        named = next((one for one in self.tables if one.name == table), None)
        if named is None:
            raise Error.invalid(f"a table `{table}` is stored, and the plugin has none of that name")
        columns = decode_schema(before)
        entries = concat(columns, decode(messages, columns))
        if not entries.num_rows:
            return b""
        renewed = self.plugin.migrate(self.config, Before(table, version, entries))
        if renewed.num_rows != entries.num_rows:
            raise Error.permanent(
                f"table `{table}`: {entries.num_rows} entries are to be migrated, and there are {renewed.num_rows} rows of them"
            )
        return _encoded(f"table `{table}`", renewed, named.columns)

    def _outcome(self, given: Batch | Output | None, errors: RowErrors, rows: int) -> Outcome:
        output = given if isinstance(given, Output) else Output(given)
        wrong = next((row for row in errors.rows() if not 0 <= row < rows), None)
        if wrong is not None:
            raise Error.permanent(f"row {wrong} is said to be in error, of {rows} rows")
        outcome = Outcome(main=self._nothing, errors=row_errors(errors))
        if output.main is not None:
            outcome.main = _encoded("the output", output.main, self.output)
        for name, batch in output.side.items():
            if name not in self.side:
                raise Error.permanent(f"the plugin did not say that it has a side output `{name}`")
            outcome.side[name] = _encoded(f"side output `{name}`", batch, self.side[name])
        return outcome


def _encoded(what: str, rows: Batch, columns: Schema) -> bytes:
    """The message of a batch, which has to have these columns."""
    if not columns.alike(rows.schema):
        raise Error.permanent(f"{what} has the columns {columns}, and is given {rows.schema}")
    return encode(rows)
