// xxHash64, as Spark's function of that name: of each row's bytes, from a seed for all rows or one for each.
import { answer, need, take } from "./memory";
import { ordered } from "./text";

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;

// @ts-ignore: decorator
@inline
function round(sum: u64, lane: u64): u64 {
  return rotl<u64>(sum + lane * P2, 31) * P1;
}

// @ts-ignore: decorator
@inline
function merge(hash: u64, sum: u64): u64 {
  return (hash ^ round(0, sum)) * P1 + P4;
}

function lanes(at: usize, end: usize, seed: u64): u64 {
  let one = seed + P1 + P2;
  let two = seed + P2;
  let three = seed;
  let four = seed - P1;
  for (; at + 32 <= end; at += 32) {
    one = round(one, load<u64>(at));
    two = round(two, load<u64>(at, 8));
    three = round(three, load<u64>(at, 16));
    four = round(four, load<u64>(at, 24));
  }
  const hash = rotl<u64>(one, 1) + rotl<u64>(two, 7) + rotl<u64>(three, 12) + rotl<u64>(four, 18);
  return merge(merge(merge(merge(hash, one), two), three), four);
}

/** The hash of bytes. */
export function xxhash(start: usize, length: usize, seed: u64): u64 {
  const end = start + length;
  let hash = length >= 32 ? lanes(start, end, seed) : seed + P5;
  let at = start + (length & ~31);
  hash += <u64>length;
  for (; at + 8 <= end; at += 8) hash = rotl<u64>(hash ^ round(0, load<u64>(at)), 27) * P1 + P4;
  if (at + 4 <= end) {
    hash = rotl<u64>(hash ^ (<u64>load<u32>(at) * P1), 23) * P2 + P3;
    at += 4;
  }
  for (; at < end; at++) hash = rotl<u64>(hash ^ (<u64>load<u8>(at) * P5), 11) * P1;
  hash = (hash ^ (hash >> 33)) * P2;
  hash = (hash ^ (hash >> 29)) * P3;
  return hash ^ (hash >> 32);
}

/** Hashes of values of `width` bytes; `c` has the seeds. */
export function hashFixed(width: usize, n: u32, a: usize, aLen: usize, c: usize, cLen: usize): usize {
  need(aLen >= <usize>n * width && (cLen == 8 || cLen >= <usize>n << 3));
  const step: usize = cLen == 8 ? 0 : 8;
  const out = take(<usize>n << 3);
  for (let i: usize = 0; i < <usize>n; i++) {
    store<u64>(out + (i << 3), xxhash(a + i * width, width, load<u64>(c + i * step)));
  }
  return answer(out, <usize>n << 3);
}

/** Hashes of texts or bytes. */
export function hashBytes(n: u32, a: usize, aLen: usize, b: usize, bLen: usize, c: usize, cLen: usize): usize {
  need(ordered(n, a, aLen, <u32>bLen) && (cLen == 8 || cLen >= <usize>n << 3));
  const step: usize = cLen == 8 ? 0 : 8;
  const out = take(<usize>n << 3);
  for (let i: usize = 0; i < <usize>n; i++) {
    const start = load<u32>(a + (i << 2));
    const end = load<u32>(a + (i << 2), 4);
    store<u64>(out + (i << 3), xxhash(b + start, end - start, load<u64>(c + i * step)));
  }
  return answer(out, <usize>n << 3);
}
