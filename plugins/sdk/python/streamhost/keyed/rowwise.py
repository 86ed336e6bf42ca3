"""``@streamhost.keyed``: a plugin that keeps state for each key, from a function over dataclasses."""

from __future__ import annotations

import typing
from array import array
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from .. import interval
from ..batch import Batch
from ..config import is_config
from ..context import Context
from ..errors import Error, RowErrors, told
from ..plugin import Plugin, Reads, reads_of
from ..rows import Shape, is_row, shape
from ..schema import Field, Schema
from ..signature import Signature, signature
from ..stateless import as_list, out_row
from ..values import Timestamp
from .bound import Before, BoundKeyed, Keyed, Plan
from .calls import FiredTimers, Groups, Input
from .group import Fired, Group
from .held import Held, Value
from .state import State
from .tables import Table
from .timers import Timers


class KeyedFunction(Plugin):
    """A function that is called for each key. It can be called as the function that it was made of."""

    role = "keyed"

    def __init__(
        self,
        function: Callable[..., Any],
        expired: Callable[..., Any] | None,
        ttl: Any,
        tables: dict[str, dict[str, Any]],
        migrate: Callable[..., Any] | None,
        reads: Reads,
        about: dict[str, Any],
    ) -> None:
        super().__init__(function, about)
        late = None if expired is None else signature(expired)
        if late is None and Timers in self.signature.hints.values():
            raise TypeError(f"{function.__name__}: say what a timer that fires calls: @streamhost.keyed(expired=function)")
        self.inner = _Rowwise(self, _Call(self.signature, Group), None if late is None else _Call(late, Fired), ttl, tables, migrate, reads)

    def bind(self, config: str, input: Schema, keys: list[str]) -> BoundKeyed:
        """Agrees on columns and tables."""
        return self.inner.bind(config, input, keys)


class _Call:
    """What the parameters of a function over a key's rows, or over a timer, are."""

    def __init__(self, made: Signature, subject: Any) -> None:
        self.made = made
        #: The dataclass of the key, if the function has one; of the rows; and of each table by its parameter.
        self.key: Any = None
        self.row: Any = None
        self.tables: dict[str, Any] = {}
        self.slots = [self._slot(name, made.hints[name], subject) for name in made.names]
        if not any(kind == "subject" for kind, _ in self.slots):
            wanted = "`Group[Row]`: the rows of a key" if subject is Group else "`Fired`: the timer"
            raise TypeError(f"{made.function.__name__}: expected a parameter {wanted}")
        self.out = shape(out_row(made))

    def _slot(self, name: str, hint: Any, subject: Any) -> tuple[str, str]:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if subject is Group and origin is Group:
            self.row = None if arguments[0] is type(None) else arguments[0]
            return "subject", name
        if hint is subject:
            return "subject", name
        if hint is Timers:
            return "timers", name
        if hint is Context:
            return "cx", name
        if is_config(hint):
            return "config", name
        if origin in (Value, list, dict):
            self.tables[name] = hint
            return "table", name
        if is_row(hint) and self.key is None:
            self.key = hint
            return "key", name
        raise TypeError(f"{self.made.function.__name__}: parameter `{name}` is none of what a keyed function takes")


