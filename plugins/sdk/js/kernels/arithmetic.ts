// Arithmetic, and casts between numbers. Whole numbers wrap; fractions become whole ones without what is behind the point.
import { answer, need, take } from "./memory";

// @ts-ignore: decorator
@inline
function one<T>(kind: u32, left: T, right: T): T {
  if (kind == 0) return <T>(left + right);
  if (kind == 1) return <T>(left - right);
  if (kind == 2) return <T>(left * right);
  if (isFloat<T>()) {
    if (kind == 3) return <T>(left / right);
    return <T>(left % right);
  }
  unreachable();
  return left;
}

// @ts-ignore: decorator
@inline
function loop<T>(kind: u32, n: u32, a: usize, aStep: usize, b: usize, bStep: usize, out: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    store<T>(out, one<T>(kind, load<T>(a), load<T>(b)));
    a += aStep;
    b += bStep;
    out += sizeof<T>();
  }
}

function typed<T>(kind: u32, n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  const size = <usize>n * sizeof<T>();
  const aStep: usize = aLen == sizeof<T>() ? 0 : sizeof<T>();
  const bStep: usize = bLen == sizeof<T>() ? 0 : sizeof<T>();
  need((aStep == 0 || aLen >= size) && (bStep == 0 || bLen >= size));
  const out = take(size);
  switch (kind) {
    case 0: loop<T>(0, n, a, aStep, b, bStep, out); break;
    case 1: loop<T>(1, n, a, aStep, b, bStep, out); break;
    case 2: loop<T>(2, n, a, aStep, b, bStep, out); break;
    case 3: loop<T>(3, n, a, aStep, b, bStep, out); break;
    default: loop<T>(4, n, a, aStep, b, bStep, out);
  }
  return answer(out, size);
}

/** `a[i] <kind> b[i]`; either side may be one value for all. */
export function arithmetic(type: u32, kind: u32, n: u32, a: usize, aLen: usize, b: usize, bLen: usize): usize {
  switch (type) {
    case 0: return typed<i8>(kind, n, a, aLen, b, bLen);
    case 1: return typed<i16>(kind, n, a, aLen, b, bLen);
    case 2: return typed<i32>(kind, n, a, aLen, b, bLen);
    case 3: return typed<i64>(kind, n, a, aLen, b, bLen);
    case 4: return typed<u8>(kind, n, a, aLen, b, bLen);
    case 5: return typed<u16>(kind, n, a, aLen, b, bLen);
    case 6: return typed<u32>(kind, n, a, aLen, b, bLen);
    case 7: return typed<u64>(kind, n, a, aLen, b, bLen);
    case 8: return typed<f32>(kind, n, a, aLen, b, bLen);
    case 9: return typed<f64>(kind, n, a, aLen, b, bLen);
    default: unreachable();
  }
  return 0;
}

/** What is too large becomes the largest there is, what is too small the smallest; of fractions the machine does that. */
// @ts-ignore: decorator
@inline
function fitting<F, T>(value: F): T {
  if (!isInteger<F>() || !isInteger<T>()) return <T>value;
  const narrower = sizeof<F>() > sizeof<T>() || (sizeof<F>() == sizeof<T>() && !isSigned<F>());
  if (!narrower) return <T>value;
  const most: T = sizeof<T>() == 4 ? <T>i32.MAX_VALUE : <T>i64.MAX_VALUE;
  if (isSigned<F>()) {
    const least: T = sizeof<T>() == 4 ? <T>i32.MIN_VALUE : <T>i64.MIN_VALUE;
    return <i64>value > <i64>most ? most : <i64>value < <i64>least ? least : <T>value;
  }
  return <u64>value > <u64>most ? most : <T>value;
}

function convert<F, T>(n: u32, a: usize, aLen: usize): usize {
  need(aLen >= <usize>n * sizeof<F>());
  const size = <usize>n * sizeof<T>();
  const out = take(size);
  for (let i: usize = 0; i < <usize>n; i++) {
    store<T>(out + i * sizeof<T>(), fitting<F, T>(load<F>(a + i * sizeof<F>())));
  }
  return answer(out, size);
}

function from<F>(to: u32, n: u32, a: usize, aLen: usize): usize {
  switch (to) {
    case 2: return convert<F, i32>(n, a, aLen);
    case 3: return convert<F, i64>(n, a, aLen);
    case 8: return convert<F, f32>(n, a, aLen);
    case 9: return convert<F, f64>(n, a, aLen);
    default: unreachable();
  }
  return 0;
}

/** Values as those of another type: INT, BIGINT, FLOAT or DOUBLE. */
export function cast(type: u32, to: u32, n: u32, a: usize, aLen: usize): usize {
  switch (type) {
    case 0: return from<i8>(to, n, a, aLen);
    case 1: return from<i16>(to, n, a, aLen);
    case 2: return from<i32>(to, n, a, aLen);
    case 3: return from<i64>(to, n, a, aLen);
    case 4: return from<u8>(to, n, a, aLen);
    case 5: return from<u16>(to, n, a, aLen);
    case 6: return from<u32>(to, n, a, aLen);
    case 7: return from<u64>(to, n, a, aLen);
    case 8: return from<f32>(to, n, a, aLen);
    case 9: return from<f64>(to, n, a, aLen);
    default: unreachable();
  }
  return 0;
}
