// Columns of every type: nulls, extremes, Unicode, none, one row.
import { t } from "../src/index.js";

const LONGEST = 2n ** 63n - 1n;
const [LEAST, MOST] = [-(2 ** 31), 2 ** 31 - 1];

/** Types, and values of them, the last of which is null. */
export const EVERY = {
  nothing: [t.null, [null, null, null]],
  yes: [t.boolean, [true, false, null]],
  tiny: [t.tinyint, [-128, 127, null]],
  small: [t.smallint, [-32768, 32767, null]],
  int: [t.int, [-2147483648, 2147483647, null]],
  big: [t.bigint, [-(2n ** 63n), LONGEST, null]],
  u8: [t.uint8, [0, 255, null]],
  u16: [t.uint16, [0, 65535, null]],
  u32: [t.uint32, [0, 4294967295, null]],
  u64: [t.uint64, [0n, 2n ** 64n - 1n, null]],
  half: [t.float16, [-0, 65504, null]],
  single: [t.float, [Infinity, 1.5, null]],
  double: [t.double, [NaN, -0, null]],
  text: [t.string, ["", "añ漢😀\u0000", null]],
  longText: [t.largeString, ["x", "ünï", null]],
  bytes: [t.binary, [new Uint8Array(0), Uint8Array.of(0, 255), null]],
  longBytes: [t.largeBinary, [Uint8Array.of(1), Uint8Array.of(2, 3), null]],
  four: [t.fixedBinary(4), [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(255, 0, 255, 0), null]],
  day: [t.date, [-719162, 20148, null]],
  millis: [t.date64, [-86400000n, 86400000n, null]],
  seconds: [t.time("s"), [0, 86399, null]],
  nanos: [t.time("ns"), [0n, 86399999999999n, null]],
  at: [t.timestamp, [-62135596800000000n, LONGEST, null]],
  clock: [t.timestampNtz, [0n, 1740830400000001n, null]],
  vienna: [t.timestampOf("ms", "Europe/Vienna"), [-1n, 1740830400000n, null]],
  price: [t.decimal(38, 10), [-(10n ** 38n - 1n), 10n ** 38n - 1n, null]],
  huge: [t.decimal256(76, 20), [-(10n ** 76n - 1n), 10n ** 76n - 1n, null]],
  pauses: [t.duration("s"), [-1n, LONGEST, null]],
  delays: [t.duration("us"), [-(2n ** 63n), LONGEST, null]],
  months: [t.intervalMonths, [LEAST, MOST, null]],
  days: [t.intervalDays, [{ days: 1, millis: -2 }, { days: LEAST, millis: MOST }, null]],
  span: [t.interval, [{ months: -1, days: 2, nanos: -3n }, { months: MOST, days: LEAST, nanos: -(2n ** 63n) }, null]],
  spans: [t.array(t.interval), [[{ months: 0, days: 0, nanos: LONGEST }, null], [], null]],
  tags: [t.array(t.string), [["a", null, "b"], [], null]],
  nested: [t.array(t.array(t.bigint)), [[[1n], null, []], [[2n, 3n]], null]],
  wide: [t.largeArray(t.double), [[1.5], [], null]],
  pair: [t.fixedArray(t.int, 2), [[1, null], [3, 4], null]],
  place: [t.struct({ lat: t.double, name: t.string }), [{ lat: 1.5, name: null }, { lat: null, name: "x" }, null]],
  counts: [t.map(t.string, t.int), [new Map([["a", 1], ["b", null]]), new Map(), null]],
};