def _table(name: str, hint: Any) -> Held:
    """The table that a parameter of this type is a key's part of."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    value = shape(arguments[-1])
    if origin is Value:
        return Held(Table.value(name, value.schema), None, value)
    if origin is list:
        return Held(Table.sequence(name, value.schema), None, value)
    second = shape(arguments[0])
    if not getattr(arguments[0], "__dataclass_params__").frozen:
        raise TypeError(f"{arguments[0].__name__} is a key of a dict: make it @dataclass(frozen=True)")
    return Held(Table.mapping(name, second.schema, value.schema), second, value)


class _Rowwise(Keyed):
    """The plugin that works on all keys of a call, key after key."""

    def __init__(
        self,
        outer: KeyedFunction,
        call: _Call,
        late: _Call | None,
        ttl: Any,
        settings: dict[str, dict[str, Any]],
        migrate: Callable[..., Any] | None,
        reads: Reads,
    ) -> None:
        self.outer = outer
        self.call = call
        self.late = late
        self.config = outer.config or (late.made.config if late else None)
        self.hints = {**call.tables, **(late.tables if late else {})}
        unknown = next((name for name in settings if name not in self.hints), None)
        if unknown is not None:
            raise TypeError(f"{outer.function.__name__}: no parameter `{unknown}` is a table")
        self.ttl = ttl
        self.settings = settings
        self.migration = migrate
        self.columns = reads
        if late is not None and not late.out.schema.alike(call.out.schema):
            rows, timers = call.out.schema, late.out.schema
            raise TypeError(f"rows give {rows}, and timers {timers}: both have to give the same columns")

    @property
    def manifest(self) -> Any:
        return self.outer.manifest

    def reads(self, config: Any) -> list[str]:
        named = reads_of(self.columns, config)
        if named is None:
            return [] if self.call.row is None else shape(self.call.row).names
        fields = [] if self.call.row is None else shape(self.call.row).names
        if len(fields) != len(named):
            raise Error.invalid(f"{_told_names(named, fields)}: there has to be one for each")
        return named

    def plan(self, config: Any, input: Input) -> Plan:
        if self.call.key is not None:
            shape(self.call.key).check(input.keys)
        self._rows(config, Batch.empty(input.rows), check=True)
        tables = [self._declared(name, config) for name in self.hints]
        return Plan(self._output(input), tables)

    def _declared(self, name: str, config: Any) -> Table:
        own = self.settings.get(name, {})
        table = _table(name, self.hints[name]).table
        return table.with_ttl(_length(own.get("ttl", self.ttl), config)).with_version(own.get("version", 1))

    def _output(self, input: Input) -> Schema:
        added = self.call.out.schema
        if self.call.key is not None:
            return added
        twice = next((field.name for field in added if field.name in input.keys), None)
        if twice is not None:
            raise Error.invalid(
                f"`{twice}` is a column of the key, and the plugin adds one of that name: rename the key's before this step"
            )
        return Schema([*input.keys, *added])

    def process(self, config: Any, cx: Context, groups: Groups, state: State, errors: RowErrors) -> Batch:
        work = _Work(self, self.call, config, cx, groups.keys, state)
        rows = self._rows(config, groups.rows)
        for key in range(len(groups)):
            of = groups.range(key)
            group: Group[Any] = Group(rows[of.start : of.stop], of.start, groups.more(key), errors)
            try:
                work.one(key, group)
            except Exception as error:
                whole = told(error)
                for row in of:
                    errors.add(row, whole)
        return work.finish()

    def fired(self, config: Any, cx: Context, fired: FiredTimers, state: State, errors: RowErrors) -> Batch | None:
        if self.late is None:
            return None
        work = _Work(self, self.late, config, cx, fired.keys, state)
        for number, timer in enumerate(fired.timers):
            try:
                work.one(timer.key, Fired(fired.clock, Timestamp(timer.at)))
            except Exception as error:
                errors.add(number, error)
        return work.finish()

    def migrate(self, config: Any, before: Before) -> Batch:
        if self.migration is None:
            raise before.unknown()
        return self.migration(before)  # type: ignore[no-any-return]

    def _rows(self, config: Any, batch: Batch, check: bool = False) -> list[Any]:
        """The rows as the function's dataclass, and errors in the place of those that cannot be read."""
        if self.call.row is None:
            return [None] * batch.num_rows
        of: Shape = shape(self.call.row)
        named = reads_of(self.columns, config)
        told_names = None
        if named is not None:
            told_names = _told_names(named, of.names)
            columns = [batch[name] for name in named]
            renamed = [Field(name, column.type) for name, column in zip(of.names, columns)]
            batch = Batch(Schema(renamed), columns, batch.num_rows)
        try:
            of.check(batch.schema)
            return of.read(batch)
        except Error as error:
            raise (error.context(told_names) if told_names else error) from None


def _told_names(named: list[str], fields: list[str]) -> str:
    quoted = [", ".join(f"`{name}`" for name in names) for names in (named, fields)]
    return f"config: {quoted[0]} are read as {quoted[1]}"


def _length(ttl: Any, config: Any) -> timedelta | None:
    if callable(ttl):
        ttl = ttl(config)
    return interval.parse(ttl) if isinstance(ttl, str) else ttl


class _Work:
    """One call of the plugin: keys, state and what leaves."""

    def __init__(self, plugin: _Rowwise, call: _Call, config: Any, cx: Context, keys: Batch, state: State) -> None:
        self.call = call
        self.state = state
        self.keys = keys
        self.key_rows = None if call.key is None else shape(call.key).read(keys)
        self.timers = Timers(cx)
        self.tables = {name: _table(name, hint) for name, hint in call.tables.items()}
        for name, held in self.tables.items():
            held.open(state.open(name).get())
        self.fixed = {"config": config, "cx": cx, "timers": self.timers}
        self.rows: list[Any] = []
        self.of_key = array("I")

    def one(self, key: int, subject: Any) -> None:
        """Calls the function for a key; what it did is kept if it does not raise."""
        self.timers.begin(key)
        given = {name: held.begin(key) for name, held in self.tables.items()}
        arguments = [given[name] if kind == "table" else self._argument(kind, key, subject) for kind, name in self.call.slots]
        made = as_list(self.call.made.function(*arguments))
        for row in made:
            self.call.out.check_row(row)
        noted = [(held, held.noted()) for held in self.tables.values()]
        for held, entries in noted:
            held.keep(key, entries)
        self.timers.keep()
        self.rows += made
        self.of_key.extend([key] * len(made))

    def _argument(self, kind: str, key: int, subject: Any) -> Any:
        if kind == "subject":
            return subject
        if kind != "key":
            return self.fixed[kind]
        assert self.key_rows is not None
        row = self.key_rows[key]
        if isinstance(row, Error):
            raise row
        return row

    def finish(self) -> Batch:
        """Writes what was changed; the rows that leave."""
        for name, held in self.tables.items():
            held.write(self.state.open(name))
        self.timers.write(self.state)
        rows = self.call.out.write(self.rows)
        if self.call.key is not None:
            return rows
        keys = self.keys.take(self.of_key)
        return Batch(Schema([*keys.schema, *rows.schema]), [*keys.columns, *rows.columns], rows.num_rows)
