// Work on whole columns, compiled. A row that is null gives null, or no bit.
import { Batch } from "./batch.js";
import { Bits } from "./bits.js";
import { Column } from "./column.js";
import { typeName } from "./ddl.js";
import { PluginError } from "./error.js";
import { kernels } from "./kernels.js";
import { BYTES, arrayOf, t, widthOf } from "./types.js";

const COUNTED = new Set([
  "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "Date32", "Date64", "Time32", "Time64",
  "Timestamp", "Duration", "Interval(YearMonth)",
]);
/** Types that Spark hashes in another way than by the bytes of their values. */
const UNHASHED = new Set(["Decimal128", "Decimal256", "Interval(DayTime)", "Interval(MonthDayNano)"]);

function numbers(column, what) {
  if (COUNTED.has(column.type.id)) return column.values;
  throw PluginError.permanent(`${typeName(column.type)} has no values to ${what}`);
}

/** The value for the other side: a column of the same type, or one value as its elements are. */
function other(column, value) {
  if (!(value instanceof Column)) return typeof column.values[0] === "bigint" || arrayOf(column.type) === BigInt64Array ? big(value) : value;
  if (arrayOf(value.type) === arrayOf(column.type)) return value.length === column.length ? value.values : lengths(column, value);
  throw PluginError.permanent(`${typeName(column.type)} and ${typeName(value.type)}: cast one of them`);
}

function lengths(column, value) {
  throw PluginError.permanent(`${column.length} rows and ${value.length}`);
}

function big(value) {
  if (typeof value === "bigint") return value;
  if (Number.isSafeInteger(value)) return BigInt(value);
  throw PluginError.permanent(`${value} is no whole number; cast the column to DOUBLE for fractions`);
}

function bothValid(column, value) {
  const [one, two] = [column.valid, value instanceof Column ? value.valid : null];
  return one === null ? two : two === null ? one : one.and(two);
}

function masked(bits, valid) {
  return valid === null ? bits : bits.and(valid);
}

/**
 * The rows of `column <operator> other`: `<`, `<=`, `>`, `>=`, `==` or `!=`, with a value or a column of the same type.
 * NaN is as in JavaScript; with `nan: "largest"` as in Spark.
 */
export function compare(column, operator, value, { nan = "unordered" } = {}) {
  const right = other(column, value);
  const bits = kernels.compare(numbers(column, "compare"), operator, right, column.length, nan === "largest");
  return masked(new Bits(bits, column.length), bothValid(column, value));
}

function arithmetic(column, operator, value) {
  const values = kernels.arithmetic(numbers(column, "calculate with"), operator, other(column, value), column.length);
  const valid = bothValid(column, value);
  return new Column(column.type, column.length, { values, validity: valid === null ? null : valid.bytes });
}

/** Sums. Whole numbers wrap. */
export const add = (column, value) => arithmetic(column, "+", value);
/** Differences. */
export const subtract = (column, value) => arithmetic(column, "-", value);
/** Products. */
export const multiply = (column, value) => arithmetic(column, "*", value);
/** Quotients of fractions. */
export const divide = (column, value) => arithmetic(fraction(column), "/", value);
/** What a division of fractions leaves. */
export const remainder = (column, value) => arithmetic(fraction(column), "%", value);

function fraction(column) {
  if (column.type.id === "Float32" || column.type.id === "Float64") return column;
  throw PluginError.permanent(`${typeName(column.type)} is no fraction: cast it to DOUBLE first`);
}

/** Numbers as INT, BIGINT, FLOAT or DOUBLE; what is too large becomes the largest, and NaN 0. */
export function cast(column, type) {
  if (column.type.id === type.id) return column;
  if (![t.int, t.bigint, t.float, t.double].includes(type)) throw PluginError.permanent(`a column is not cast to ${typeName(type)}`);
  const values = kernels.cast(numbers(column, "cast"), arrayOf(type), column.length);
  return new Column(type, column.length, { values, validity: column.validity });
}

/** The rows of these numbers, in that order. */
export function take(column, rows) {
  const picked = rows instanceof Uint32Array ? rows : Uint32Array.from(rows);
  const beyond = picked.find((row) => row >= column.length);
  if (beyond !== undefined) throw PluginError.permanent(`row ${beyond} of ${column.length}`);
  return taken(column, picked);
}

