// Bitmaps: Arrow's order, the first row in the lowest bit of the first byte.
import { answer, need, take } from "./memory";

// @ts-ignore: decorator
@inline
export function bit(a: usize, row: u32): u32 {
  return (load<u8>(a + (<usize>row >> 3)) >> (row & 7)) & 1;
}

/** and, or, xor, and-not; not of `a` alone. */
export function combine(kind: u32, n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  const length = <usize>(n + 7) >> 3;
  need(aLen >= length && (kind == 4 || bLen >= length));
  const out = take(length);
  for (let i: usize = 0; i < length; i++) {
    const left = load<u8>(a + i);
    if (kind == 4) store<u8>(out + i, ~left);
    else {
      const right = load<u8>(b + i);
      store<u8>(out + i, kind == 0 ? left & right : kind == 1 ? left | right : kind == 2 ? left ^ right : left & ~right);
    }
  }
  return answer(out, length);
}

/** How many of the first n bits are set. */
export function counted(n: u32, a: usize, aLen: usize): u32 {
  need(aLen >= <usize>(n + 7) >> 3);
  let count: u64 = 0;
  let row: u32 = 0;
  for (; row + 64 <= n; row += 64) count += popcnt<u64>(load<u64>(a + (<usize>row >> 3)));
  for (; row < n; row++) count += bit(a, row);
  return <u32>count;
}

export function count(n: u32, a: usize, aLen: usize): usize {
  const out = take(4);
  store<u32>(out, counted(n, a, aLen));
  return answer(out, 4);
}

/** The rows whose bit is set. */
export function positions(n: u32, a: usize, aLen: usize): usize {
  const size = <usize>counted(n, a, aLen) << 2;
  const out = take(size);
  let at = out;
  for (let row: u32 = 0; row < n; row++) {
    if (bit(a, row)) {
      store<u32>(at, row);
      at += 4;
    }
  }
  return answer(out, size);
}

/** A bit for each byte that is not 0. */
export function pack(n: u32, a: usize, aLen: usize): usize {
  need(aLen >= <usize>n);
  const length = <usize>(n + 7) >> 3;
  const out = take(length);
  memory.fill(out, 0, length);
  for (let row: usize = 0; row < <usize>n; row++) {
    const at = out + (row >> 3);
    store<u8>(at, load<u8>(at) | (u32(load<u8>(a + row) != 0) << (<u32>row & 7)));
  }
  return answer(out, length);
}

/** A byte, 0 or 1, for each bit from row `first` on. */
export function unpack(n: u32, first: u32, a: usize, aLen: usize): usize {
  need(aLen >= (<usize>n + first + 7) >> 3);
  const out = take(<usize>n);
  for (let row: u32 = 0; row < n; row++) store<u8>(out + row, <u8>bit(a, row + first));
  return answer(out, <usize>n);
}
