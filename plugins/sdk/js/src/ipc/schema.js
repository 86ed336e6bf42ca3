// Schema messages, both ways.
import { kernels } from "../kernels.js";
import { typeName } from "../ddl.js";
import { PluginError } from "../error.js";
import { Field, Schema, t, widthOf } from "../types.js";
import { Table, Writer, malformed } from "./flat.js";

const UNITS = ["s", "ms", "us", "ns"];
const INTERVALS = [t.intervalMonths, t.intervalDays, t.interval];
const SCHEMA = 1;
// Arrow's numbers of types.
const TYPE = {
  null: 1, int: 2, float: 3, binary: 4, utf8: 5, bool: 6, decimal: 7, date: 8, time: 9, timestamp: 10, interval: 11, list: 12,
  struct: 13, fixedBinary: 15, fixedList: 16, map: 17, duration: 18, largeBinary: 19, largeUtf8: 20, largeList: 21,
};

/** Reads a schema message: the prefix of eight bytes, then the header. */
export function decodeSchema(bytes) {
  if (bytes.length < 8) throw malformed("a schema");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(4, true);
  if (view.getUint32(0, true) !== 0xffffffff || 8 + length > bytes.length) throw malformed("a schema");
  const message = Table.root(new DataView(bytes.buffer, bytes.byteOffset + 8, length));
  if (message.byte(1) !== SCHEMA) throw malformed("a message that is no schema");
  const schema = message.table(2);
  if (schema === null || schema.short(0) !== 0) throw malformed("a schema that is not little-endian");
  return new Schema(schema.tables(1).map((of) => field(of, 0)), pairs(schema, 2));
}

function text(table, slot) {
  const bytes = table.text(slot);
  if (bytes === null || bytes.length === 0) return "";
  if (kernels.wideOffsetsOrNone(Int32Array.of(0, bytes.length), bytes, 1) === null) throw malformed("a name");
  return kernels.text(bytes);
}

function pairs(table, slot) {
  return table.tables(slot).map((pair) => [text(pair, 0), text(pair, 1)]);
}

function field(table, depth) {
  if (depth > 32) throw malformed("a type of too many levels");
  const name = text(table, 0);
  if (table.has(4)) throw PluginError.invalid(`column \`${name}\` is a dictionary, which cannot come into a plugin`);
  const children = table.tables(5).map((child) => field(child, depth + 1));
  return new Field(name, type(name, table.byte(2), table.table(3), children), table.byte(1) !== 0, pairs(table, 6));
}

function type(name, number, table, children) {
  const read = READ[number];
  const of = read && table !== null ? read(table, children) : null;
  if (!of) throw PluginError.invalid(`column \`${name}\` has a type that cannot come into a plugin`);
  return of;
}

function one(children) {
  if (children.length !== 1) throw malformed("a list of no type");
  return children[0];
}

const frozen = Object.freeze;
const READ = {
  [TYPE.null]: () => t.null,
  [TYPE.int]: (table) => integer(table.int(0), table.byte(1) !== 0),
  [TYPE.float]: (table) => [t.float16, t.float, t.double][table.short(0)],
  [TYPE.binary]: () => t.binary,
  [TYPE.utf8]: () => t.string,
  [TYPE.bool]: () => t.boolean,
  [TYPE.decimal]: (table) => ({ 128: t.decimal, 256: t.decimal256 })[table.int(2, 128)]?.(table.int(0), table.int(1)),
  [TYPE.date]: (table) => (table.short(0, 1) === 0 ? t.date : t.date64),
  [TYPE.time]: (table) => t.time(UNITS[table.short(0, 1)]),
  [TYPE.timestamp]: (table) => t.timestampOf(UNITS[table.short(0)], table.has(1) ? text(table, 1) : null),
  [TYPE.duration]: (table) => t.duration(UNITS[table.short(0, 1)]),
  [TYPE.interval]: (table) => INTERVALS[table.short(0)],
  [TYPE.list]: (_, children) => frozen({ id: "List", item: one(children) }),
  [TYPE.largeList]: (_, children) => frozen({ id: "LargeList", item: one(children) }),
  [TYPE.fixedList]: (table, children) => frozen({ id: "FixedSizeList", item: one(children), size: table.int(0) }),
  [TYPE.fixedBinary]: (table) => (table.int(0) >= 0 ? t.fixedBinary(table.int(0)) : null),
  [TYPE.struct]: (_, children) => frozen({ id: "Struct", fields: children }),
  [TYPE.map]: (table, children) => map(one(children), table.byte(0) !== 0),
  [TYPE.largeBinary]: () => t.largeBinary,
  [TYPE.largeUtf8]: () => t.largeString,
};

