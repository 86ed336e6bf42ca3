// Columns of every type: rows of them, names of their types, values that are refused, and their text in fixtures.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Bits, Field, Schema, column, compute, functions, keyed, mapping, printDdl, readRows, t, transform, typeName, writeRows } from "../src/index.js";
import { Functions, Job, Stateless } from "../src/testing/index.js";
import { EVERY } from "./values.js";

test("rows of every type are taken and filtered", () => {
  for (const [name, [type, values]] of Object.entries(EVERY)) {
    const of = column(type, values);
    assert.deepEqual(compute.take(of, [2, 1, 1, 0]).toArray(), [values[2], values[1], values[1], values[0]], name);
    assert.deepEqual(compute.filter(of, Bits.of([0, 1, 1])).toArray(), values.slice(1), name);
    const whole = column(type, values.slice(0, 2));
    assert.deepEqual(compute.filter(whole, Bits.of([0, 1])).toArray(), [values[1]], name);
    assert.deepEqual(compute.take(whole, []).toArray(), [], name);
  }
});

test("rows of every type are read as they were written", () => {
  const types = Object.fromEntries(Object.entries(EVERY).map(([name, [type]]) => [name, t.optional(type)]));
  for (const at of [[0], [1], [2], [0, 1, 2], []]) {
    const rows = at.map((row) => Object.fromEntries(Object.entries(EVERY).map(([name, [, values]]) => [name, values[row]])));
    assert.deepEqual([...readRows(types, writeRows(types, rows))], rows);
  }
});

test("types that Spark has not are named as Arrow does", () => {
  const all = [t.interval, t.intervalDays, t.intervalMonths, t.duration("us"), t.duration("s"), t.decimal256(76, 20)];
  const wanted = ["INTERVAL", "Interval(DayTime)", "Interval(YearMonth)", "Duration(µs)", "Duration(s)", "Decimal256(76, 20)"];
  assert.deepEqual(all.map(typeName), wanted);
  assert.equal(printDdl(new Schema([new Field("a", t.array(t.interval))])), "a ARRAY<INTERVAL>");
});

test("what is no value of a type is refused", () => {
  const span = { months: 1, days: 2, nanos: 3n };
  for (const [type, value, told] of [
    [t.interval, 5, /^5 is no INTERVAL: it takes \{ months, days, nanos \}/],
    [t.interval, { days: 1, millis: 2 }, /^undefined is no INTERVAL: it takes a bigint from -9223372036854775808/],
    [t.interval, { ...span, nanos: 2n ** 63n }, /^9223372036854775808 is no INTERVAL/],
    [t.interval, { ...span, months: 2 ** 31 }, /^2147483648 is no INTERVAL/],
    [t.intervalDays, { days: 1.5, millis: 0 }, /^1.5 is no Interval\(DayTime\): it takes a whole number/],
    [t.intervalMonths, 2 ** 31, /^2147483648 is no Interval\(YearMonth\)/],
    [t.duration("ns"), 2n ** 63n, /^9223372036854775808 is no Duration\(ns\)/],
    [t.decimal256(76, 0), 10n ** 76n, /is no Decimal256\(76, 0\)/],
    [t.decimal256(40, 3), -(10n ** 40n), /is no Decimal256\(40, 3\)/],
  ]) {
    assert.throws(() => column(type, [value]), { name: "PluginError", message: told });
  }
});

test("durations and months are compared and added, and no interval of several members is", () => {
  const pauses = column(t.duration("ms"), [1n, -5n, null]);
  assert.deepEqual(compute.compare(pauses, ">", 0).rows(), Uint32Array.of(0));
  assert.deepEqual(compute.add(pauses, pauses).toArray(), [2n, -10n, null]);
  assert.deepEqual(compute.add(column(t.intervalMonths, [1, -1]), 12).toArray(), [13, 11]);
  assert.throws(() => compute.compare(column(t.intervalDays, []), ">", 0), /has no values to compare/);
  for (const type of [t.interval, t.intervalDays, t.decimal256()]) assert.throws(() => compute.hash(column(type, [])), /is not hashed/);
});

