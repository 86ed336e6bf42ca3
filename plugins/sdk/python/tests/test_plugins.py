"""Plugins of every kind, as the host calls them."""

from dataclasses import replace
from typing import Any

import plugins
import pytest

import streamhost
from streamhost import Batch, BooleanColumn, Clock, Context, Error, Schema, Timestamp, testing
from streamhost.keyed import Groups, Input, Plan, State, Table


def test_a_row_with_a_null_is_in_error() -> None:
    answer = testing.bind(plugins.keep, "", "id INT, value DOUBLE").run(
        """
        {"id": 1, "value": 5.0}
        {"id": 2, "value": 50.0}
        {"id": 3, "value": null}
        """
    )
    answer.expect('{"id": 2, "value": 50.0}')
    assert answer.errors == ["row 2: `value` is null"]


def test_a_narrower_column_is_read_and_a_wider_one_is_not() -> None:
    testing.bind(plugins.keep, "", "value INT").run('{"value": 11}').expect('{"value": 11}')
    with pytest.raises(Error) as refusal:
        testing.bind(plugins.keep, "", "value BIGINT")
    assert refusal.value == Error.invalid(
        "column `value` has type BIGINT, and the plugin reads DOUBLE, which not every BIGINT is; cast the column before this step"
    )


def test_a_missing_column_is_told_with_those_there_are() -> None:
    with pytest.raises(Error, match="the input has no column `value`; its columns are user_id INT"):
        testing.bind(plugins.keep, "", "user_id INT")


def test_an_exception_is_its_rows_error_with_its_line() -> None:
    answer = testing.bind(plugins.share, "", "value DOUBLE").run('{"value": -1}\n{"value": 0}\n{"value": 50}')
    answer.expect('{"value": 50, "share": 0.5}')
    (error,) = answer.errors
    assert error.startswith("row 0: ValueError: below nothing (plugins.py:")
    assert error.endswith(" in share)")


def test_rows_that_come_one_by_one_may_fail_on_the_way() -> None:
    answer = testing.bind(plugins.words, "", "text STRING").run('{"text": "a b"}\n{"text": "c bad d"}\n{"text": null}')
    answer.expect('{"word": "a"}\n{"word": "b"}')
    assert answer.errors == ["row 1 (retry): a bad word"]


def test_functions_over_batches() -> None:
    rows = '{"id": 1, "value": 5}\n{"id": 2, "value": null}\n{"id": 3, "value": 50}'
    testing.bind(plugins.above, "", "id INT, value DOUBLE").run(rows).expect('{"id": 3, "value": 50}')
    answer = testing.bind(plugins.halved, "", "id INT, value DOUBLE").run(rows)
    answer.expect('{"id": 1, "value": 5, "half": 2.5}\n{"id": 3, "value": 50, "half": 25}')
    answer = testing.bind(plugins.parsed, "", "text STRING").run('{"text": "1"}\n{"text": "x"}')
    answer.expect('{"text": "1", "number": 1}')
    assert answer.errors[0].startswith("row 1: ValueError: invalid literal for int() with base 10: 'x' (plugins.py:")
    answer = testing.bind(plugins.searched, "", "text STRING").run('{"text": "aö"}\n{"text": "ab"}\n{"text": "xö"}\n{}')
    answer.expect('{"text": "ab"}\n{"text": "xö"}')


def test_side_outputs() -> None:
    answer = testing.bind(plugins.split, "", "value DOUBLE").run('{"value": 1}\n{"value": 100}')
    answer.expect('{"value": 100}')
    assert answer.side == {"small": [{"value": 1}]}


def test_the_context_is_the_epochs() -> None:
    bound = testing.bind(plugins.recent, "", "value DOUBLE")
    bound.context = replace(bound.context, now=Timestamp(7))
    bound.run('{"value": 6}\n{"value": 7}').expect('{"value": 7}')


def test_columns_that_depend_on_the_rows_are_refused() -> None:
    @streamhost.transform
    def changing(batch: Batch) -> Batch:
        return batch if batch.num_rows else batch.select([])

    with pytest.raises(Error, match="they must not depend on the rows"):
        testing.bind(changing, "", "value DOUBLE").run('{"value": 1}')


def test_an_exception_over_a_batch_is_the_batchs() -> None:
    @streamhost.filter
    def broken(batch: Batch) -> BooleanColumn:
        return [][batch.num_rows]

    with pytest.raises(IndexError):
        testing.bind(broken, "", "value DOUBLE")


def test_what_a_function_lacks_is_told_when_it_is_decorated() -> None:
    with pytest.raises(TypeError, match="parameter `event` has no annotation"):
        streamhost.filter(lambda event: True)

    def silent(event: plugins.Event):  # type: ignore[no-untyped-def]
        return None

    with pytest.raises(TypeError, match="silent: say what it returns"):
        streamhost.map(silent)


