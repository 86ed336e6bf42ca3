// Values of JavaScript → columns.
import { typeName } from "./ddl.js";
import { PluginError } from "./error.js";
import { Column } from "./column.js";
import { numberToHalf } from "./half.js";
import { kernels } from "./kernels.js";
import { BYTES, Optional, arrayOf, isText, widthOf } from "./types.js";

/** A column of a type, from values; null and undefined are null. */
export function column(type, values) {
  const of = type instanceof Optional ? type.of : type;
  const all = Array.isArray(values) || ArrayBuffer.isView(values) ? values : [...values];
  if (ArrayBuffer.isView(all) && all.constructor === arrayOf(of) && of.id !== "Boolean") return ofArray(of, all);
  return built(of, all, all.length);
}

/** A column of numbers as they are, in the typed array of the type; none is null. */
function ofArray(of, values) {
  return new Column(of, (values.length * values.BYTES_PER_ELEMENT) / widthOf(of), { values });
}

/** A column of the first n of these values. */
function built(of, values, n) {
  if (of.id === "Null") return new Column(of, n);
  if (of.id === "Float64" || of.id === "Float32") return fractions(of, values, n);
  const validity = validBits(values, n);
  return new Column(of, n, { validity, ...parts(of, values, n) });
}

function validBits(values, n) {
  let flags = null;
  for (let row = 0; row < n; row++) {
    if (values[row] !== null && values[row] !== undefined) continue;
    flags ??= new Uint8Array(n).fill(1);
    flags[row] = 0;
  }
  return flags === null ? null : kernels.pack(flags);
}

/** Both in one loop, as most of what is calculated are fractions. */
function fractions(of, values, n) {
  const out = new (arrayOf(of))(n);
  let flags = null;
  for (let row = 0; row < n; row++) {
    const value = values[row];
    if (typeof value === "number") out[row] = value;
    else if (value === null || value === undefined) (flags ??= new Uint8Array(n).fill(1))[row] = 0;
    else real(of, value);
  }
  return new Column(of, n, { values: out, validity: flags === null ? null : kernels.pack(flags) });
}

function parts(of, values, n) {
  switch (of.id) {
    case "Boolean": {
      const flags = new Uint8Array(n);
      for (let row = 0; row < n; row++) flags[row] = values[row] ? 1 : 0;
      return { values: kernels.pack(flags) };
    }
    case "List":
    case "LargeList":
      return lists(of.item.type, values, n);
    case "FixedSizeList":
      return fixedLists(of, values, n);
    case "Struct":
      return { children: of.fields.map((field) => built(field.type, members(values, n, field.name), n)) };
    case "Map":
      return maps(of.entries.type, values, n);
    case "FixedSizeBinary":
      return fixedBinary(of, values, n);
    default:
      if (of.id in BYTES) return isText(of) ? texts(values, n) : binaries(values, n);
      return { values: scalars(of, values, n) };
  }
}

function members(values, n, name) {
  const all = new Array(n);
  for (let row = 0; row < n; row++) all[row] = values[row]?.[name];
  return all;
}

function scalars(of, values, n) {
  if (of.id === "Decimal128" || of.id === "Decimal256") return decimals(of, values, n);
  if (of.id === "Interval(DayTime)" || of.id === "Interval(MonthDayNano)") return intervals(of, values, n);
  const ArrayType = arrayOf(of);
  if (ArrayType === undefined) throw PluginError.permanent(`${typeName(of)} cannot leave a plugin: cast it to a plain type`);
  const out = new ArrayType(n);
  const change = changeTo(of);
  for (let row = 0; row < n; row++) {
    const value = values[row];
    if (value !== null && value !== undefined) out[row] = change(value);
  }
  return out;
}

/** What makes an element of a value, or refuses what is none. */
function changeTo(of) {
  if (of.id === "Float16") return (value) => numberToHalf(real(of, value));
  if (of.id === "Float32" || of.id === "Float64") return (value) => real(of, value);
  const [least, most] = RANGES[of.id] ?? LONG;
  const big = arrayOf(of) === BigInt64Array || arrayOf(of) === BigUint64Array;
  return big ? (value) => whole(of, value, least, most) : (value) => small(of, value, least, most);
}

const LONG = [-(2n ** 63n), 2n ** 63n - 1n];
const INT = [-(2 ** 31), 2 ** 31 - 1];
const RANGES = {
  Int8: [-128, 127], UInt8: [0, 255], Int16: [-32768, 32767], UInt16: [0, 65535], Int32: INT, Date32: INT, Time32: INT,
  "Interval(YearMonth)": INT, UInt32: [0, 2 ** 32 - 1], UInt64: [0n, 2n ** 64n - 1n],
};

function real(of, value) {
  if (typeof value === "number") return value;
  throw refused(of, value, "a number");
}

function small(of, value, least, most) {
  const plain = typeof value === "bigint" && value >= BigInt(least) && value <= BigInt(most) ? Number(value) : value;
  if (typeof plain === "number" && Number.isInteger(plain) && plain >= least && plain <= most) return plain;
  throw refused(of, value, `a whole number from ${least} to ${most}`);
}

function whole(of, value, least, most) {
  const big = typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof big === "bigint" && big >= least && big <= most) return big;
  throw refused(of, value, `a bigint from ${least} to ${most}`);
}

