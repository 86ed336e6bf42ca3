// Types of columns, and what each is in JavaScript.

/** A type: what Arrow calls it, and what else it needs. Two types are the same if `sameType` says so. */
function type(id, more = {}) {
  return Object.freeze({ id, ...more });
}

const plain = (id) => type(id);
const unsigned = (bits) => type(`UInt${bits}`);

/** A column, or a field of a struct. */
export class Field {
  constructor(name, of, nullable = true, metadata = []) {
    this.name = name;
    this.type = of;
    this.nullable = nullable;
    this.metadata = metadata;
  }

  /** The same under another name. */
  named(name) {
    return new Field(name, this.type, this.nullable, this.metadata);
  }

  /** The same, and it may be null. */
  asNullable() {
    return this.nullable ? this : new Field(this.name, this.type, true, this.metadata);
  }
}

/** A type that may be null: in a row's columns, where null is an error without it. */
export class Optional {
  constructor(of) {
    this.of = of;
  }
}

/** A column that has another name than the member of the row. */
export class Renamed {
  constructor(column, of) {
    this.column = column;
    this.of = of;
  }
}

/** Types, called as in SQL. */
export const t = Object.freeze({
  null: plain("Null"),
  boolean: plain("Boolean"),
  tinyint: plain("Int8"),
  smallint: plain("Int16"),
  int: plain("Int32"),
  bigint: plain("Int64"),
  uint8: unsigned(8),
  uint16: unsigned(16),
  uint32: unsigned(32),
  uint64: unsigned(64),
  float16: plain("Float16"),
  float: plain("Float32"),
  double: plain("Float64"),
  string: plain("Utf8"),
  largeString: plain("LargeUtf8"),
  binary: plain("Binary"),
  largeBinary: plain("LargeBinary"),
  date: plain("Date32"),
  date64: plain("Date64"),
  timestamp: type("Timestamp", { unit: "us", zone: "UTC" }),
  timestampNtz: type("Timestamp", { unit: "us", zone: null }),
  /** A moment in another unit (`s`, `ms`, `us`, `ns`) or zone. */
  timestampOf: (unit, zone = null) => type("Timestamp", { unit, zone }),
  /** A time of day: in `s` or `ms` of 32 bits, in `us` or `ns` of 64. */
  time: (unit) => type(unit === "s" || unit === "ms" ? "Time32" : "Time64", { unit }),
  /** A length of time in `s`, `ms`, `us` or `ns`. */
  duration: (unit) => type("Duration", { unit }),
  /** Months, days and nanoseconds, each with its own sign. */
  interval: plain("Interval(MonthDayNano)"),
  /** Days and milliseconds. */
  intervalDays: plain("Interval(DayTime)"),
  intervalMonths: plain("Interval(YearMonth)"),
  decimal: (precision = 10, scale = 0) => type("Decimal128", { precision, scale }),
  /** Of up to 76 digits. */
  decimal256: (precision = 76, scale = 0) => type("Decimal256", { precision, scale }),
  fixedBinary: (width) => type("FixedSizeBinary", { width }),
  array: (of) => type("List", { item: field("item", of, true) }),
  largeArray: (of) => type("LargeList", { item: field("item", of, true) }),
  fixedArray: (of, size) => type("FixedSizeList", { item: field("item", of, true), size }),
  struct: (members) => type("Struct", { fields: Object.entries(members).map(([name, of]) => field(name, of, true)) }),
  map: (key, value) => mapOf(field("key", key, false), field("value", value, true)),
  /** The same, and it may be null. */
  optional: (of) => new Optional(of),
  /** A column of that name. */
  column: (name, of) => new Renamed(name, of),
});

function mapOf(key, value) {
  return type("Map", { entries: new Field("entries", type("Struct", { fields: [key, value] }), false), sorted: false });
}

function field(name, of, nullable) {
  if (of instanceof Field) return of.named(name);
  return of instanceof Optional ? new Field(name, of.of, true) : new Field(name, of, nullable);
}

/** The columns of a batch. */
export class Schema {
  constructor(fields, metadata = []) {
    this.fields = fields;
    this.metadata = metadata;
    this.names = fields.map((of) => of.name);
  }

  /** The place of a column, or -1. */
  indexOf(name) {
    return this.names.indexOf(name);
  }

