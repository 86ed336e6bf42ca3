// Texts: UTF-8 with offsets of 32 bits, as Arrow's STRING.
import { answer, need, take } from "./memory";

/** Whether the offsets rise and stay within the bytes. */
export function ordered(n: u32, a: usize, aLen: usize, limit: u32): bool {
  if (aLen < (<usize>n + 1) << 2) return false;
  let before = load<u32>(a);
  let good = true;
  for (let i: usize = 1; i <= <usize>n; i++) {
    const next = load<u32>(a + (i << 2));
    good = good && next >= before;
    before = next;
  }
  return good && before <= limit;
}

/** One byte: 1 if the offsets are in order. */
export function check(n: u32, limit: u32, a: usize, aLen: usize): usize {
  const out = take(1);
  store<u8>(out, u8(ordered(n, a, aLen, limit)));
  return answer(out, 1);
}

// @ts-ignore: decorator
@inline
function follows(at: usize, end: usize, count: usize): bool {
  if (at + count >= end) return false;
  for (let i: usize = 1; i <= count; i++) {
    if ((load<u8>(at + i) & 0xc0) != 0x80) return false;
  }
  return true;
}

/** Bytes of the character at `at`; 0 if there is none by the rules of UTF-8. */
function width(at: usize, end: usize): usize {
  const lead = load<u8>(at);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const next: u32 = at + 1 < end ? load<u8>(at + 1) : 0;
  if (lead < 0xe0) return follows(at, end, 1) ? 2 : 0;
  if (lead < 0xf0) {
    if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f)) return 0;
    return follows(at, end, 2) ? 3 : 0;
  }
  if ((lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next > 0x8f)) return 0;
  return follows(at, end, 3) ? 4 : 0;
}

/** Where each text begins, and the last one ends, once all are one text of UTF-16; nothing if one of them is not UTF-8. */
export function wideOffsets(n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  if (!ordered(n, a, aLen, <u32>bLen)) return answer(0, 0);
  const size = (<usize>n + 1) << 2;
  const out = take(size);
  let units: u32 = 0;
  let at = b + load<u32>(a);
  store<u32>(out, 0);
  for (let i: usize = 1; i <= <usize>n; i++) {
    const end = b + load<u32>(a + (i << 2));
    while (at < end) {
      const bytes = width(at, end);
      if (bytes == 0) return answer(0, 0);
      units += bytes == 4 ? 2 : 1;
      at += bytes;
    }
    store<u32>(out + (i << 2), units);
  }
  return answer(out, size);
}

/** The other way: places in UTF-16 become places in the UTF-8 of the same text. */
export function narrowOffsets(n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  need(aLen >= (<usize>n + 1) << 2);
  const size = (<usize>n + 1) << 2;
  const out = take(size);
  let units: u32 = 0;
  let at: usize = 0;
  for (let i: usize = 0; i <= <usize>n; i++) {
    const wanted = load<u32>(a + (i << 2));
    while (units < wanted && at < bLen) {
      const lead = load<u8>(b + at);
      const bytes: usize = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      units += bytes == 4 ? 2 : 1;
      at += bytes;
    }
    store<u32>(out + (i << 2), <u32>at);
  }
  return answer(out, size);
}

/** How many characters each text has. */
export function characters(n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  need(ordered(n, a, aLen, <u32>bLen));
  const out = take(<usize>n << 2);
  for (let i: usize = 0; i < <usize>n; i++) {
    const end = b + load<u32>(a + (i << 2), 4);
    let count: u32 = 0;
    for (let at = b + load<u32>(a + (i << 2)); at < end; at++) count += u32((load<u8>(at) & 0xc0) != 0x80);
    store<u32>(out + (i << 2), count);
  }
  return answer(out, <usize>n << 2);
}

// @ts-ignore: decorator
@inline
function same(a: usize, b: usize, length: usize): bool {
  return memory.compare(a, b, length) == 0;
}

function contains(at: usize, end: usize, needle: usize, length: usize): bool {
  if (length == 0) return true;
  if (end - at < length) return false;
  const first = load<u8>(needle);
  const last = end - length;
  for (; at <= last; at++) {
    if (load<u8>(at) == first && same(at, needle, length)) return true;
  }
  return false;
}

/** A bit for each text that contains, begins with, ends with or is the needle. */
export function search(kind: u32, n: u32, a: usize, aLen: usize, b: usize, bLen: usize, c: usize, cLen: usize): usize {
  need(ordered(n, a, aLen, <u32>bLen));
  const length = <usize>(n + 7) >> 3;
  const out = take(length);
  memory.fill(out, 0, length);
  for (let i: u32 = 0; i < n; i++) {
    const start = b + load<u32>(a + (<usize>i << 2));
    const end = b + load<u32>(a + (<usize>i << 2), 4);
    const size = end - start;
    let found = false;
    if (kind == 0) found = contains(start, end, c, cLen);
    else if (kind == 3) found = size == cLen && same(start, c, cLen);
    else found = size >= cLen && same(kind == 1 ? start : end - cLen, c, cLen);
    const at = out + (<usize>i >> 3);
    store<u8>(at, load<u8>(at) | (u32(found) << (i & 7)));
  }
  return answer(out, length);
}
