// The kernels as JavaScript: what a native test runs, and what the compiled ones are compared with.
import { hashBytes, hashFixed } from "./hash.js";
import { characters, check, narrowOffsets, search, wideOffsets } from "./text.js";

const NUMBERS = [
  Int8Array, Int16Array, Int32Array, BigInt64Array, Uint8Array, Uint16Array, Uint32Array, BigUint64Array, Float32Array, Float64Array,
];
const COMPARE = [(a, b) => a < b, (a, b) => a <= b, (a, b) => a > b, (a, b) => a >= b, (a, b) => a === b, (a, b) => a !== b];
const ARITHMETIC = [(a, b) => a + b, (a, b) => a - b, (a, b) => a * b, (a, b) => a / b, (a, b) => a % b];
const COMBINE = [(a, b) => a & b, (a, b) => a | b, (a, b) => a ^ b, (a, b) => a & ~b, (a) => ~a];

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** UTF-8 as a text. */
export function text(utf8) {
  return decoder.decode(utf8);
}

/** A text as UTF-8. */
export function bytes(of) {
  return encoder.encode(of);
}

/** One kernel, by number; see `kernels/index.ts`. */
export function run(what, n, extra, a, b, c) {
  const [type, kind] = [(what >> 8) & 0xff, (what >> 16) & 0xff];
  switch (what & 0xff) {
    case 1: return compare(NUMBERS[type], kind, n, a, b);
    case 2: return arithmetic(NUMBERS[type], kind, n, a, b);
    case 3: return cast(NUMBERS[type], NUMBERS[kind], n, a);
    case 4: return take(extra, n, a, typed(Uint32Array, b));
    case 5: return bitmap(n, (row) => bit(a, typed(Uint32Array, b)[row]));
    case 6: return takeBytes(n, typed(Int32Array, a), b, typed(Uint32Array, c));
    case 7: return take(extra, counted(b, n), a, positions(n, b));
    case 8: return raw(positions(n, a));
    case 9: return Uint8Array.from({ length: (n + 7) >>> 3 }, (_, i) => COMBINE[kind](a[i], b[i]));
    case 10: return raw(Uint32Array.of(counted(a, n)));
    case 11: return bitmap(n, (row) => a[row] !== 0);
    case 12: return Uint8Array.from({ length: n }, (_, row) => (bit(a, row + extra) ? 1 : 0));
    case 13: return Uint8Array.of(check(n, extra, typed(Int32Array, a)) ? 1 : 0);
    case 14: return raw(wideOffsets(n, typed(Int32Array, a), b));
    case 15: return raw(narrowOffsets(n, typed(Int32Array, a), b));
    case 16: return raw(characters(n, typed(Int32Array, a), b));
    case 17: return bitmap(n, search(kind, typed(Int32Array, a), b, c));
    case 18: return raw(hashFixed(extra, n, a, typed(BigInt64Array, c)));
    case 19: return raw(hashBytes(n, typed(Int32Array, a), b, typed(BigInt64Array, c)));
    default: throw new RangeError(`there is no kernel ${what & 0xff}`);
  }
}

function raw(array) {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function typed(ArrayType, view) {
  const own = view.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0 ? view : view.slice();
  return new ArrayType(own.buffer, own.byteOffset, Math.floor(own.length / ArrayType.BYTES_PER_ELEMENT));
}

const bit = (map, row) => (map[row >>> 3] & (1 << (row & 7))) !== 0;

function bitmap(n, holds) {
  const out = new Uint8Array((n + 7) >>> 3);
  for (let row = 0; row < n; row++) if (holds(row)) out[row >>> 3] |= 1 << (row & 7);
  return out;
}

function counted(map, n) {
  let count = 0;
  for (let row = 0; row < n; row++) count += bit(map, row) ? 1 : 0;
  return count;
}

function positions(n, map) {
  return Uint32Array.from(Array.from({ length: n }, (_, row) => row).filter((row) => bit(map, row)));
}

function compare(ArrayType, kind, n, a, b) {
  const [left, right] = [typed(ArrayType, a), typed(ArrayType, b)];
  const step = right.length === 1 ? 0 : 1;
  const fraction = ArrayType === Float32Array || ArrayType === Float64Array;
  const holds = COMPARE[kind & 7];
  const order = (kind & 8) !== 0 && fraction ? sparkOrder : (value) => value;
  return bitmap(n, (row) => holds(order(left[row]), order(right[row * step])));
}

const words = new DataView(new ArrayBuffer(8));

/** A whole number that sorts as the fraction does in Spark. */
function sparkOrder(value) {
  words.setFloat64(0, Number.isNaN(value) ? NaN : value + 0);
  const bits = words.getBigInt64(0);
  return bits < 0n ? bits ^ 0x7fffffffffffffffn : bits;
}

function arithmetic(ArrayType, kind, n, a, b) {
  const [left, right] = [typed(ArrayType, a), typed(ArrayType, b)];
  const [stepA, stepB] = [left.length === 1 ? 0 : 1, right.length === 1 ? 0 : 1];
  const out = new ArrayType(n);
  const change = ArrayType === Int32Array || ArrayType === Uint32Array ? wrapped(kind) : ARITHMETIC[kind];
  for (let row = 0; row < n; row++) out[row] = change(left[row * stepA], right[row * stepB]);
  return raw(out);
}

/** A product of two numbers of 32 bits has more than a fraction holds. */
function wrapped(kind) {
  return kind === 2 ? Math.imul : ARITHMETIC[kind];
}

function cast(From, To, n, a) {
  const values = typed(From, a);
  const out = new To(n);
  for (let row = 0; row < n; row++) out[row] = changed(values[row], To);
  return raw(out);
}

function changed(value, To) {
  if (To === BigInt64Array) return within(value, -(2n ** 63n), 2n ** 63n - 1n);
  return To === Int32Array ? Number(within(value, -(2n ** 31n), 2n ** 31n - 1n)) : Number(value);
}

function within(value, least, most) {
  if (Number.isNaN(value)) return 0n;
  if (value <= least) return least;
  return value >= most ? most : BigInt(typeof value === "bigint" ? value : Math.trunc(value));
}

function take(width, n, a, rows) {
  const out = new Uint8Array(n * width);
  for (let i = 0; i < n; i++) out.set(a.subarray(rows[i] * width, (rows[i] + 1) * width), i * width);
  return out;
}

function takeBytes(n, offsets, values, rows) {
  const own = new Int32Array(n + 1);
  for (let i = 0; i < n; i++) own[i + 1] = own[i] + offsets[rows[i] + 1] - offsets[rows[i]];
  const out = new Uint8Array(4 * (n + 1) + own[n]);
  out.set(raw(own));
  for (let i = 0; i < n; i++) out.set(values.subarray(offsets[rows[i]], offsets[rows[i] + 1]), 4 * (n + 1) + own[i]);
  return out;
}