SEEN = '{"user": 1, "at": "2025-03-01T12:00:00Z"}\n{"user": 2, "at": "2025-03-01T12:00:30Z"}\n{"user": 1, "at": "2025-03-01T12:00:10Z"}'


def test_state_and_timers() -> None:
    job = testing.bind_keyed(plugins.visits, "", "user BIGINT, at TIMESTAMP", ["user"])
    job.epoch(SEEN).expect("")
    assert [row["events"] for row in job.state("visit")] == [2, 1]
    assert len(job.timers(Clock.EVENT_TIME)) == 2
    job.watermark("2025-03-01T12:01:10Z").epoch().expect('{"user": 1, "events": 2}')
    assert [row["user"] for row in job.state("visit")] == [2]
    answer = job.epoch('{"user": 3, "at": "2025-03-01T12:00:00Z"}\n{"user": 4}')
    assert answer.errors == [
        "row 0: a timer at 2025-03-01T12:01:00Z is not after the watermark, 2025-03-01T12:01:10Z",
        "row 1: `at` is null",
    ]
    assert [row["user"] for row in job.state("visit")] == [2]


def test_a_key_beyond_a_batch_finds_what_it_left() -> None:
    job = testing.bind_keyed(plugins.visits, "", "user BIGINT, at TIMESTAMP", ["user"]).batch_rows(1)
    job.epoch(SEEN)
    assert [row["events"] for row in job.state("visit")] == [2, 1]


def test_an_error_of_a_key_leaves_its_state_and_other_keys_go_on() -> None:
    job = testing.bind_keyed(plugins.visits, "", "user BIGINT, at TIMESTAMP", ["user"])
    many = "\n".join(['{"user": 1, "at": "2025-03-01T12:00:00Z"}'] * 101)
    answer = job.epoch(f'{many}\n{{"user": 2, "at": "2025-03-01T12:00:00Z"}}')
    assert answer.errors == [f"row {row}: too many" for row in range(101)]
    assert [row["user"] for row in job.state("visit")] == [2]


def test_what_was_not_written_for_long_is_gone() -> None:
    job = testing.bind_keyed(plugins.visits, "", "user BIGINT, at TIMESTAMP", ["user"])
    job.now("2025-03-01T12:00:00Z").epoch(SEEN)
    job.now("2025-03-01T13:00:00Z").epoch()
    assert job.state("visit") == []


def test_lists_and_maps_for_each_key() -> None:
    job = testing.bind_keyed(plugins.best, "", "shop INT, item STRING, pieces BIGINT", ["shop"])
    job.epoch(
        """
        {"shop": 1, "item": "nails", "pieces": 20}
        {"shop": 1, "item": "pliers", "pieces": 1}
        """
    ).expect('{"shop": 1, "item": "nails", "pieces": 20}')
    assert job.state("sold") == [
        {"shop": 1, "item": "nails", "pieces": 20},
        {"shop": 1, "item": "pliers", "pieces": 1},
    ]
    job.epoch('{"shop": 1, "item": "nails", "pieces": -20}').expect('{"shop": 1, "item": "pliers", "pieces": 1}')
    assert [row["item"] for row in job.state("sold")] == ["pliers"]
    assert len(job.state("all_sales")) == 3
    job.epoch('{"shop": 1, "item": "pliers", "pieces": -1}').expect("")
    assert job.state("sold") == job.state("all_sales") == []


def test_entries_of_an_older_version_are_migrated() -> None:
    job = testing.bind_keyed(plugins.best, "", "shop INT, item STRING, pieces BIGINT", ["shop"])
    migrated = job.migrate("sold", 1, "item STRING, dozens INT", '{"item": "nails", "dozens": 2}')
    assert migrated == [{"item": "nails", "pieces": 24}]
    with pytest.raises(Error, match="stored in version 3, which the plugin does not know how to migrate"):
        job.migrate("sold", 3, "item STRING", '{"item": "nails"}')


def test_a_column_of_the_key_is_not_added_again() -> None:
    with pytest.raises(Error, match="`item` is a column of the key, and the plugin adds one of that name"):
        testing.bind_keyed(plugins.best, "", "item STRING, pieces BIGINT", ["item"])


class Newcomers(streamhost.Keyed):
    """Tells of each key when it is seen for the first time."""

    def reads(self, config: Any) -> list[str]:
        return []

    def plan(self, config: Any, input: Input) -> Plan:
        return Plan(input.keys, [Table.value("seen", "epoch BIGINT")])

    def process(self, config: Any, cx: Context, groups: Groups, state: State, errors: Any) -> Batch:
        seen = state.open("seen")
        known = set(seen.get().keys)
        new = [key for key in range(len(groups)) if key not in known]
        epochs = streamhost.column(streamhost.types.BIGINT, [cx.epoch] * len(new))
        seen.put(new, Batch.of(epoch=epochs))
        return groups.keys.take(new)


