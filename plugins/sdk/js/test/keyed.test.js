// State for each key: values, lists, second keys, timers, errors, expiry, migration.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PluginError, keyed, list, mapping, t, value } from "../src/index.js";
import { Job } from "../src/testing/index.js";

const SALE = "user INT, item STRING, pieces INT, at TIMESTAMP";

const sales = keyed({
  key: { user: t.int },
  row: { item: t.string, pieces: t.bigint },
  out: { user: t.int, items: t.int, best: t.optional(t.string) },
  state: {
    total: value({ pieces: t.bigint, seen: t.optional(t.array(t.string)) }),
    log: list({ item: t.string }),
    sold: mapping({ item: t.string }, { pieces: t.bigint }),
  },
  each({ user }, rows, { state }) {
    for (const { item, pieces } of rows) {
      if (pieces === 13n) throw PluginError.permanent("13");
      state.total = { pieces: (state.total?.pieces ?? 0n) + pieces, seen: [item] };
      state.log.push({ item });
      if (pieces === 0n) state.sold.delete(item);
      else state.sold.set(item, { pieces: (state.sold.get(item)?.pieces ?? 0n) + pieces });
    }
    const best = [...state.sold].sort(([, a], [, b]) => Number(b.pieces - a.pieces))[0];
    return { user, items: state.log.length, best: best?.[0] };
  },
});

const row = (user, item, pieces) => `{"user": ${user}, "item": ${JSON.stringify(item)}, "pieces": ${pieces}}`;
const rows = (...all) => all.join("\n");

test("what a key left is there in the next epoch", () => {
  const job = new Job(sales, "", SALE, ["user"]);
  assert.deepEqual(job.epoch(rows(row(2, "a", 1), row(1, "b", 2), row(2, "b", 5))).rows, [
    '{"user": 1, "items": 1, "best": "b"}',
    '{"user": 2, "items": 2, "best": "b"}',
  ]);
  assert.deepEqual(job.epoch(row(2, "a", 9)).rows, ['{"user": 2, "items": 3, "best": "a"}']);
  assert.deepEqual(job.epoch(row(2, "a", 0)).rows, ['{"user": 2, "items": 4, "best": "b"}']);
  assert.deepEqual(job.state("sold"), [{ user: 1, item: "b", pieces: 2n }, { user: 2, item: "b", pieces: 5n }]);
  assert.deepEqual(job.state("log").map(({ item }) => item), ["b", "a", "b", "a", "a"]);
  assert.deepEqual(job.state("total")[1], { user: 2, pieces: 15n, seen: ["a"] });
});

test("an error of a key leaves its state as it was, and other keys go on", () => {
  const job = new Job(sales, "", SALE, ["user"]);
  const answer = job.epoch(rows(row(1, "a", 1), row(1, "b", 13), row(2, "a", 1), '{"user": 2, "pieces": 1}'));
  assert.deepEqual(answer.errors, ["row 0: 13", "row 1: 13", "row 3: `item` is null"]);
  assert.deepEqual(answer.rows, ['{"user": 2, "items": 1, "best": "a"}']);
  assert.deepEqual(job.state("total").map(({ user }) => user), [2]);
});

test("a key beyond a batch finds what it has left in the same epoch", () => {
  const job = new Job(sales, "", SALE, ["user"]).batchRows(2);
  const answer = job.epoch(rows(...Array.from({ length: 5 }, () => row(1, "a", 1)), row(2, "a", 1)));
  assert.deepEqual(answer.rows.map((line) => JSON.parse(line).items), [2, 4, 5, 1]);
});

const timed = keyed({
  row: { at: t.timestamp },
  out: { fired: t.optional(t.timestamp) },
  state: { n: value({ n: t.bigint }, { ttl: "1h" }) },
  each(key, events, { state, timers }) {
    events.each(({ at }) => timers.set("event-time", at));
    state.n = { n: (state.n?.n ?? 0n) + BigInt(events.length) };
  },
  expired(key, { at }, { state }) {
    if (at % 2n === 1n) throw PluginError.transient("odd");
    return state.n === null ? null : { fired: at };
  },
});

test("timers fire by their time; one that the clock has reached is its row's error", () => {
  const job = new Job(timed, "", SALE, ["user"]).watermark("2025-03-01T12:00:00Z");
  const at = (user, time) => `{"user": ${user}, "at": "2025-03-01T${time}Z"}`;
  const first = job.epoch(rows(at(1, "12:00:02"), at(2, "12:00:01"), at(1, "11:00:00"), at(1, "12:00:01.000001")));
  assert.deepEqual(first.errors, ["row 2: a timer at 2025-03-01T11:00:00Z is not after the watermark, 2025-03-01T12:00:00Z"]);
  assert.equal(job.timers("event-time").length, 3);
  const answer = job.watermark("2025-03-01T12:00:02Z").epoch();
  assert.deepEqual(answer.rows, ['{"user": 2, "fired": "2025-03-01T12:00:01Z"}', '{"user": 1, "fired": "2025-03-01T12:00:02Z"}']);
  assert.deepEqual(answer.errors, ["timer 1 (retry): odd"]);
});

test("what was not written for an hour is gone", () => {
  const job = new Job(timed, "", SALE, ["user"]).now("2025-03-01T12:00:00Z");
  job.epoch('{"user": 1, "at": "2025-03-02T00:00:00Z"}');
  assert.equal(job.state("n").length, 1);
  job.now("2025-03-01T13:00:00Z").epoch();
  assert.equal(job.state("n").length, 0);
});

test("a column that the key has already is refused, and so is a step without keys", () => {
  const plugin = keyed({ out: { user: t.int }, each: () => null });
  assert.throws(() => new Job(plugin, "", SALE, ["user"]), /`user` is a column of the key, and the plugin adds one of that name/);
  assert.throws(() => new Job(plugin, "", SALE, []), /keeps state for each key: name the key's columns/);
});

test("entries of an older version become those of now", () => {
  const plugin = keyed({
    out: { n: t.bigint },
    state: { n: value({ n: t.bigint }, { version: 2 }) },
    each: () => null,
    migrate: ({ version }, { each }) => (version === 1 ? each(({ dozens }) => ({ n: BigInt(dozens) * 12n })) : null),
  });
  const job = new Job(plugin, "", SALE, ["user"]);
  assert.deepEqual(job.migrate("n", 1, "dozens INT", '{"dozens": 2}'), [{ n: 24n }]);
  assert.throws(() => job.migrate("n", 0, "dozens INT", '{"dozens": 2}'), /table `n` is stored in version 0, which the plugin does not know/);
});
