"""Tells of each session of a key when it has ended: when it began, when its last row was, and how many rows it had."""

from collections.abc import Callable
from dataclasses import field, replace
from datetime import timedelta

import streamhost
from session import Session, sessions
from streamhost import Batch, Clock, Context, Error, Field, Keyed, RowErrors, Schema, column, types
from streamhost.ddl import type_name
from streamhost.keyed import Entries, FiredTimers, Groups, Input, Plan, State, Table, Timer

MICROSECOND = timedelta(microseconds=1)


@streamhost.config
class Config:
    """What a session is made of."""

    time: str
    """The column of event time, a TIMESTAMP."""
    gap: timedelta
    """For how long a key is still before its session has ended."""
    first: list[str] = field(default_factory=list)
    """Columns of which a session has the earliest row's value, as `first_` and the name."""
    last: list[str] = field(default_factory=list)
    """Columns of which a session has the latest row's value, as `last_` and the name."""

    def ends(self, last: int) -> int:
        """When the watermark ends a session: in whole milliseconds, as Spark's time-outs are."""
        return min(last // 1000 * 1000 + self.gap // MICROSECOND, (1 << 63) - 1)


class Sessionize(Keyed):
    """The plugin."""

    config = Config

    def reads(self, config: Config) -> list[str]:
        return [config.time, *config.first, *config.last]

    def plan(self, config: Config, input: Input) -> Plan:
        named = tables(config, input.rows)
        output = Schema([*input.keys, *(one for fields in named.values() for one in fields)])
        twice = next((name for i, name in enumerate(output.names) if name in output.names[:i]), None)
        if twice is not None:
            raise Error.invalid(f"a session would have two columns `{twice}`: rename the key's, or leave one out")
        return Plan(output, [Table.value(name, Schema(fields)) for name, fields in named.items()])

    def process(self, config: Config, cx: Context, groups: Groups, state: State, errors: RowErrors) -> Batch | None:
        found = sessions(groups, groups.rows[config.time], state.open("open").get(), errors)
        keep(config, groups.rows, found, state)
        over: list[Session] = []
        running: list[Session] = []
        for one in found:
            ended = cx.watermark is not None and config.ends(one.end) <= cx.watermark
            # What follows of its rows belongs to it.
            (over if ended and not groups.more(one.key) else running).append(one)
        set_timers(config, cx, over, running, state)
        return close(config, groups.keys, [one.key for one in over], state)

    def fired(self, config: Config, cx: Context, fired: FiredTimers, state: State, errors: RowErrors) -> Batch | None:
        return close(config, fired.keys, [timer.key for timer in fired.timers], state)


def tables(config: Config, rows: Schema) -> dict[str, list[Field]]:
    """What is kept of a session, by table: the columns of its end, of its earliest row and of its latest one.

    The latter two change less often than it does.
    """
    time = of_config(rows, config.time).type
    if not isinstance(time, types.TimestampType) or time.unit != "us":
        raise Error.invalid(f"config: column `{config.time}` has type {type_name(time)}, and times are TIMESTAMP")
    named = {"open": [Field("start", time), Field("end", time), Field("n", types.BIGINT)]}
    for table, columns in (("first", config.first), ("last", config.last)):
        if columns:
            of = [of_config(rows, name) for name in columns]
            named[table] = [replace(one, name=f"{table}_{one.name}", nullable=True) for one in of]
    return named


def of_config(rows: Schema, name: str) -> Field:
    if name not in rows:
        raise Error.invalid(f"config: there is no column `{name}`")
    return rows.field(name)


def keep(config: Config, rows: Batch, found: list[Session], state: State) -> None:
    """Writes what has changed."""
    changed = [one for one in found if one.added]
    keys = [one.key for one in changed]
    time = rows[config.time].type
    values = {
        "start": column(time, [one.start for one in changed]),
        "end": column(time, [one.end for one in changed]),
        "n": column(types.BIGINT, [one.n for one in changed]),
    }
    state.open("open").put(keys, Batch.of(values))
    keep_rows("first", config.first, rows, changed, lambda one: one.first, state)
    keep_rows("last", config.last, rows, changed, lambda one: one.last, state)


def keep_rows(
    table: str, columns: list[str], rows: Batch, changed: list[Session], row: Callable[[Session], int | None], state: State
) -> None:
    """Writes columns of a row of each session."""
    if not columns:
        return
    picked = {one.key: at for one in changed if (at := row(one)) is not None}
    taken = {name: rows[name].take(picked.values()) for name in columns}
    state.open(table).put(list(picked), Batch.of(taken))


def set_timers(config: Config, cx: Context, over: list[Session], running: list[Session], state: State) -> None:
    """Each running session has one timer, at its end; but one that ends already, and of which more rows follow in the next call, has
    none yet. One that is over has none any more."""
    moved = [one for one in running if one.before != one.end]
    before = [Timer(one.key, config.ends(one.before)) for one in over + moved if one.before is not None]
    state.clear_timers(Clock.EVENT_TIME, before)
    now = [Timer(one.key, config.ends(one.end)) for one in moved]
    state.set_timers(Clock.EVENT_TIME, [timer for timer in now if cx.watermark is None or timer.at > cx.watermark])


def close(config: Config, keys: Batch, over: list[int], state: State) -> Batch | None:
    """The sessions of these keys, which are gone with that."""
    if not over:
        return None
    closed = keys.take(over)
    for name in ["open", *(["first"] if config.first else []), *(["last"] if config.last else [])]:
        table = state.open(name)
        entries = table.get(over)
        values = entries.values.take([row_of(entries, key) for key in over])
        closed = Batch(Schema([*closed.schema, *values.schema]), [*closed.columns, *values.columns], len(over))
        table.remove(over)
    return closed


def row_of(entries: Entries, key: int) -> int:
    row = entries.row(key)
    if row is None:
        raise Error.permanent("a session that ends is not in the state")
    return row
