// The compiled kernels give what their JavaScript does.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { kernels as compiled } from "../build/kernels.mjs";
import * as native from "../src/native/run.js";

const tools = fileURLToPath(new URL("../build", import.meta.url));

/** Calls as the component model makes them. */
class Module {
  constructor(exports) {
    this.exports = exports;
  }

  list(bytes) {
    const at = this.exports.cabi_realloc(0, 0, 1, bytes.length);
    new Uint8Array(this.exports.memory.buffer).set(bytes, at);
    return [at, bytes.length];
  }

  run(what, n, extra, ...lists) {
    const given = lists.flatMap((bytes) => this.list(bytes));
    const answer = this.exports.run(what, n, extra, ...given);
    const view = new DataView(this.exports.memory.buffer);
    const [at, length] = [view.getUint32(answer, true), view.getUint32(answer + 4, true)];
    const bytes = new Uint8Array(this.exports.memory.buffer).slice(at, at + length);
    this.exports.release(answer);
    return bytes;
  }
}

async function module() {
  assert.ok(existsSync(`${tools}/node_modules/assemblyscript`), "the compiler is missing: run `npm ci` in build/");
  const core = await compiled(createRequire(`${tools}/package.json`), fileURLToPath(new URL("../kernels", import.meta.url)), tools);
  return new Module((await WebAssembly.instantiate(core, {})).instance.exports);
}

const raw = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const N = 203;
let seed = 7;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
const SPECIAL = [0, -0, NaN, Infinity, -Infinity, 1e300, -1.5];
const ARRAYS = [Int8Array, Int16Array, Int32Array, BigInt64Array, Uint8Array, Uint16Array, Uint32Array, BigUint64Array, Float32Array, Float64Array];

function values(ArrayType) {
  const big = ArrayType === BigInt64Array || ArrayType === BigUint64Array;
  const one = (_, i) => (big ? BigInt(Math.trunc((random() - 0.5) * 2e15)) * 4096n : i < SPECIAL.length ? SPECIAL[i] : (random() - 0.5) * 400);
  return ArrayType.from({ length: N }, one);
}

const bits = Uint8Array.from({ length: (N + 7) >> 3 }, () => Math.floor(random() * 256));
const rows = Uint32Array.from({ length: N }, () => Math.floor(random() * N));
const words = Array.from({ length: N }, (_, i) => "añ漢😀xyz".slice(0, i % 8).replace(/[\ud800-\udbff]$/, "") + (i % 5 === 0 ? "needle" : "") + "-".repeat(i % 41));
const utf8 = words.map((word) => new TextEncoder().encode(word));
const offsets = new Int32Array(N + 1);
utf8.forEach((bytes, i) => (offsets[i + 1] = offsets[i] + bytes.length));
const text = new Uint8Array(Buffer.concat(utf8));
const places = new Int32Array(N + 1);
words.forEach((word, i) => (places[i + 1] = places[i] + word.length));
const seeds = BigInt64Array.from({ length: N }, () => BigInt(Math.floor(random() * 1e15)));
const none = new Uint8Array(0);
const needle = new TextEncoder().encode("needle");

function* calls() {
  for (const [type, ArrayType] of ARRAYS.entries()) {
    const [a, b] = [values(ArrayType), values(ArrayType)];
    for (const right of [b, b.slice(0, 1)]) {
      for (let kind = 0; kind < 6; kind++) {
        yield [1 | (type << 8) | (kind << 16), N, 0, raw(a), raw(right), none];
        yield [1 | (type << 8) | ((kind | 8) << 16), N, 0, raw(a), raw(right), none];
      }
      for (let kind = 0; kind < (type < 8 ? 3 : 5); kind++) yield [2 | (type << 8) | (kind << 16), N, 0, raw(a), raw(right), none];
    }
    for (const to of [2, 3, 8, 9]) yield [3 | (type << 8) | (to << 16), N, 0, raw(a), none, none];
    yield [4, N, ArrayType.BYTES_PER_ELEMENT, raw(a), raw(rows), none];
    yield [7, N, ArrayType.BYTES_PER_ELEMENT, raw(a), bits, none];
    yield [18, N, ArrayType.BYTES_PER_ELEMENT, raw(a), none, raw(seeds)];
  }
  for (const width of [16, 32]) {
    yield [4, 50, width, raw(values(Float64Array)), raw(rows.map((row) => row % 50)), none];
    yield [7, 50, width, raw(values(Float64Array)), bits, none];
  }
  yield [5, N, 0, bits, raw(rows), none];
  yield [6, N, 0, raw(offsets), text, raw(rows)];
  yield [8, N, 0, bits, none, none];
  for (let kind = 0; kind < 5; kind++) yield [9 | (kind << 16), N, 0, bits, bits.map((byte) => byte * 31), none];
  yield [10, N, 0, bits, none, none];
  yield [11, N, 0, raw(rows).subarray(0, N), none, none];
  yield [12, 100, 5, bits, none, none];
  yield [13, N, text.length, raw(offsets), none, none];
  yield [13, N, text.length - 1, raw(offsets), none, none];
  yield [14, N, 0, raw(offsets), text, none];
  yield [14, N, 0, raw(offsets), text.map((byte, at) => (at === 99 ? 0xff : byte)), none];
  yield [15, N, 0, raw(places), text, none];
  yield [16, N, 0, raw(offsets), text, none];
  for (let kind = 0; kind < 4; kind++) yield [17 | (kind << 16), N, 0, raw(offsets), text, needle];
  yield [19, N, 0, raw(offsets), text, raw(BigInt64Array.of(42n))];
}

test("compiled kernels give the same as those in JavaScript", async () => {
  const wasm = await module();
  let count = 0;
  for (const call of calls()) {
    const [given, wanted] = [wasm.run(...call), native.run(...call)];
    assert.deepEqual(tidy(call, given), tidy(call, wanted), `kernel ${call[0] & 0xff}, type ${(call[0] >> 8) & 0xff}, kind ${(call[0] >> 16) & 0xff}`);
    count++;
  }
  assert.ok(count > 200);
});

/** Bits behind the last row say nothing. */
function tidy([what, n], bytes) {
  if (![1, 5, 9, 11, 17].includes(what & 0xff) || n % 8 === 0) return bytes;
  const own = bytes.slice();
  own[n >> 3] &= (1 << (n & 7)) - 1;
  return own;
}

test("too few bytes stop a compiled kernel", async () => {
  for (const call of [[1 | (9 << 8), 100, 0, none, raw(Float64Array.of(1)), none], [4, 4, 8, new Uint8Array(8), raw(rows), none], [99, 1, 0, none, none, none]]) {
    const wasm = await module();
    assert.throws(() => wasm.run(...call), WebAssembly.RuntimeError);
  }
});

test("the hash is Spark's xxhash64", () => {
  const of = (bytes) => new BigInt64Array(native.run(18, 1, bytes.length, bytes, none, raw(BigInt64Array.of(42n))).buffer)[0];
  assert.equal(of(new TextEncoder().encode("Spark")), -4294468057691064905n);
});
