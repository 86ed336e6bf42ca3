// Messages → batches. Columns are views of the messages: nothing is copied but what is misaligned.
import { kernels } from "../kernels.js";
import { Batch } from "../batch.js";
import { Column } from "../column.js";
import { typeName } from "../ddl.js";
import { PluginError, within } from "../error.js";
import { BYTES, arrayOf, widthOf } from "../types.js";
import { Table, malformed, size } from "./flat.js";

/** Far more than the host sends: rows without columns have no bytes by which a wrong number would show. */
const MOST_ROWS = 1 << 24;
const MOST_VALUES = 1 << 28;
const RECORD_BATCH = 3;
// Slots of RecordBatch.
const LENGTH = 0;
const NODES = 1;
const BUFFERS = 2;
const COMPRESSION = 3;

/** The batches of the messages. */
export function decode(bytes, schema) {
  const batches = [];
  let rest = bytes;
  while (rest.length > 0) {
    const { batch, length } = message(rest, schema);
    batches.push(batch);
    rest = rest.subarray(length);
  }
  return batches;
}

/** The one batch of the messages, which is empty if there are none. */
export function decodeOne(bytes, schema) {
  const batches = decode(bytes, schema);
  if (batches.length > 1) throw PluginError.permanent("the host sent several batches where one is due");
  return batches[0] ?? empty(schema);
}

/** A batch of no rows. */
export function empty(schema) {
  return batchOf(0, NOTHING, schema);
}

function message(bytes, schema) {
  if (bytes.length < 8) throw malformed("prefix");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = view.getUint32(4, true);
  if (view.getUint32(0, true) !== 0xffffffff) throw malformed("prefix");
  const start = 8 + header;
  if (start > bytes.length) throw malformed("header");
  const table = Table.root(new DataView(bytes.buffer, bytes.byteOffset + 8, header));
  if (table.byte(1) !== RECORD_BATCH) throw PluginError.permanent("the host sent a message that is no record batch");
  const length = table.long(3);
  if (start + length > bytes.length) throw malformed("body");
  const record = table.table(2);
  if (record === null) throw malformed("record batch");
  return { batch: recordBatch(record, bytes.subarray(start, start + length), schema), length: start + length };
}

function recordBatch(record, body, schema) {
  if (record.has(COMPRESSION)) throw PluginError.permanent("the host sent a compressed batch");
  if (record.long(LENGTH) > MOST_ROWS) throw malformed("row count");
  return batchOf(record.long(LENGTH), new Parts(record, body), schema);
}

function batchOf(rows, parts, schema) {
  const columns = schema.fields.map((field) => {
    const column = within(`column \`${field.name}\``, () => columnOf(parts, field.type));
    if (column.length !== rows) throw malformed(`column \`${field.name}\` has ${column.length} rows of ${rows}`);
    return column;
  });
  return new Batch(schema, columns, rows);
}

/** The nodes and buffers of a message, in the order of the schema's fields, depth first. */
class Parts {
  constructor(record, body) {
    this.view = record.view;
    this.nodes = record.vector(NODES, 16);
    this.buffers = record.vector(BUFFERS, 16);
    this.node_ = 0;
    this.buffer_ = 0;
    this.body = body;
  }

  node() {
    if (this.node_ === this.nodes.count) throw malformed("nodes");
    const at = this.nodes.start + 16 * this.node_++;
    return [size(this.view, at), size(this.view, at + 8)];
  }

  buffer() {
    if (this.buffer_ === this.buffers.count) throw malformed("buffers");
    const at = this.buffers.start + 16 * this.buffer_++;
    const start = size(this.view, at);
    const end = start + size(this.view, at + 8);
    if (end > this.body.length) throw malformed("body");
    return this.body.subarray(start, end);
  }
}

const NO_BYTES = new Uint8Array(0);
/** No rows, whatever the schema. */
const NOTHING = { node: () => [0, 0], buffer: () => NO_BYTES };

function columnOf(parts, of) {
  const [length, nulls] = parts.node();
  if (nulls > length || length > MOST_VALUES) throw malformed("nulls");
  if (of.id === "Null") return new Column(of, length);
  const validity = validBits(parts.buffer(), length, nulls);
  switch (of.id) {
    case "Boolean":
      return new Column(of, length, { validity, values: bits(parts.buffer(), length) });
    case "Struct":
      return new Column(of, length, { validity, children: members(parts, of.fields, length) });
    case "FixedSizeList":
      return fixedList(parts, of, length, validity);
    case "List":
    case "LargeList":
      return list(parts, of, length, validity, of.item.type);
    case "Map":
      return list(parts, of, length, validity, of.entries.type);
    default:
      return of.id in BYTES ? bytesOf(parts, of, length, validity) : fixed(parts, of, length, validity);
  }
}

function members(parts, fields, length) {
  return fields.map((field) => {
    const child = columnOf(parts, field.type);
    if (child.length < length) throw short();
    return child;
  });
}

function fixedList(parts, of, length, validity) {
  const child = columnOf(parts, of.item.type);
  if (of.size < 0 || child.length < length * of.size) throw short();
  return new Column(of, length, { validity, children: [child] });
}

function list(parts, of, length, validity, item) {
  const offsets = offsetsOf(parts.buffer(), length, of.id === "LargeList" ? 8 : 4);
  const child = columnOf(parts, item);
  inOrder(offsets, length, child.length);
  return new Column(of, length, { validity, offsets, children: [child] });
}

function bytesOf(parts, of, length, validity) {
  const offsets = offsetsOf(parts.buffer(), length, BYTES[of.id]);
  const values = parts.buffer();
  inOrder(offsets, length, values.length);
  return new Column(of, length, { validity, offsets, values });
}

function fixed(parts, of, length, validity) {
  const ArrayType = arrayOf(of);
  if (ArrayType === undefined) throw PluginError.invalid(`${typeName(of)} cannot come into a plugin`);
  return new Column(of, length, { validity, values: scalars(parts.buffer(), ArrayType, length * widthOf(of)) });
}

function validBits(buffer, length, nulls) {
  return nulls === 0 ? null : bits(buffer, length);
}

function bits(buffer, length) {
  const bytes = (length + 7) >>> 3;
  if (buffer.length < bytes) throw short();
  return buffer.subarray(0, bytes);
}

/** Values as they lie in the message, or a copy of them if they are misaligned there. */
function scalars(buffer, ArrayType, length) {
  if (buffer.length < length) throw short();
  const bytes = buffer.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0 ? buffer : buffer.slice(0, length);
  return new ArrayType(bytes.buffer, bytes.byteOffset, length / ArrayType.BYTES_PER_ELEMENT);
}

/** Offsets of variable-length values; an array of none may come without any. */
function offsetsOf(buffer, length, width) {
  if (length === 0) return new Int32Array(1);
  if (width === 4) return scalars(buffer, Int32Array, 4 * (length + 1));
  return Int32Array.from(scalars(buffer, BigInt64Array, 8 * (length + 1)), narrow);
}

function narrow(offset) {
  if (offset < 0n || offset > 0x7fffffffn) throw malformed("an offset");
  return Number(offset);
}

function inOrder(offsets, length, limit) {
  if (!kernels.ordered(offsets, length, limit)) throw malformed("offsets");
}

function short() {
  return PluginError.permanent("the host's message has a buffer that is too short for its rows");
}