test("decimals and lengths of time are written as the host writes them", () => {
  const columns = {
    price: [t.decimal(10, 2), [1234n, -5n, 0n]],
    huge: [t.decimal256(76, 20), [10n ** 76n - 1n, 1n, -(10n ** 76n - 1n)]],
    short: [t.duration("s"), [120n, -5n, 0n]],
    long: [t.duration("us"), [120_000n, 2n ** 63n - 1n, -1n]],
    months: [t.intervalMonths, [14, -1, 0]],
    days: [t.intervalDays, [{ days: 1, millis: -2 }, { days: 0, millis: 0 }, { days: 3, millis: -3_723_004 }]],
    span: [
      t.interval,
      [{ months: 1, days: -2, nanos: 3n }, { months: 0, days: 0, nanos: 3_723_000_000_000n }, { months: 2147483647, days: 0, nanos: -(2n ** 63n) }],
    ],
  };
  const out = Object.fromEntries(Object.entries(columns).map(([name, [type]]) => [name, type]));
  const each = ({ n }) => Object.fromEntries(Object.entries(columns).map(([name, [, values]]) => [name, values[n]]));
  const { rows } = new Stateless(transform({ row: { n: t.int }, out, each }), "{}", "n INT").run('{"n": 0}\n{"n": 1}\n{"n": 2}');
  const nines = `${"9".repeat(56)}.${"9".repeat(20)}`;
  assert.deepEqual(rows, [
    `{"price": 12.34, "huge": ${nines}, "short": "PT120S", "long": "PT0.12S", "months": "1 years 2 mons", "days": "1 days -0.002 secs", "span": "1 mons -2 days 0.000000003 secs"}`,
    `{"price": -0.05, "huge": 0.${"0".repeat(19)}1, "short": "-PT5S", "long": "PT9223372036854.775807S", "months": "-1 years 11 mons", "days": "0 secs", "span": "1 hours 2 mins 3.000000000 secs"}`,
    `{"price": 0.00, "huge": -${nines}, "short": "P0D", "long": "-PT0.000001S", "months": "0 years 0 mons", "days": "3 days -1 hours -2 mins -3.004 secs", "span": "2147483647 mons -2562047 hours -47 mins -16.854775808 secs"}`,
  ]);
});

test("functions take durations and wide decimals", () => {
  const twice = (type) => ({ arguments: { x: type }, returns: type, each: ({ x }) => 2n * x });
  const all = new Functions(functions({ functions: { long: twice(t.duration("us")), wide: twice(t.decimal256(50, 2)) } }));
  assert.deepEqual(all.call("long", '{"x": 1500000}\n{"x": null}'), ['"PT3S"', "null"]);
  assert.deepEqual(all.call("wide", `{"x": "-${"4".repeat(48)}.44"}`), [`-${"8".repeat(48)}.88`]);
});

test("an interval is a second key", () => {
  const plugin = keyed({
    key: { user: t.int },
    row: { n: t.int },
    out: { user: t.int, seen: t.int },
    state: { by: mapping({ span: t.interval }, { seen: t.int }) },
    each({ user }, rows, { state }) {
      for (const { n } of rows) {
        const span = { months: n, days: -n, nanos: 0n };
        state.by.set(span, { seen: (state.by.get(span)?.seen ?? 0) + 1 });
      }
      return [...state.by.values()].map(({ seen }) => ({ user, seen }));
    },
  });
  const job = new Job(plugin, "{}", "user INT, n INT", ["user"]);
  job.epoch('{"user": 1, "n": 2}\n{"user": 1, "n": 1}');
  assert.deepEqual(job.epoch('{"user": 1, "n": 2}').rows, ['{"user": 1, "seen": 1}', '{"user": 1, "seen": 2}']);
});