def test_a_plugin_of_all_keys_at_once() -> None:
    job = testing.bind_keyed(Newcomers, "", "user INT", ["user"])
    job.epoch('{"user": 1}').expect('{"user": 1}')
    job.epoch('{"user": 2}\n{"user": 1}').expect('{"user": 2}')
    assert job.state("seen") == [{"user": 1, "epoch": 0}, {"user": 2, "epoch": 1}]
    with pytest.raises(Error, match="name the key's columns"):
        testing.bind_keyed(Newcomers, "", "user INT", [])


def test_what_state_refuses_is_told() -> None:
    class Wrong(Newcomers):
        def process(self, config: Any, cx: Context, groups: Groups, state: State, errors: Any) -> Batch:
            state.open("seen").put([0], Batch.from_pylist("epoch STRING", [{"epoch": "x"}]))
            return groups.keys

    job = testing.bind_keyed(Wrong, "", "user INT", ["user"])
    with pytest.raises(Error, match="table `seen` takes epoch BIGINT, and is given epoch STRING"):
        job.epoch('{"user": 1}')


def test_an_epoch_is_stored() -> None:
    sink = testing.bind_sink(plugins.store, "", "id INT, user STRING, value DOUBLE")
    stored = sink.run_batches(['{"user": "a", "value": 1}', '{"user": "a", "value": 2}\n{"user": "b", "value": 3}'])
    assert stored.outputs["totals"] == [{"who": "a", "total": 3}, {"who": "b", "total": 3}]
    assert len(stored.outputs["raw"]) == 3
    assert [one.statement for one in stored.statements] == ["DELETE FROM t WHERE epoch = $1"]


def test_an_output_that_was_not_named_is_refused() -> None:
    @streamhost.batch_sink(outputs={"rows": "a INT"})
    def wrong(rows: streamhost.EpochRows, outputs: streamhost.Outputs) -> None:
        for batch in rows:
            outputs.write("rows", batch)

    with pytest.raises(Error, match="output `rows` takes a INT, and is given b INT"):
        testing.bind_sink(wrong, "", "b INT").run('{"b": 1}')


def test_functions() -> None:
    bound = testing.bind_functions([plugins.risk, plugins.doubled], '{"home": "DE"}')
    rows = '{"amount": 100, "country": "DE"}\n{"amount": 100, "country": null}\n{"amount": null, "country": "DE"}'
    assert bound.call("risk", rows) == [0.01, 0.26, None]
    assert bound.call("doubled", '{"price": 2}\n{"price": null}') == [4, None]
    with pytest.raises(Error, match="-1.0 is no amount"):
        bound.call("risk", '{"amount": -1, "country": "DE"}')
    assert str(plugins.risk.arguments) == "amount DOUBLE, country STRING"
    assert [field.nullable for field in plugins.risk.arguments] == [False, True]


def test_calculations() -> None:
    batch = Batch.from_pylist("a INT, b BIGINT, c FLOAT", [{"a": 2, "b": 3, "c": 0.5}, {"a": None, "b": 1 << 62, "c": 1}])
    assert (batch["a"] * batch["b"]).to_pylist() == [6, None]
    assert (10 - batch["b"]).to_pylist() == [7, 10 - (1 << 62)]
    assert (batch["a"] / 4).to_pylist() == [0.5, None]
    assert (batch["b"] + batch["c"]).to_pylist() == [3.5, float(1 << 62) + 1]
    assert (batch["a"] < batch["c"]).to_pylist() == [False, None]
    with pytest.raises(OverflowError, match="too large for a BIGINT"):
        batch["b"] * 4
    assert streamhost.compute.is_null(batch["a"]).to_pylist() == [False, True]
    assert streamhost.compute.hash(batch["b"]).to_pylist() == streamhost.compute.hash(batch["b"]).to_pylist()


def test_a_batch_is_what_it_says() -> None:
    batch = Batch.from_pylist("a INT, b STRING", [{"a": 1, "b": "x"}, {"a": None}])
    assert batch.to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": None}]
    assert batch["b"][0] == "x" and batch["a"][-1] is None
    more = batch.with_columns(b=batch["a"], c=batch["b"])
    assert str(more.schema) == "a INT, b INT, c STRING"
    assert Schema.parse("a INT").alike(batch.select(["a"]).schema)
    with pytest.raises(ValueError, match="different lengths"):
        Batch.of(a=batch["a"], b=batch["b"].slice(0, 1))