function refused(of, value, wanted) {
  const shown = typeof value === "string" ? JSON.stringify(value) : typeof value === "object" ? "an object" : String(value);
  return PluginError.permanent(`${shown} is no ${typeName(of)}: it takes ${wanted}`);
}

function decimals(of, values, n) {
  const words = widthOf(of) / 8;
  const out = new BigInt64Array(words * n);
  const limit = 10n ** BigInt(of.precision);
  for (let row = 0; row < n; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    let units = whole(of, value, 1n - limit, limit - 1n);
    for (let word = 0; word < words; word++) {
      // An element takes the lowest 64 bits.
      out[words * row + word] = units;
      units >>= 64n;
    }
  }
  return out;
}

function intervals(of, values, n) {
  const out = new Int32Array((n * widthOf(of)) / 4);
  const [put, members] = of.id === "Interval(DayTime)" ? [putDays, "{ days, millis }"] : [putMonths, "{ months, days, nanos }"];
  for (let row = 0; row < n; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    if (typeof value !== "object") throw refused(of, value, members);
    put(of, value, out, row);
  }
  return out;
}

function putDays(of, { days, millis }, out, row) {
  out[2 * row] = small(of, days, ...INT);
  out[2 * row + 1] = small(of, millis, ...INT);
}

function putMonths(of, { months, days, nanos }, out, row) {
  const big = whole(of, nanos, ...LONG);
  out[4 * row] = small(of, months, ...INT);
  out[4 * row + 1] = small(of, days, ...INT);
  out[4 * row + 2] = Number(BigInt.asIntN(32, big));
  out[4 * row + 3] = Number(big >> 32n);
}

/** All texts become one, which crosses to UTF-8 once. */
function texts(values, n) {
  const all = new Array(n);
  const places = new Int32Array(n + 1);
  let end = 0;
  for (let row = 0; row < n; row++) {
    const value = values[row] ?? "";
    if (typeof value !== "string") throw PluginError.permanent(`${String(value)} is no text: a STRING takes a string`);
    all[row] = value;
    end += value.length;
    places[row + 1] = end;
  }
  const joined = all.join("");
  const utf8 = kernels.bytes(whole16(all, joined));
  return { values: utf8, offsets: utf8.length === end ? places : kernels.narrowOffsets(places, utf8) };
}

/** A half of a character at the end of a text must not meet another one at the beginning of the next. */
function whole16(all, joined) {
  if (wellFormed(joined) && !all.some(cut)) return joined;
  return all.map(repaired).join("");
}

const HALF = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const wellFormed = (text) => (text.isWellFormed ? text.isWellFormed() : text.search(HALF) < 0);

function cut(text) {
  const first = text.charCodeAt(0);
  return first >= 0xdc00 && first <= 0xdfff;
}

function repaired(text) {
  return text.replace(HALF, "\ufffd");
}

function binaries(values, n) {
  const offsets = new Int32Array(n + 1);
  let end = 0;
  for (let row = 0; row < n; row++) {
    end += bytesIn(values[row])?.length ?? 0;
    offsets[row + 1] = end;
  }
  const out = new Uint8Array(end);
  for (let row = 0; row < n; row++) if (values[row]) out.set(bytesIn(values[row]), offsets[row]);
  return { values: out, offsets };
}

function bytesIn(value) {
  if (value === null || value === undefined || value instanceof Uint8Array) return value;
  throw PluginError.permanent("a BINARY takes a Uint8Array");
}

function fixedBinary(of, values, n) {
  const out = new Uint8Array(n * of.width);
  for (let row = 0; row < n; row++) {
    const value = bytesIn(values[row]);
    if (!value) continue;
    if (value.length !== of.width) throw PluginError.permanent(`${value.length} bytes are no ${typeName(of)}`);
    out.set(value, row * of.width);
  }
  return { values: out };
}

function lists(item, values, n) {
  const offsets = new Int32Array(n + 1);
  const all = [];
  for (let row = 0; row < n; row++) {
    for (const value of listIn(values[row])) all.push(value);
    offsets[row + 1] = all.length;
  }
  return { offsets, children: [built(item, all, all.length)] };
}

function listIn(value) {
  if (value === null || value === undefined) return [];
  if (typeof value === "object" && Symbol.iterator in value) return value;
  throw PluginError.permanent("an ARRAY takes an array");
}

function fixedLists(of, values, n) {
  const all = [];
  for (let row = 0; row < n; row++) {
    const value = values[row] ?? new Array(of.size).fill(null);
    if (value.length !== of.size) throw PluginError.permanent(`a list of ${value.length} where each has ${of.size}`);
    for (const item of value) all.push(item);
  }
  return { children: [built(of.item.type, all, all.length)] };
}

/** Maps, or arrays of pairs, or objects. */
function maps(pair, values, n) {
  const offsets = new Int32Array(n + 1);
  const [keys, items] = [[], []];
  for (let row = 0; row < n; row++) {
    for (const [key, value] of entriesOf(values[row])) {
      if (key === null || key === undefined) throw PluginError.permanent("the key of a MAP is null");
      keys.push(key);
      items.push(value);
    }
    offsets[row + 1] = keys.length;
  }
  const children = [built(pair.fields[0].type, keys, keys.length), built(pair.fields[1].type, items, items.length)];
  return { offsets, children: [new Column(pair, keys.length, { children })] };
}

function entriesOf(value) {
  if (value === null || value === undefined) return [];
  return typeof value === "object" && Symbol.iterator in value ? value : Object.entries(value);
}