  /** The column of this name, or undefined. */
  field(name) {
    return this.fields[this.indexOf(name)];
  }

  /** The same columns, each of which may be null. */
  asNullable() {
    return new Schema(this.fields.map((of) => of.asNullable()), this.metadata);
  }
}

/**
 * The columns of a row that is written as an object of types: `{ value: t.double, at: t.optional(t.timestamp) }`.
 * A `Schema` is one already.
 */
export function columnsOf(members) {
  if (members instanceof Schema) return members;
  return new Schema(Object.entries(members).map(([name, of]) => columnOf(name, of)));
}

function columnOf(name, of) {
  return of instanceof Renamed ? field(of.column, of.of, false) : field(name, of, false);
}

/** Whether both are the same type; names within lists and maps do not matter. */
export function sameType(one, other) {
  if (one === other) return true;
  if (one.id !== other.id) return false;
  switch (one.id) {
    case "Timestamp":
      return one.unit === other.unit && one.zone === other.zone;
    case "Time32":
    case "Time64":
    case "Duration":
      return one.unit === other.unit;
    case "Decimal128":
    case "Decimal256":
      return one.precision === other.precision && one.scale === other.scale;
    case "FixedSizeBinary":
      return one.width === other.width;
    case "FixedSizeList":
      return one.size === other.size && sameType(one.item.type, other.item.type);
    case "List":
    case "LargeList":
      return sameType(one.item.type, other.item.type);
    case "Map":
      return sameFields(one.entries.type.fields, other.entries.type.fields, false);
    case "Struct":
      return sameFields(one.fields, other.fields, true);
    default:
      return true;
  }
}

function sameFields(one, other, names) {
  const same = (of, at) => sameType(of.type, other[at].type) && (!names || of.name === other[at].name);
  return one.length === other.length && one.every(same);
}

/** Bytes of a value, for the types that have a fixed number of whole ones. */
export function widthOf(of) {
  return of.id === "FixedSizeBinary" ? of.width : WIDTHS[of.id];
}

const WIDTHS = {
  Int8: 1, UInt8: 1, Int16: 2, UInt16: 2, Float16: 2, Int32: 4, UInt32: 4, Float32: 4, Date32: 4, Time32: 4,
  Int64: 8, UInt64: 8, Float64: 8, Date64: 8, Time64: 8, Timestamp: 8, Duration: 8, Decimal128: 16, Decimal256: 32,
  "Interval(YearMonth)": 4, "Interval(DayTime)": 8, "Interval(MonthDayNano)": 16,
};

/**
 * The typed array of a type's values. A DECIMAL has two elements each, or four, the lowest first; a half-precision fraction its bits;
 * an interval its members, of which nanoseconds are two elements.
 */
export function arrayOf(of) {
  return ARRAYS[of.id];
}

const ARRAYS = {
  Boolean: Uint8Array, Int8: Int8Array, UInt8: Uint8Array, Int16: Int16Array, UInt16: Uint16Array, Float16: Uint16Array,
  Int32: Int32Array, UInt32: Uint32Array, Float32: Float32Array, Date32: Int32Array, Time32: Int32Array,
  Int64: BigInt64Array, UInt64: BigUint64Array, Float64: Float64Array, Date64: BigInt64Array, Time64: BigInt64Array,
  Timestamp: BigInt64Array, Duration: BigInt64Array, Decimal128: BigInt64Array, Decimal256: BigInt64Array,
  "Interval(YearMonth)": Int32Array, "Interval(DayTime)": Int32Array, "Interval(MonthDayNano)": Int32Array,
  FixedSizeBinary: Uint8Array,
};

/** Types whose values are the elements of their array. */
export function isPlain(of) {
  return of.id in WIDTHS && of.id !== "Float16" && ARRAYS[of.id].BYTES_PER_ELEMENT === WIDTHS[of.id];
}

/** Types whose values are offsets into bytes. */
export const BYTES = { Utf8: 4, Binary: 4, LargeUtf8: 8, LargeBinary: 8 };

/** Types that are texts. */
export const isText = (of) => of.id === "Utf8" || of.id === "LargeUtf8";

/** Whether a type is a number, for what may be cast. */
export function isNumber(of) {
  return /^(U?Int\d|Float|Decimal)/.test(of.id);
}
