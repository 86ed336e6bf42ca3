// What a plugin's JavaScript calls: one function for all kernels, by number, and two that change between text and UTF-8.
import { arithmetic, cast } from "./arithmetic";
import { combine, count, pack, positions, unpack } from "./bits";
import { compare } from "./compare";
import { hashBytes, hashFixed } from "./hash";
import { answer } from "./memory";
import { select, take, takeBits, takeBytes } from "./pick";
import { characters, check, narrowOffsets, search, wideOffsets } from "./text";

export { cabi_realloc, release } from "./memory";

/** `what` has the kernel in its lowest byte, then a byte each of type and kind; `extra` is what the kernel says. */
export function run(
  what: u32, n: u32, extra: u32,
  a: usize, aLen: usize, b: usize, bLen: usize, c: usize, cLen: usize,
): usize {
  const type = (what >> 8) & 0xff;
  const kind = (what >> 16) & 0xff;
  switch (what & 0xff) {
    case 1: return compare(type, kind & 7, (kind & 8) != 0, n, a, aLen, b, bLen);
    case 2: return arithmetic(type, kind, n, a, aLen, b, bLen);
    case 3: return cast(type, kind, n, a, aLen);
    case 4: return take(<usize>extra, n, a, aLen, b, bLen);
    case 5: return takeBits(n, a, aLen, b, bLen);
    case 6: return takeBytes(n, a, aLen, b, bLen, c, cLen);
    case 7: return select(<usize>extra, n, a, aLen, b, bLen);
    case 8: return positions(n, a, aLen);
    case 9: return combine(kind, n, a, aLen, b, bLen);
    case 10: return count(n, a, aLen);
    case 11: return pack(n, a, aLen);
    case 12: return unpack(n, extra, a, aLen);
    case 13: return check(n, extra, a, aLen);
    case 14: return wideOffsets(n, a, aLen, b, bLen);
    case 15: return narrowOffsets(n, a, aLen, b, bLen);
    case 16: return characters(n, a, aLen, b, bLen);
    case 17: return search(kind, n, a, aLen, b, bLen, c, cLen);
    case 18: return hashFixed(<usize>extra, n, a, aLen, c, cLen);
    case 19: return hashBytes(n, a, aLen, b, bLen, c, cLen);
    default: unreachable();
  }
  return 0;
}

/** UTF-8 as a text: the component model does it, as it hands the same bytes over as a string. */
export function text(a: usize, aLen: usize): usize {
  return answer(a, aLen);
}

/** A text as UTF-8, likewise. */
export function bytes(a: usize, aLen: usize): usize {
  return answer(a, aLen);
}