function taken(column, rows) {
  const { type, validity, values, offsets, children } = column;
  const n = rows.length;
  if (type.id === "Null") return new Column(type, n);
  const valid = validity === null ? null : kernels.takeBits(validity, rows);
  const made = (parts) => new Column(type, n, { validity: valid, ...parts });
  switch (type.id) {
    case "Boolean":
      return made({ values: kernels.takeBits(values, rows) });
    case "Struct":
      return made({ children: children.map((child) => taken(child, rows)) });
    case "FixedSizeList":
      return made({ children: [taken(children[0], spread(rows, (row) => [row * type.size, (row + 1) * type.size]))] });
    case "List":
    case "LargeList":
    case "Map": {
      const range = (row) => [offsets[row], offsets[row + 1]];
      return made({ offsets: ends(rows, range), children: [taken(children[0], spread(rows, range))] });
    }
    default:
      if (type.id in BYTES) return made(kernels.takeBytes(offsets, values, rows));
      return made({ values: kernels.take(values, widthOf(type), rows) });
  }
}

function ends(rows, range) {
  const out = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    const [start, end] = range(row);
    out[i + 1] = out[i] + end - start;
  });
  return out;
}

function spread(rows, range) {
  const out = [];
  for (const row of rows) {
    const [start, end] = range(row);
    for (let at = start; at < end; at++) out.push(at);
  }
  return Uint32Array.from(out);
}

/** The rows whose bit is set. */
export function filter(column, bits) {
  if (bits.length !== column.length) throw PluginError.permanent(`${bits.length} bits for ${column.length} rows`);
  const { type, validity } = column;
  if (validity === null && widthOf(type) !== undefined) {
    const values = kernels.select(column.values, widthOf(type), bits.bytes, column.length);
    return new Column(type, (values.length * values.BYTES_PER_ELEMENT) / (widthOf(type) || 1), { values });
  }
  return taken(column, bits.rows());
}

/** The rows of a batch of these numbers. */
export function takeBatch(batch, rows) {
  const picked = rows instanceof Uint32Array ? rows : Uint32Array.from(rows);
  return new Batch(batch.schema, batch.columns.map((column) => take(column, picked)), picked.length);
}

/** The rows of a batch whose bit is set. */
export function filterBatch(batch, bits) {
  return takeBatch(batch, bits.rows());
}

function texts(column) {
  if (column.type.id in BYTES) return column;
  throw PluginError.permanent(`${typeName(column.type)} is no text`);
}

function search(column, kind, needle) {
  const { offsets, values, length, valid } = texts(column);
  return masked(new Bits(kernels.search(offsets, values, kind, needle, length), length), valid);
}

/** The rows whose text contains this one. */
export const contains = (column, needle) => search(column, "contains", needle);
/** The rows whose text begins with this one. */
export const startsWith = (column, needle) => search(column, "starts-with", needle);
/** The rows whose text ends with this one. */
export const endsWith = (column, needle) => search(column, "ends-with", needle);
/** The rows whose text is this one. */
export const equals = (column, needle) => search(column, "is", needle);

/** How many characters each text has, an INT. */
export function characters(column) {
  const { offsets, values, length, validity } = texts(column);
  return new Column(t.int, length, { values: kernels.characters(offsets, values, length), validity });
}

/** Spark's xxhash64 of columns, a BIGINT: of null, what the columns before it gave. */
export function hash(...columns) {
  const length = columns[0]?.length ?? 0;
  let hashes = new BigInt64Array(length).fill(42n);
  for (const column of columns) hashes = hashed(column, hashes);
  return new Column(t.bigint, length, { values: hashes });
}

function hashed(column, seeds) {
  const { type, length } = column;
  const after = type.id in BYTES ? kernels.hashBytes(column.offsets, column.values, seeds, length) : hashedFixed(column, seeds);
  if (column.validity !== null) for (let row = 0; row < length; row++) if (column.isNull(row)) after[row] = seeds[row];
  return after;
}

/** Spark takes narrow numbers as INT, BOOLEAN too, and both zeros as one. */
function hashedFixed(column, seeds) {
  const { type, values, length } = column;
  if (type.id === "Boolean") return kernels.hashFixed(Int32Array.from(kernels.unpack(values, length)), 4, seeds, length);
  if (type.id === "Int8" || type.id === "Int16") return kernels.hashFixed(Int32Array.from(values), 4, seeds, length);
  if (type.id === "Float32" || type.id === "Float64") {
    return kernels.hashFixed(kernels.arithmetic(values, "+", 0, length), widthOf(type), seeds, length);
  }
  if (widthOf(type) === undefined || UNHASHED.has(type.id)) throw PluginError.permanent(`${typeName(type)} is not hashed`);
  return kernels.hashFixed(values, widthOf(type), seeds, length);
}
