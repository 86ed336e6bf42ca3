"""Keeps rows in tables of every kind, and puts out what they had before, with every value read and written anew."""

from itertools import chain
from typing import Any

import streamhost
from streamhost import Batch, Before, Context, Field, RowErrors, Schema, column, types
from streamhost.keyed import Groups, Input, OpenTable, Plan, State, Table


class Echo(streamhost.Keyed):
    """The plugin."""

    def reads(self, config: None) -> list[str]:
        return ["place", "value"]

    def plan(self, config: None, input: Input) -> Plan:
        table, place, value = told(input.rows)
        both = Schema([place, value])
        tables = [Table.value("last", both), Table.sequence("all", both), Table.mapping("by", Schema([place]), Schema([value]))]
        return Plan(Schema([table, place, value]), tables)

    def process(self, config: None, cx: Context, groups: Groups, state: State, errors: RowErrors) -> Batch:
        last, all_, by = (state.open(name) for name in ("last", "all", "by"))
        before = [stored(table) for table in (last, all_, by)]
        ranges = [groups.range(key) for key in range(len(groups))]
        of_rows = [key for key, rows in enumerate(ranges) for _ in rows]
        rows = groups.rows.select(["place", "value"])
        last.put(range(len(groups)), again(rows.take([part[-1] for part in ranges])))
        all_.append(of_rows, again(rows))
        by.put(of_rows, again(rows))
        schema = told(rows.schema)
        return Batch(schema, [column(field.type, list(chain(*parts))) for field, parts in zip(schema, zip(*before))])

    def migrate(self, config: None, before: Before) -> Batch:
        # Other columns than those of now are refused by the SDK.
        return again(before.entries)


def told(rows: Schema) -> Schema:
    """The columns that leave: the table, and what is kept of a row."""
    return Schema([Field("table", types.STRING), rows.field("place"), rows.field("value")])


def stored(table: OpenTable) -> list[list[Any]]:
    """What a table has of the keys of the call, as columns of Python's own values, the first of which is its name."""
    entries = table.get()
    columns = [*entries.second.columns, *entries.values.columns]
    return [[table.table.name] * len(entries), *(one.to_pylist() for one in columns)]


def again(batch: Batch) -> Batch:
    """The same rows, from Python's own values."""
    columns = [column(field.type, one.to_pylist()) for field, one in zip(batch.schema, batch.columns)]
    return Batch(batch.schema, columns, batch.num_rows)
