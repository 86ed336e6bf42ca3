// Memory of the kernels: what a call brings and gives lies behind the heap's base, and is gone when the host has read the answer.

let top: usize = __heap_base;

/** Takes so many bytes, aligned for vectors. */
export function take(size: usize): usize {
  const start = (top + 15) & ~15;
  const end = start + size;
  if (end < start) unreachable();
  const pages = <usize>memory.size() << 16;
  if (end > pages) {
    const more = (end - pages + 65535) >> 16;
    if (memory.grow(<i32>more) < 0) unreachable();
  }
  top = end;
  return start;
}

/** What the component model calls for arguments; lists are never resized here. */
export function cabi_realloc(old: usize, _oldSize: usize, _align: usize, size: usize): usize {
  if (old != 0) unreachable();
  return take(size);
}

/** Everything that was taken is free again: the host has read the answer. */
export function release(_answer: usize): void {
  top = __heap_base;
}

/** Stops with a trap unless the condition holds: the caller gave too few bytes. */
// @ts-ignore: decorator
@inline
export function need(condition: bool): void {
  if (!condition) unreachable();
}

const pair: usize = memory.data(8, 8);

/** The answer of a call: a list's place and length. */
export function answer(start: usize, length: usize): usize {
  store<u32>(pair, <u32>start);
  store<u32>(pair, <u32>length, 4);
  return pair;
}
