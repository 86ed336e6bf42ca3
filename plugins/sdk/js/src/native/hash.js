// xxHash64 as JavaScript.

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

const u64 = (value) => BigInt.asUintN(64, value);
const rotl = (value, by) => u64((value << BigInt(by)) | (value >> BigInt(64 - by)));
const round = (sum, lane) => u64(rotl(u64(sum + lane * P2), 31) * P1);
const merge = (hash, sum) => u64((hash ^ round(0n, sum)) * P1 + P4);

function lanes(view, seed) {
  let [one, two, three, four] = [u64(seed + P1 + P2), u64(seed + P2), seed, u64(seed - P1)];
  for (let at = 0; at + 32 <= view.byteLength; at += 32) {
    one = round(one, view.getBigUint64(at, true));
    two = round(two, view.getBigUint64(at + 8, true));
    three = round(three, view.getBigUint64(at + 16, true));
    four = round(four, view.getBigUint64(at + 24, true));
  }
  const hash = u64(rotl(one, 1) + rotl(two, 7) + rotl(three, 12) + rotl(four, 18));
  return [one, two, three, four].reduce(merge, hash);
}

/** The hash of bytes. */
export function xxhash(bytes, signed) {
  const seed = u64(signed);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = u64((bytes.length >= 32 ? lanes(view, seed) : u64(seed + P5)) + BigInt(bytes.length));
  let at = bytes.length - (bytes.length % 32);
  for (; at + 8 <= bytes.length; at += 8) hash = u64(rotl(hash ^ round(0n, view.getBigUint64(at, true)), 27) * P1 + P4);
  if (at + 4 <= bytes.length) {
    hash = u64(rotl(hash ^ u64(BigInt(view.getUint32(at, true)) * P1), 23) * P2 + P3);
    at += 4;
  }
  for (; at < bytes.length; at++) hash = u64(rotl(hash ^ u64(BigInt(bytes[at]) * P5), 11) * P1);
  hash = u64((hash ^ (hash >> 33n)) * P2);
  hash = u64((hash ^ (hash >> 29n)) * P3);
  return BigInt.asIntN(64, hash ^ (hash >> 32n));
}

const seedOf = (seeds, row) => seeds[seeds.length === 1 ? 0 : row];

/** Hashes of values of a fixed width. */
export function hashFixed(width, n, values, seeds) {
  const one = (_, row) => xxhash(values.subarray(row * width, (row + 1) * width), seedOf(seeds, row));
  return BigInt64Array.from({ length: n }, one);
}

/** Hashes of texts or bytes. */
export function hashBytes(n, offsets, values, seeds) {
  const one = (_, row) => xxhash(values.subarray(offsets[row], offsets[row + 1]), seedOf(seeds, row));
  return BigInt64Array.from({ length: n }, one);
}
