// Rows as objects: read from columns and written to them.
import { Batch } from "./batch.js";
import { column } from "./build.js";
import { PluginError } from "./error.js";
import { kernels } from "./kernels.js";
import { mismatch, missingColumn } from "./schema.js";
import { Schema, arrayOf, columnsOf, isPlain, sameType } from "./types.js";

/** Narrower columns that are read as a wider type, as that keeps every value as it is. */
const WIDENED = {
  Int16: ["Int8"],
  Int32: ["Int16", "Int8"],
  Int64: ["Int32", "Int16", "Int8"],
  Float32: ["Int16", "Int8"],
  Float64: ["Float32", "Int32", "Int16", "Int8"],
};

/** The columns of a row, and what reads and writes such rows. */
export class RowType {
  constructor(members) {
    this.schema = columnsOf(members);
    this.members = members instanceof Schema ? this.schema.names : Object.keys(members);
  }

  /** The names of the columns. */
  get names() {
    return this.schema.names;
  }

  /** What reads a row of a batch: a function from a row's number to an object. It throws for a null that may not be. */
  reader(batch) {
    const columns = this.schema.fields.map((field) => opened(batch, field));
    return readerOf(this.members, this.schema.fields, columns);
  }

  /** A place for rows that are written. */
  writer() {
    return new RowWriter(this);
  }

  /** The rows as a batch. */
  batch(rows) {
    const writer = this.writer();
    for (const row of rows) writer.add(row);
    return writer.finish();
  }
}

/** What was written as types, as what reads rows; a row type is one already. */
export function rowType(members) {
  return members instanceof RowType ? members : new RowType(members);
}

/** The rows of a batch as objects of these columns. */
export function* readRows(members, batch) {
  const read = rowType(members).reader(batch);
  for (let row = 0; row < batch.length; row++) yield read(row);
}

/** A batch of these columns from objects. */
export function writeRows(members, rows) {
  return rowType(members).batch(rows);
}

/** The column of a field, of its type or a narrower one. */
function opened(batch, field) {
  const at = batch.schema.indexOf(field.name);
  if (at < 0) throw missingColumn(field.name, batch.schema);
  const found = batch.columns[at];
  if (sameType(found.type, field.type) || bothMoments(found.type, field.type)) return found;
  if (WIDENED[field.type.id]?.includes(found.type.id)) return widened(found, field.type);
  throw mismatch(field.name, found.type, field.type);
}

/** With a time zone or without: the value is the same. */
function bothMoments(one, other) {
  return one.id === "Timestamp" && other.id === "Timestamp" && one.unit === other.unit;
}

/** Widened once a batch, so that a row costs the same as without. */
function widened(found, type) {
  const values = kernels.cast(found.values, arrayOf(type) === Int16Array ? Int32Array : arrayOf(type), found.length);
  return column(type, arrayOf(type) === Int16Array ? Int16Array.from(values) : values).withValidity(found.valid);
}

function readerOf(members, fields, columns) {
  const direct = columns.map((source) => source.nullCount === 0 && isPlain(source.type));
  const given = members.map((_, at) => (direct[at] ? columns[at].values : memberReader(fields[at], columns[at])));
  // One function of the row's shape: an object literal is made in one step, and numbers are taken from their array.
  const parts = members.map((member, at) => `${JSON.stringify(member)}: m${at}${direct[at] ? "[row]" : "(row)"}`);
  return new Function(...names(members), `return (row) => ({ ${parts.join(", ")} });`)(...given);
}

const names = (members) => members.map((_, at) => `m${at}`);

function memberReader(field, source) {
  const { reader } = source;
  if (source.type.id !== "Null" && source.nullCount === 0) return reader;
  if (field.nullable) return (row) => (source.isNull(row) ? null : reader(row));
  return (row) => {
    if (source.isNull(row)) throw PluginError.permanent(`\`${field.name}\` is null`);
    return reader(row);
  };
}

/** What adds a row's members to arrays. */
function adderOf(members, values) {
  const parts = members.map((member, at) => `m${at}.push(row[${JSON.stringify(member)}]);`);
  return new Function(...names(members), `return (row) => { ${parts.join(" ")} };`)(...values);
}

/** Rows on their way into columns. */
class RowWriter {
  constructor(of) {
    this.of = of;
    this.values = of.members.map(() => []);
    this.add_ = adderOf(of.members, this.values);
    this.length = 0;
  }

  /** Adds a row; a member that it lacks is null. */
  add(row) {
    if (row === null || typeof row !== "object") throw PluginError.permanent(`${String(row)} is no row: it takes an object`);
    this.add_(row);
    this.length++;
  }

  /** Adds a row of nulls, in place of one in error. */
  addNull() {
    this.values.forEach((values) => values.push(null));
    this.length++;
  }

  /** The rows as a batch. */
  finish() {
    const { schema } = this.of;
    const columns = schema.fields.map((field, at) => {
      try {
        return column(field.type, this.values[at]);
      } catch (error) {
        throw error instanceof PluginError ? error.context(`column \`${field.name}\``) : error;
      }
    });
    return new Batch(schema.asNullable(), columns, this.length);
  }
}

