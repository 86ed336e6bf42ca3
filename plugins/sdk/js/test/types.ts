// What TypeScript has to know of plugins, and what it has to refuse.
import { PluginError, c, column, compute, filter, functions, keyed, list, map, mapping, t, transform, value } from "streamhost-sdk";

export const kept = filter({
  config: { most: c.number({ default: 1 }), unit: c.oneOf(["m", "km"], { default: "m" }), name: c.string({ optional: true }) },
  row: { id: t.bigint, value: t.optional(t.double), tags: t.array(t.string), at: t.column("event time", t.timestamp) },
  each({ id, value, tags, at }, { config, cx }) {
    const unit: "m" | "km" = config.unit;
    const name: string | null = config.name;
    // @ts-expect-error: a bigint is no number
    const wrong: number = id;
    // @ts-expect-error: it may be null
    const sum = value + 1;
    return id > 1n && at < cx.now && tags[0] === unit && name !== null && wrong > sum;
  },
});

export const added = map({
  row: { value: t.double },
  adds: { half: t.double, count: t.bigint, note: t.optional(t.string) },
  each: ({ value }) => (value > 1 ? { half: value / 2, count: 1 } : null),
});

export const later = map({
  row: { months: t.intervalMonths, pause: t.duration("us"), span: t.optional(t.interval) },
  adds: { span: t.interval, days: t.intervalDays, wide: t.decimal256(76, 2) },
  each({ months, pause, span }) {
    const nanos: bigint = (span?.nanos ?? 0n) + pause * 1000n;
    return { span: { months, days: 0, nanos }, days: { days: 1, millis: 0 }, wide: 10n ** 75n };
  },
});

// @ts-expect-error: `half` is missing
export const lacking = map({ row: { value: t.double }, adds: { half: t.double }, each: () => ({ other: 1 }) });

export const batches = map({
  reads: ["value"],
  batch(batch) {
    const values = compute.cast(batch.column("value"), t.double);
    return { keep: compute.compare(values, ">", 10), columns: { ones: column(t.int, Int32Array.of(1)) } };
  },
});

export const words = transform({
  row: { text: t.string },
  out: { word: t.string },
  *each({ text }) {
    for (const word of text.split(" ")) yield { word };
  },
});

export const counted = keyed({
  key: { user: t.bigint },
  row: { at: t.timestamp },
  out: { user: t.bigint, n: t.bigint },
  state: { visit: value({ n: t.bigint }), last: list({ at: t.timestamp }), by: mapping({ item: t.string }, { n: t.bigint }) },
  each({ user }, rows, { state, timers }) {
    for (const { at } of rows) {
      state.visit = { n: (state.visit?.n ?? 0n) + 1n };
      state.last.push({ at });
      state.by.set("a", { n: 1n });
      timers.set("event-time", at);
    }
    return { user, n: state.visit?.n ?? 0n };
  },
});

export const sql = functions({
  functions: {
    twice: { arguments: { x: t.double }, returns: t.double, each: ({ x }) => x * 2 },
    named: {
      arguments: { x: t.optional(t.int) },
      returns: t.string,
      each: ({ x }) => {
        if (x === null) throw PluginError.permanent("none");
        return String(x);
      },
    },
  },
});
