// The little of FlatBuffers that Arrow's messages need: tables, scalars and vectors. Every place is checked before it is read.
import { PluginError } from "../error.js";

/** What the host sent cannot be read. */
export function malformed(what) {
  return PluginError.permanent(`the host's message is malformed or cut off: ${what}`);
}

/** A table: fields by slot, each absent if its value is the default. */
export class Table {
  constructor(view, start, vtable) {
    this.view = view;
    this.start = start;
    this.vtable = vtable;
    this.size = view.getUint16(vtable, true);
  }

  static at(view, start) {
    try {
      return new Table(view, start, start - view.getInt32(start, true));
    } catch {
      throw malformed("a table");
    }
  }

  static root(view) {
    return Table.at(view, reference(view, 0));
  }

  /** The place of a field, or 0. */
  place(slot) {
    const entry = 4 + 2 * slot;
    if (entry + 2 > this.size) return 0;
    try {
      const at = this.view.getUint16(this.vtable + entry, true);
      return at === 0 ? 0 : this.start + at;
    } catch {
      throw malformed("a table");
    }
  }

  has(slot) {
    return this.place(slot) !== 0;
  }

  byte(slot, absent = 0) {
    const at = this.place(slot);
    return at === 0 ? absent : read(this.view, at, "getUint8");
  }

  short(slot, absent = 0) {
    const at = this.place(slot);
    return at === 0 ? absent : read(this.view, at, "getInt16");
  }

  int(slot, absent = 0) {
    const at = this.place(slot);
    return at === 0 ? absent : read(this.view, at, "getInt32");
  }

  /** A length: a long that is not negative and that memory may have. */
  long(slot) {
    const at = this.place(slot);
    return at === 0 ? 0 : size(this.view, at);
  }

  table(slot) {
    const at = this.place(slot);
    return at === 0 ? null : Table.at(this.view, reference(this.view, at));
  }

  text(slot) {
    const at = this.place(slot);
    if (at === 0) return null;
    const start = reference(this.view, at);
    const length = read(this.view, start, "getUint32");
    if (start + 4 + length > this.view.byteLength) throw malformed("a text");
    return new Uint8Array(this.view.buffer, this.view.byteOffset + start + 4, length);
  }

  /** Where the elements of a vector are, and how many. */
  vector(slot, width) {
    const at = this.place(slot);
    if (at === 0) return { start: 0, count: 0 };
    const start = reference(this.view, at);
    const count = read(this.view, start, "getUint32");
    if (start + 4 + count * width > this.view.byteLength) throw malformed("a vector");
    return { start: start + 4, count };
  }

  tables(slot) {
    const { start, count } = this.vector(slot, 4);
    return Array.from({ length: count }, (_, i) => Table.at(this.view, reference(this.view, start + 4 * i)));
  }
}

function read(view, at, get) {
  try {
    return view[get](at, true);
  } catch {
    throw malformed("a place past its end");
  }
}

function reference(view, at) {
  return at + read(view, at, "getUint32");
}

/** A length or a position; negative ones and those past the address space are none. */
export function size(view, at) {
  const low = read(view, at, "getUint32");
  if (read(view, at + 4, "getUint32") !== 0 || low > 0x7fffffff) throw malformed("a length");
  return low;
}

/** Writes tables from front to back: what a table refers to comes after it. */
export class Writer {
  constructor() {
    this.bytes = new Uint8Array(1024);
    this.view = new DataView(this.bytes.buffer);
    this.length = 4;
  }

  /** Writes the root; answers the whole. */
  finish(root) {
    const at = this.table(root);
    this.view.setUint32(0, at, true);
    return this.bytes.subarray(0, this.length);
  }

  room(size, align) {
    this.length = Math.ceil(this.length / align) * align;
    const start = this.length;
    this.length += size;
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, 2 * this.bytes.length));
      grown.set(this.bytes);
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    return start;
  }

  /** Slots are undefined, or [width, value] for a scalar, or a function that writes what is referred to and answers its place. */
  table(slots) {
    const places = [];
    let length = 4;
    for (const slot of slots) {
      const width = slot === undefined ? 0 : typeof slot === "function" ? 4 : slot[0];
      if (width > 0) length = Math.ceil(length / width) * width;
      places.push(width === 0 ? 0 : length);
      length += width;
    }
    const vtable = this.room(4 + 2 * slots.length, 2);
    const start = this.room(length, 8);
    this.view.setUint16(vtable, 4 + 2 * slots.length, true);
    this.view.setUint16(vtable + 2, length, true);
    places.forEach((place, slot) => this.view.setUint16(vtable + 4 + 2 * slot, place, true));
    this.view.setInt32(start, start - vtable, true);
    slots.forEach((slot, at) => slot !== undefined && this.slot(slot, start + places[at]));
    return start;
  }

  slot(slot, at) {
    if (typeof slot === "function") {
      const target = slot();
      this.view.setUint32(at, target - at, true);
    } else if (slot[0] === 1) this.view.setUint8(at, slot[1]);
    else if (slot[0] === 2) this.view.setInt16(at, slot[1], true);
    else if (slot[0] === 4) this.view.setInt32(at, slot[1], true);
    else this.view.setBigInt64(at, BigInt(slot[1]), true);
  }

  text(bytes) {
    const start = this.room(4 + bytes.length + 1, 4);
    this.view.setUint32(start, bytes.length, true);
    this.bytes.set(bytes, start + 4);
    return start;
  }

  /** A vector of tables. */
  tables(all) {
    const start = this.room(4 + 4 * all.length, 4);
    this.view.setUint32(start, all.length, true);
    all.forEach((slots, i) => {
      const place = start + 4 + 4 * i;
      // The table first: it may move everything to a larger place.
      const target = this.table(slots);
      this.view.setUint32(place, target - place, true);
    });
    return start;
  }
}