function map(entries, sorted) {
  if (entries.type.id !== "Struct" || entries.type.fields.length !== 2) throw malformed("a map of no entries");
  return frozen({ id: "Map", entries, sorted });
}

function integer(bits, signed) {
  return signed
    ? { 8: t.tinyint, 16: t.smallint, 32: t.int, 64: t.bigint }[bits]
    : { 8: t.uint8, 16: t.uint16, 32: t.uint32, 64: t.uint64 }[bits];
}

/** Writes a schema message. */
export function encodeSchema(schema) {
  const writer = new Writer();
  const root = [
    [2, 4], // version 5
    [1, SCHEMA],
    () => writer.table([undefined, () => writer.tables(schema.fields.map((of) => written(writer, of))), metadata(writer, schema)]),
    [8, 0],
  ];
  const header = writer.finish(root);
  const length = Math.ceil((8 + header.length) / 64) * 64;
  const message = new Uint8Array(length);
  const view = new DataView(message.buffer);
  view.setUint32(0, 0xffffffff, true);
  view.setUint32(4, length - 8, true);
  message.set(header, 8);
  return message;
}

function metadata(writer, of) {
  if (of.metadata.length === 0) return undefined;
  const bytes = (text) => () => writer.text(kernels.bytes(text));
  return () => writer.tables(of.metadata.map(([key, value]) => [bytes(key), bytes(value)]));
}

function written(writer, field) {
  const { number, slots = [], children = [] } = shape(writer, field.type);
  return [
    () => writer.text(kernels.bytes(field.name)),
    [1, field.nullable ? 1 : 0],
    [1, number],
    () => writer.table(slots),
    undefined,
    () => writer.tables(children.map((child) => written(writer, child))),
    metadata(writer, field),
  ];
}

function shape(writer, of) {
  switch (of.id) {
    case "Null": return { number: TYPE.null };
    case "Boolean": return { number: TYPE.bool };
    case "Float16": return { number: TYPE.float, slots: [[2, 0]] };
    case "Float32": return { number: TYPE.float, slots: [[2, 1]] };
    case "Float64": return { number: TYPE.float, slots: [[2, 2]] };
    case "Utf8": return { number: TYPE.utf8 };
    case "LargeUtf8": return { number: TYPE.largeUtf8 };
    case "Binary": return { number: TYPE.binary };
    case "LargeBinary": return { number: TYPE.largeBinary };
    case "FixedSizeBinary": return { number: TYPE.fixedBinary, slots: [[4, of.width]] };
    case "Date32": return { number: TYPE.date, slots: [[2, 0]] };
    case "Date64": return { number: TYPE.date, slots: [[2, 1]] };
    case "Time32": return { number: TYPE.time, slots: [[2, UNITS.indexOf(of.unit)], [4, 32]] };
    case "Time64": return { number: TYPE.time, slots: [[2, UNITS.indexOf(of.unit)], [4, 64]] };
    case "Timestamp": return { number: TYPE.timestamp, slots: moment(writer, of) };
    case "Duration": return { number: TYPE.duration, slots: [[2, UNITS.indexOf(of.unit)]] };
    case "Interval(YearMonth)":
    case "Interval(DayTime)":
    case "Interval(MonthDayNano)": return { number: TYPE.interval, slots: [[2, INTERVALS.indexOf(of)]] };
    case "Decimal128":
    case "Decimal256": return { number: TYPE.decimal, slots: [[4, of.precision], [4, of.scale], [4, 8 * widthOf(of)]] };
    case "List": return { number: TYPE.list, children: [of.item] };
    case "LargeList": return { number: TYPE.largeList, children: [of.item] };
    case "FixedSizeList": return { number: TYPE.fixedList, slots: [[4, of.size]], children: [of.item] };
    case "Struct": return { number: TYPE.struct, children: of.fields };
    case "Map": return { number: TYPE.map, slots: [[1, of.sorted ? 1 : 0]], children: [of.entries] };
    default: return whole(of);
  }
}

function moment(writer, of) {
  const unit = [2, UNITS.indexOf(of.unit)];
  return of.zone === null ? [unit] : [unit, () => writer.text(kernels.bytes(of.zone))];
}

function whole(of) {
  const found = /^(U?)Int(\d+)$/.exec(of.id);
  if (!found) throw PluginError.permanent(`${typeName(of)} cannot leave a plugin: cast it to a plain type`);
  return { number: TYPE.int, slots: [[4, Number(found[2])], [1, found[1] === "" ? 1 : 0]] };
}
