"""The interface ``keyed``, and the host's state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, TypeVar

import wit_world.exports
from componentize_py_types import Err
from wit_world.exports import keyed as wit
from wit_world.imports import state as wit_state

from ..ipc import encode_schema
from ..keyed.calls import Clock, Timer
from ..keyed.tables import Table
from ..outcome import Outcome
from .base import begin, compiled, context, failure, of_role, out, refused, row_errors

T = TypeVar("T")
_MILLISECOND = timedelta(milliseconds=1)


class Keyed(wit_world.exports.Keyed):
    """Per-key logic."""

    def tables(self) -> list[wit.TableDeclaration]:
        begin()
        return [_declaration(table) for table in of_role("keyed").tables]

    def process(self, cx: Any, input: wit.Groups) -> wit.Outcome:
        begin()
        try:
            with _Host() as host:
                bound = of_role("keyed")
                return _outcome(bound.process(context(cx), input.keys, input.starts, input.rows, input.more, host))
        except BaseException as error:
            raise failure(error) from None

    def timers_fired(self, cx: Any, clock: wit_state.Clock, keys: bytes, timers: list[wit_state.Timer]) -> wit.Outcome:
        begin()
        try:
            with _Host() as host:
                fired = [Timer(timer.key, timer.at) for timer in timers]
                return _outcome(of_role("keyed").fired(context(cx), Clock(clock.value), keys, fired, host))
        except BaseException as error:
            raise failure(error) from None

    def migrate(self, table: str, from_version: int, before: bytes, entries: bytes) -> bytes:
        begin()
        try:
            return out(of_role("keyed").migrate(table, from_version, before, entries))
        except BaseException as error:
            raise failure(error) from None


def _outcome(outcome: Outcome) -> wit.Outcome:
    return wit.Outcome(out(outcome.main), [(name, out(rows)) for name, rows in outcome.side.items()], row_errors(outcome.errors))


def _declaration(table: Table) -> wit.TableDeclaration:
    kinds: dict[str, Any] = {"value": wit.TableKind_Value, "sequence": wit.TableKind_Sequence}
    kind = wit.TableKind_Mapping(out(encode_schema(table.second))) if table.kind == "mapping" else kinds[table.kind]()
    ttl = None if table.ttl is None else table.ttl // _MILLISECOND
    return wit.TableDeclaration(table.name, kind, out(encode_schema(table.columns_of_value)), ttl, table.version)


class _Host:
    """The state that the host holds, for one call. Tables are opened once, and given back when the call ends."""

    def __enter__(self) -> _Host:
        self.stack = ExitStack()
        self.opened: dict[str, wit_state.Table] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.clear()
        self.stack.close()

    def table(self, name: str) -> wit_state.Table:
        if name not in self.opened:
            self.opened[name] = self.stack.enter_context(wit_state.open(name))
        return self.opened[name]

    def get(self, table: str, keys: Sequence[int] | None) -> bytes:
        return _told(lambda: self.table(table).get(None if keys is None else list(keys)))

    def find(self, table: str, of: bytes) -> bytes:
        return _told(lambda: self.table(table).find(out(of)))

    def put(self, table: str, entries: bytes) -> None:
        _told(lambda: self.table(table).put(out(entries)))

    def append(self, table: str, entries: bytes) -> None:
        _told(lambda: self.table(table).append(out(entries)))

    def remove(self, table: str, keys: Sequence[int]) -> None:
        _told(lambda: self.table(table).remove(list(keys)))

    def remove_found(self, table: str, of: bytes) -> None:
        _told(lambda: self.table(table).remove_found(out(of)))

    def set_timers(self, clock: Clock, timers: Sequence[Timer]) -> None:
        _told(lambda: wit_state.set_timers(wit_state.Clock(clock.value), _timers(timers)))

    def clear_timers(self, clock: Clock, timers: Sequence[Timer]) -> None:
        _told(lambda: wit_state.clear_timers(wit_state.Clock(clock.value), _timers(timers)))

    def clear_all_timers(self, clock: Clock, keys: Sequence[int]) -> None:
        _told(lambda: wit_state.clear_all_timers(wit_state.Clock(clock.value), list(keys)))


def _timers(timers: Sequence[Timer]) -> list[wit_state.Timer]:
    return [wit_state.Timer(timer.key, timer.at) for timer in timers]


def _told(call: Callable[[], T]) -> T:
    try:
        return call()
    except Err as failed:
        raise refused(failed) from None
    finally:
        # The host has read what it was given.
        compiled.reclaim()
