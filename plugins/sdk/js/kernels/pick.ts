// Rows of a column: by their numbers, or by a bitmap.
import { answer, need, take as reserve } from "./memory";
import { bit, counted } from "./bits";

// @ts-ignore: decorator
@inline
function fixed<T>(n: u32, a: usize, aLen: usize, b: usize, out: usize): void {
  const limit = <u32>(aLen / sizeof<T>());
  for (let i: usize = 0; i < <usize>n; i++) {
    const row = load<u32>(b + (i << 2));
    need(row < limit);
    store<T>(out + i * sizeof<T>(), load<T>(a + <usize>row * sizeof<T>()));
  }
}

function wide(n: u32, width: usize, a: usize, aLen: usize, b: usize, out: usize): void {
  const limit = width == 0 ? u32.MAX_VALUE : <u32>(aLen / width);
  for (let i: usize = 0; i < <usize>n; i++) {
    const row = load<u32>(b + (i << 2));
    need(row < limit);
    memory.copy(out + i * width, a + <usize>row * width, width);
  }
}

/** Values of `width` bytes, of the rows that `b` names. */
export function take(width: usize, n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  need(bLen >= <usize>n << 2);
  const size = <usize>n * width;
  const out = reserve(size);
  switch (<u32>width) {
    case 1: fixed<u8>(n, a, aLen, b, out); break;
    case 2: fixed<u16>(n, a, aLen, b, out); break;
    case 4: fixed<u32>(n, a, aLen, b, out); break;
    case 8: fixed<u64>(n, a, aLen, b, out); break;
    default: wide(n, width, a, aLen, b, out);
  }
  return answer(out, size);
}

/** Bits of the rows that `b` names. */
export function takeBits(n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  need(bLen >= <usize>n << 2);
  const length = <usize>(n + 7) >> 3;
  const out = reserve(length);
  memory.fill(out, 0, length);
  for (let i: u32 = 0; i < n; i++) {
    const row = load<u32>(b + (<usize>i << 2));
    need(<usize>row >> 3 < aLen);
    const at = out + (<usize>i >> 3);
    store<u8>(at, load<u8>(at) | (bit(a, row) << (i & 7)));
  }
  return answer(out, length);
}

/** Texts or bytes of the rows that `c` names: n + 1 offsets, then what they point to. */
export function takeBytes(n: u32, a: usize, aLen: usize, b: usize, bLen: usize, c: usize, cLen: usize): usize {
  need(cLen >= <usize>n << 2);
  const rows = aLen >= 4 ? <u32>(aLen >> 2) - 1 : 0;
  let size: u64 = 0;
  const offsets = (<usize>n + 1) << 2;
  const out = reserve(offsets);
  store<u32>(out, 0);
  for (let i: usize = 0; i < <usize>n; i++) {
    const row = load<u32>(c + (i << 2));
    need(row < rows);
    const start = load<u32>(a + (<usize>row << 2));
    const end = load<u32>(a + (<usize>row << 2), 4);
    need(start <= end && <usize>end <= bLen);
    size += end - start;
    store<u32>(out + (i << 2), <u32>size, 4);
  }
  need(size <= 0x7fffffff);
  let at = reserve(<usize>size);
  // The bytes stand right behind the offsets: the space between them is closed.
  at = out + offsets;
  for (let i: usize = 0; i < <usize>n; i++) {
    const row = <usize>load<u32>(c + (i << 2)) << 2;
    const start = load<u32>(a + row);
    const length = load<u32>(a + row, 4) - start;
    memory.copy(at, b + start, length);
    at += length;
  }
  return answer(out, offsets + <usize>size);
}

// @ts-ignore: decorator
@inline
function chosen<T>(n: u32, a: usize, b: usize, out: usize): void {
  // Every value is stored, and the next one over it unless it is chosen: no branch that nobody can foresee.
  for (let row: u32 = 0; row < n; row++) {
    store<T>(out, load<T>(a + <usize>row * sizeof<T>()));
    out += <usize>bit(b, row) * sizeof<T>();
  }
}

/** Values of `width` bytes whose bit is set. */
export function select(width: usize, n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  need(aLen >= <usize>n * width);
  const kept = counted(n, b, bLen);
  const size = <usize>kept * width;
  const out = reserve(size + width);
  switch (<u32>width) {
    case 1: chosen<u8>(n, a, b, out); break;
    case 2: chosen<u16>(n, a, b, out); break;
    case 4: chosen<u32>(n, a, b, out); break;
    case 8: chosen<u64>(n, a, b, out); break;
    default: {
      let at = out;
      for (let row: u32 = 0; row < n; row++) {
        if (!bit(b, row)) continue;
        memory.copy(at, a + <usize>row * width, width);
        at += width;
      }
    }
  }
  return answer(out, size);
}
