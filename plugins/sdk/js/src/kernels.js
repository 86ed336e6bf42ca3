// Loops over columns that run as compiled code: in a plugin as Wasm beside the JavaScript engine, in a native test as JavaScript.
import { bytes, run, text } from "#run";
import { PluginError } from "./error.js";

const KERNEL = {
  compare: 1, arithmetic: 2, cast: 3, take: 4, takeBits: 5, takeBytes: 6, select: 7, positions: 8, combine: 9, count: 10, pack: 11,
  unpack: 12, check: 13, wideOffsets: 14, narrowOffsets: 15, characters: 16, search: 17, hashFixed: 18, hashBytes: 19,
};
const NUMBERS = [
  Int8Array, Int16Array, Int32Array, BigInt64Array, Uint8Array, Uint16Array, Uint32Array, BigUint64Array, Float32Array, Float64Array,
];
const COMPARISONS = ["<", "<=", ">", ">=", "==", "!="];
const OPERATIONS = ["+", "-", "*", "/", "%"];
const COMBINATIONS = ["and", "or", "xor", "and-not", "not"];
const SEARCHES = ["contains", "starts-with", "ends-with", "is"];
const NOTHING = new Uint8Array(0);
/** Compares fractions as Spark does: NaN is the largest, and the same as itself. */
const SPARK = 8;

/** The bytes of a typed array, or of a part of it. */
export function raw(array, start = 0, end = array.length) {
  const width = array.BYTES_PER_ELEMENT;
  return new Uint8Array(array.buffer, array.byteOffset + start * width, (end - start) * width);
}

function as(ArrayType, answer, start = 0, length = answer.length - start) {
  const at = answer.byteOffset + start;
  const whole = at % ArrayType.BYTES_PER_ELEMENT === 0;
  const from = whole ? answer.buffer : answer.slice(start, start + length).buffer;
  return new ArrayType(from, whole ? at : 0, Math.floor(length / ArrayType.BYTES_PER_ELEMENT));
}

function number(ArrayType) {
  return NUMBERS.indexOf(ArrayType) << 8;
}

function one(list, word, what) {
  const at = list.indexOf(word);
  if (at < 0) throw PluginError.permanent(`\`${word}\` is no ${what}; there are ${list.join(" ")}`);
  return at << 16;
}

/** Values, or one for all, as bytes of their type. */
function operand(value, ArrayType) {
  return raw(ArrayBuffer.isView(value) ? value : ArrayType.of(value));
}

export const kernels = {
  /** UTF-8 as a text. */
  text,
  /** A text as UTF-8. */
  bytes,

  /** A bitmap of `a[i] <operator> b[i]`; `b` may be one value. */
  compare(a, operator, b, n, spark = false) {
    const kind = one(COMPARISONS, operator, "comparison") | (spark ? SPARK << 16 : 0);
    return run(KERNEL.compare | number(a.constructor) | kind, n, 0, raw(a), operand(b, a.constructor), NOTHING);
  },

  /** `a[i] <operator> b[i]`; one of both may be one value. */
  arithmetic(a, operator, b, n) {
    const ArrayType = ArrayBuffer.isView(a) ? a.constructor : b.constructor;
    const what = KERNEL.arithmetic | number(ArrayType) | one(OPERATIONS, operator, "operation");
    return as(ArrayType, run(what, n, 0, operand(a, ArrayType), operand(b, ArrayType), NOTHING));
  },

  /** Numbers as those of another type. */
  cast(a, ArrayType, n) {
    const to = NUMBERS.indexOf(ArrayType) << 16;
    return as(ArrayType, run(KERNEL.cast | number(a.constructor) | to, n, 0, raw(a), NOTHING, NOTHING));
  },

  /** Values of `width` bytes at these rows, a `Uint32Array`. */
  take(values, width, rows) {
    return as(values.constructor, run(KERNEL.take, rows.length, width, raw(values), raw(rows), NOTHING));
  },

  /** Bits at these rows. */
  takeBits(bitmap, rows) {
    return run(KERNEL.takeBits, rows.length, 0, bitmap, raw(rows), NOTHING);
  },

  /** Texts at these rows: offsets and bytes. */
  takeBytes(offsets, values, rows) {
    const answer = run(KERNEL.takeBytes, rows.length, 0, raw(offsets), values, raw(rows));
    const end = 4 * (rows.length + 1);
    return { offsets: as(Int32Array, answer, 0, end), values: answer.subarray(end) };
  },

  /** Values of `width` bytes whose bit is set. */
  select(values, width, bitmap, n) {
    return as(values.constructor, run(KERNEL.select, n, width, raw(values), bitmap, NOTHING));
  },

  /** The rows whose bit is set. */
  positions(bitmap, n) {
    return as(Uint32Array, run(KERNEL.positions, n, 0, bitmap, NOTHING, NOTHING));
  },

  /** Two bitmaps as one, or the opposite of one. */
  combine(a, operator, b, n) {
    return run(KERNEL.combine | one(COMBINATIONS, operator, "combination"), n, 0, a, b ?? NOTHING, NOTHING);
  },

  /** How many of the first n bits are set. */
  count(bitmap, n) {
    return as(Uint32Array, run(KERNEL.count, n, 0, bitmap, NOTHING, NOTHING))[0];
  },

  /** A bit for each byte that is not 0. */
  pack(flags) {
    return run(KERNEL.pack, flags.length, 0, flags, NOTHING, NOTHING);
  },

  /** A byte, 0 or 1, for each bit from row `first` on. */
  unpack(bitmap, n, first = 0) {
    return run(KERNEL.unpack, n, first, bitmap, NOTHING, NOTHING);
  },

  /** Whether n + 1 offsets rise and stay within the limit. */
  ordered(offsets, n, limit) {
    return run(KERNEL.check, n, limit, raw(offsets), NOTHING, NOTHING)[0] === 1;
  },

  /** Where each text is in UTF-16 once all are one text. */
  wideOffsets(offsets, values, n) {
    const places = kernels.wideOffsetsOrNone(offsets, values, n);
    if (places === null) throw PluginError.permanent("the host's message has a text that is not UTF-8");
    return places;
  },

  /** The same; null if a text is not UTF-8. */
  wideOffsetsOrNone(offsets, values, n) {
    const answer = run(KERNEL.wideOffsets, n, 0, raw(offsets), values, NOTHING);
    return answer.length === 0 ? null : as(Int32Array, answer);
  },

  /** Places in a text of UTF-16 as places in its UTF-8. */
  narrowOffsets(places, utf8) {
    return as(Int32Array, run(KERNEL.narrowOffsets, places.length - 1, 0, raw(places), utf8, NOTHING));
  },

  /** How many characters each text has. */
  characters(offsets, values, n) {
    return as(Int32Array, run(KERNEL.characters, n, 0, raw(offsets), values, NOTHING));
  },

  /** A bitmap of the texts that contain, begin with, end with or are the needle. */
  search(offsets, values, kind, needle, n) {
    return run(KERNEL.search | one(SEARCHES, kind, "search"), n, 0, raw(offsets), values, bytes(needle));
  },

  /** xxHash64 of values of `width` bytes, from one seed or one each. */
  hashFixed(values, width, seeds, n) {
    return as(BigInt64Array, run(KERNEL.hashFixed, n, width, raw(values), NOTHING, operand(seeds, BigInt64Array)));
  },

  /** xxHash64 of texts or bytes. */
  hashBytes(offsets, values, seeds, n) {
    return as(BigInt64Array, run(KERNEL.hashBytes, n, 0, raw(offsets), values, operand(seeds, BigInt64Array)));
  },
};
