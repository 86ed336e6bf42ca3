// One column: Arrow's buffers as typed arrays, and its values as those of JavaScript.
import { Bits } from "./bits.js";
import { PluginError } from "./error.js";
import { halfToNumber } from "./half.js";
import { kernels } from "./kernels.js";
import { isText } from "./types.js";

/**
 * A column. `values` is a typed array of its type, the bits of BOOLEAN, or the bytes that `offsets` point into; lists, maps and structs
 * have `children`. `validity` has a bit for each row that is not null, and is null itself if none is.
 */
export class Column {
  constructor(type, length, { validity = null, values = null, offsets = null, children = null } = {}) {
    this.type = type;
    this.length = length;
    this.validity = validity;
    this.values = values;
    this.offsets = offsets;
    this.children = children;
    this.read_ = null;
    this.valid_ = undefined;
  }

  /** Whether a row is null. */
  isNull(row) {
    if (this.type.id === "Null") return true;
    return this.validity !== null && (this.validity[row >>> 3] & (1 << (row & 7))) === 0;
  }

  /** The rows that are not null, or null if all are not. */
  get valid() {
    if (this.type.id === "Null") return Bits.all(this.length, false);
    return this.validity === null ? null : new Bits(this.validity, this.length);
  }

  /** How many rows are null. */
  get nullCount() {
    if (this.type.id === "Null") return this.length;
    this.valid_ ??= this.validity === null ? this.length : kernels.count(this.validity, this.length);
    return this.length - this.valid_;
  }

  /** How many rows from one to another are null. */
  nullsIn(start, end) {
    if (this.validity === null) return 0;
    if (start === 0 && end === this.length) return this.nullCount;
    let nulls = 0;
    for (let row = start; row < end; row++) nulls += this.isNull(row) ? 1 : 0;
    return nulls;
  }

  /** The value of a row; null if it is null. */
  get(row) {
    if (row < 0 || row >= this.length) throw new RangeError(`row ${row} of ${this.length}`);
    return this.isNull(row) ? null : this.reader(row);
  }

  /** What reads a value of a row that is not null. */
  get reader() {
    this.read_ ??= readerOf(this);
    return this.read_;
  }

  /** All values. */
  toArray() {
    return Array.from({ length: this.length }, (_, row) => this.get(row));
  }

  /** The values, in order. */
  *[Symbol.iterator]() {
    for (let row = 0; row < this.length; row++) yield this.get(row);
  }

  /** The same values and nulls under other validity. */
  withValidity(bits) {
    const { values, offsets, children } = this;
    return new Column(this.type, this.length, { validity: bits === null ? null : bits.bytes, values, offsets, children });
  }
}

const BIG = 64n;

/** A function from a row to its value, for each layout. */
function readerOf(column) {
  const { type, values, offsets, children } = column;
  switch (type.id) {
    case "Null":
      return () => null;
    case "Boolean":
      return (row) => (values[row >>> 3] & (1 << (row & 7))) !== 0;
    case "Float16":
      return (row) => halfToNumber(values[row]);
    case "Decimal128":
      return (row) => (values[2 * row + 1] << BIG) | BigInt.asUintN(64, values[2 * row]);
    case "Decimal256":
      return (row) => (half(values, 4 * row + 2) << 128n) | BigInt.asUintN(128, half(values, 4 * row));
    case "Interval(DayTime)":
      return (row) => ({ days: values[2 * row], millis: values[2 * row + 1] });
    case "Interval(MonthDayNano)":
      return (row) => ({ months: values[4 * row], days: values[4 * row + 1], nanos: nanos(values[4 * row + 2], values[4 * row + 3]) });
    case "FixedSizeBinary":
      return (row) => values.slice(row * type.width, (row + 1) * type.width);
    case "Binary":
    case "LargeBinary":
      return (row) => values.slice(offsets[row], offsets[row + 1]);
    case "List":
    case "LargeList":
      return (row) => items(children[0], offsets[row], offsets[row + 1]);
    case "FixedSizeList":
      return (row) => items(children[0], row * type.size, (row + 1) * type.size);
    case "Struct":
      return structs(type.fields, children);
    case "Map":
      return maps(children[0].children, offsets);
    default:
      return isText(type) ? texts(column) : (row) => values[row];
  }
}

/** 128 of 256 bits. */
function half(values, at) {
  return (values[at + 1] << BIG) | BigInt.asUintN(64, values[at]);
}

function nanos(low, high) {
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

function items(child, start, end) {
  const all = new Array(end - start);
  for (let row = start; row < end; row++) all[row - start] = child.get(row);
  return all;
}

function structs(fields, children) {
  return (row) => {
    const value = {};
    fields.forEach((field, at) => (value[field.name] = children[at].get(row)));
    return value;
  };
}

function maps([keys, values], offsets) {
  return (row) => {
    const value = new Map();
    for (let entry = offsets[row]; entry < offsets[row + 1]; entry++) value.set(keys.get(entry), values.get(entry));
    return value;
  };
}

/** All texts become one, once, so that each is only cut out of it. */
function texts({ values, offsets, length }) {
  if (length === 0) return () => "";
  const places = kernels.wideOffsets(offsets, values, length);
  const all = kernels.text(values.subarray(offsets[0], offsets[length]));
  if (all.length !== places[length]) throw PluginError.permanent("a column of texts was not read as it is");
  return (row) => all.substring(places[row], places[row + 1]);
}
