// Batches → messages.
import { BYTES, widthOf } from "../types.js";

/** Bodies and their buffers start at multiples of it, as Arrow recommends. */
const ALIGNMENT = 64;
/** Bytes of the header before the nodes. */
const FIXED = 72;
const NO_BYTES = new Uint8Array(0);

const padded = (length) => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

/** The message of a batch. */
export function encode(batch) {
  const body = new Body();
  batch.columns.forEach((column) => body.column(column, 0, column.length));
  return body.message(batch.length);
}

/** Messages one after the other. */
export function join(messages) {
  if (messages.length === 1) return messages[0];
  const all = new Uint8Array(messages.reduce((sum, message) => sum + message.length, 0));
  let at = 0;
  for (const message of messages) {
    all.set(message, at);
    at += message.length;
  }
  return all;
}

function bytesOf(array, start = 0, end = array.length) {
  const width = array.BYTES_PER_ELEMENT;
  return new Uint8Array(array.buffer, array.byteOffset + start * width, (end - start) * width);
}

/** Bits from one row on. */
function bits(bitmap, start, end) {
  if (start === 0) return bitmap.subarray(0, (end + 7) >>> 3);
  const out = new Uint8Array((end - start + 7) >>> 3);
  for (let row = start; row < end; row++) {
    if (bitmap[row >>> 3] & (1 << (row & 7))) out[(row - start) >>> 3] |= 1 << ((row - start) & 7);
  }
  return out;
}

/** The nodes and buffers of a batch, in the order of its fields, depth first. */
class Body {
  constructor() {
    this.nodes = [];
    this.buffers = [];
  }

  /** The rows of a column from one to another. */
  column(column, start, end) {
    const { type } = column;
    const nulls = type.id === "Null" ? end - start : column.nullsIn(start, end);
    this.nodes.push(end - start, nulls);
    if (type.id === "Null") return;
    this.buffers.push(nulls === 0 ? NO_BYTES : bits(column.validity, start, end));
    this.values(column, start, end);
  }

  values(column, start, end) {
    const { type } = column;
    switch (type.id) {
      case "Boolean":
        this.buffers.push(bits(column.values, start, end));
        return;
      case "Struct":
        column.children.forEach((child) => this.column(child, start, end));
        return;
      case "FixedSizeList":
        this.column(column.children[0], start * type.size, end * type.size);
        return;
      case "List":
      case "LargeList":
      case "Map": {
        const [first, last] = this.offsets(column.offsets, start, end, type.id === "LargeList" ? 8 : 4);
        this.column(column.children[0], first, last);
        return;
      }
      default:
        if (type.id in BYTES) {
          const [first, last] = this.offsets(column.offsets, start, end, BYTES[type.id]);
          this.buffers.push(column.values.subarray(first, last));
        } else {
          const each = widthOf(type) / column.values.BYTES_PER_ELEMENT;
          this.buffers.push(bytesOf(column.values, start * each, end * each));
        }
    }
  }

  /** Writes the offsets from zero on; answers the range of values that they point to. */
  offsets(offsets, start, end, width) {
    const [first, last] = [offsets[start], offsets[end]];
    let own = offsets.subarray(start, end + 1);
    if (first !== 0) own = own.map((offset) => offset - first);
    this.buffers.push(bytesOf(width === 4 ? own : BigInt64Array.from(own, BigInt)));
    return [first, last];
  }

  /** Prefix, header and body, with one allocation. */
  message(rows) {
    const size = this.buffers.reduce((sum, buffer) => sum + padded(buffer.length), 0);
    const header = padded(8 + FIXED + 8 * this.nodes.length + 8 + 16 * this.buffers.length);
    const out = new Uint8Array(header + size);
    const view = new DataView(out.buffer);
    view.setUint32(0, 0xffffffff, true);
    view.setUint32(4, header - 8, true);
    this.header(new Words(view, 8), rows, size);
    let at = header;
    for (const buffer of this.buffers) {
      out.set(buffer, at);
      at += padded(buffer.length);
    }
    return out;
  }

  /**
   * The FlatBuffers header. Its tables always have the same fields, so their places are constants; only the two vectors at its end
   * vary. Positions in the comments count from its start.
   */
  header(out, rows, size) {
    // 0: the message's table is at 16
    out.int(16);
    // 4: its vtable: 12 bytes of 20, version at +16, header type at +18, header at +4, body length at +8
    out.shorts([12, 20, 16, 18, 4, 8]);
    // 16: its table: vtable, record batch's table at 48, body length, version 5, header type 3
    out.int(12);
    out.int(28);
    out.long(size);
    out.shorts([4, 3]);
    // 36: the record batch's vtable: 10 bytes of 20, length at +8, nodes at +4, buffers at +16
    out.shorts([10, 20, 8, 4, 16, 0]);
    // 48: its table: vtable, nodes' vector at 68, rows, buffers' vector past the nodes
    out.int(12);
    out.int(16);
    out.long(rows);
    out.int(12 + 8 * this.nodes.length);
    // 68: the nodes
    out.int(this.nodes.length / 2);
    this.nodes.forEach((number) => out.long(number));
    // 72 + 16 × nodes: padding, so that the buffers' longs are aligned; the buffers
    out.int(0);
    out.int(this.buffers.length);
    let at = 0;
    for (const buffer of this.buffers) {
      out.long(at);
      out.long(buffer.length);
      at += padded(buffer.length);
    }
  }
}

class Words {
  constructor(view, at) {
    this.view = view;
    this.at = at;
  }

  int(value) {
    this.view.setUint32(this.at, value, true);
    this.at += 4;
  }

  shorts(values) {
    for (const value of values) {
      this.view.setUint16(this.at, value, true);
      this.at += 2;
    }
  }

  /** Lengths are below 2^31. */
  long(value) {
    this.view.setUint32(this.at, value, true);
    this.at += 8;
  }
}
