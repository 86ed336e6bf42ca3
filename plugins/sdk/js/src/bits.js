// A bit for each row: what a filter over batches gives.
import { kernels } from "./kernels.js";

/** Bits in Arrow's order: row i is bit i & 7 of byte i >> 3. */
export class Bits {
  constructor(bytes, length) {
    this.bytes = bytes;
    this.length = length;
  }

  /** The rows for which the function says so. */
  static where(length, holds) {
    const flags = new Uint8Array(length);
    for (let row = 0; row < length; row++) flags[row] = holds(row) ? 1 : 0;
    return Bits.of(flags);
  }

  /** From an array with something other than 0 for each row that is set. */
  static of(flags) {
    const bytes = flags instanceof Uint8Array ? flags : Uint8Array.from(flags, (flag) => (flag ? 1 : 0));
    return new Bits(kernels.pack(bytes), bytes.length);
  }

  /** All rows, or none. */
  static all(length, set = true) {
    return new Bits(new Uint8Array((length + 7) >>> 3).fill(set ? 0xff : 0), length);
  }

  /** Whether a row is set. */
  get(row) {
    return row < this.length && (this.bytes[row >>> 3] & (1 << (row & 7))) !== 0;
  }

  /** The rows of both. */
  and(other) {
    return this.combined("and", other);
  }

  /** The rows of either. */
  or(other) {
    return this.combined("or", other);
  }

  /** The rows of one of them alone. */
  xor(other) {
    return this.combined("xor", other);
  }

  /** The rows of this that are not of the other. */
  andNot(other) {
    return this.combined("and-not", other);
  }

  /** The other rows. */
  not() {
    return new Bits(kernels.combine(this.bytes, "not", null, this.length), this.length);
  }

  /** How many rows are set. */
  count() {
    return kernels.count(this.bytes, this.length);
  }

  /** The rows that are set. */
  rows() {
    return kernels.positions(this.bytes, this.length);
  }

  /** An array with 1 for each row that is set, 0 for the others. */
  flags() {
    return kernels.unpack(this.bytes, this.length);
  }

  combined(operator, other) {
    if (other.length !== this.length) throw new RangeError(`bits of ${this.length} rows and of ${other.length}`);
    return new Bits(kernels.combine(this.bytes, operator, other.bytes, this.length), this.length);
  }
}
