// Comparisons: a bit for each value, eight values a byte.
import { answer, need, take } from "./memory";

/** A fraction as a whole number that sorts as it does in Spark: zeros are the same, NaN is the largest and the same as itself. */
// @ts-ignore: decorator
@inline
function order<T>(value: T): i64 {
  const wide = <f64>value;
  const clean = wide != wide ? f64.reinterpret_i64(0x7ff8000000000000) : wide + 0.0;
  const bits = i64.reinterpret_f64(clean);
  return bits ^ <i64>(<u64>(bits >> 63) >> 1);
}

// @ts-ignore: decorator
@inline
function holds<T>(kind: u32, left: T, right: T): u32 {
  if (kind == 0) return u32(left < right);
  if (kind == 1) return u32(left <= right);
  if (kind == 2) return u32(left > right);
  if (kind == 3) return u32(left >= right);
  if (kind == 4) return u32(left == right);
  return u32(left != right);
}

// One loop for each kind, so that nothing is decided within it.
// @ts-ignore: decorator
@inline
function loop<T>(kind: u32, spark: bool, n: u32, a: usize, b: usize, step: usize, out: usize): void {
  let bits: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const left = load<T>(a);
    const right = load<T>(b);
    const bit = spark ? holds<i64>(kind, order<T>(left), order<T>(right)) : holds<T>(kind, left, right);
    bits |= bit << (i & 7);
    if ((i & 7) == 7) {
      store<u8>(out++, <u8>bits);
      bits = 0;
    }
    a += sizeof<T>();
    b += step;
  }
  if (n & 7) store<u8>(out, <u8>bits);
}

function kinds<T>(kind: u32, spark: bool, n: u32, a: usize, b: usize, step: usize, out: usize): void {
  if (isFloat<T>() && spark) return loop<T>(kind, true, n, a, b, step, out);
  switch (kind) {
    case 0: return loop<T>(0, false, n, a, b, step, out);
    case 1: return loop<T>(1, false, n, a, b, step, out);
    case 2: return loop<T>(2, false, n, a, b, step, out);
    case 3: return loop<T>(3, false, n, a, b, step, out);
    case 4: return loop<T>(4, false, n, a, b, step, out);
    default: return loop<T>(5, false, n, a, b, step, out);
  }
}

function typed<T>(kind: u32, spark: bool, n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  const size = <usize>n * sizeof<T>();
  need(aLen >= size);
  // One value for all, or one for each.
  const step: usize = bLen == sizeof<T>() ? 0 : sizeof<T>();
  need(step == 0 || bLen >= size);
  const length = <usize>(n + 7) >> 3;
  const out = take(length);
  kinds<T>(kind, spark, n, a, b, step, out);
  return answer(out, length);
}

/** The bits of `a[i] <kind> b[i]`. */
export function compare(type: u32, kind: u32, spark: bool, n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  switch (type) {
    case 0: return typed<i8>(kind, spark, n, a, aLen, b, bLen);
    case 1: return typed<i16>(kind, spark, n, a, aLen, b, bLen);
    case 2: return typed<i32>(kind, spark, n, a, aLen, b, bLen);
    case 3: return typed<i64>(kind, spark, n, a, aLen, b, bLen);
    case 4: return typed<u8>(kind, spark, n, a, aLen, b, bLen);
    case 5: return typed<u16>(kind, spark, n, a, aLen, b, bLen);
    case 6: return typed<u32>(kind, spark, n, a, aLen, b, bLen);
    case 7: return typed<u64>(kind, spark, n, a, aLen, b, bLen);
    case 8: return typed<f32>(kind, spark, n, a, aLen, b, bLen);
    case 9: return typed<f64>(kind, spark, n, a, aLen, b, bLen);
    default: unreachable();
  }
  return 0;
}
