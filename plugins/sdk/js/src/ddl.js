// Spark's way to write a schema: `user_id INT, event STRING, at TIMESTAMP, tags ARRAY<STRING>`.
import { PluginError } from "./error.js";
import { Field, Schema, t } from "./types.js";

/** Levels of `ARRAY`, `MAP` and `STRUCT` within each other that cross the boundary. */
const DEEPEST = 8;

const NAMED = {
  BOOLEAN: t.boolean, TINYINT: t.tinyint, BYTE: t.tinyint, SMALLINT: t.smallint, SHORT: t.smallint,
  INT: t.int, INTEGER: t.int, BIGINT: t.bigint, LONG: t.bigint, FLOAT: t.float, REAL: t.float, DOUBLE: t.double,
  STRING: t.string, BINARY: t.binary, DATE: t.date, TIMESTAMP: t.timestamp, TIMESTAMP_LTZ: t.timestamp,
  TIMESTAMP_NTZ: t.timestampNtz,
};

/** Reads a schema. A column may be null unless it says `NOT NULL`. */
export function parseDdl(text) {
  const parser = new Parser(text);
  const fields = parser.rest() === "" ? [] : parser.fields();
  if (parser.rest() !== "") throw parser.error("a comma, or the end");
  return new Schema(fields);
}

/** Writes a schema as `parseDdl` reads it. */
export function printDdl(schema) {
  return printed(schema.fields, " ");
}

function printed(fields, between) {
  return fields.map((of) => `${quoted(of.name)}${between}${typeName(of.type)}`).join(", ");
}

function quoted(name) {
  return /^[\p{Alphabetic}\p{N}_]+$/u.test(name) ? name : `\`${name.replaceAll("`", "``")}\``;
}

const SPARK = {
  Null: "VOID", Boolean: "BOOLEAN", Int8: "TINYINT", Int16: "SMALLINT", Int32: "INT", Int64: "BIGINT", Float32: "FLOAT",
  Float64: "DOUBLE", Utf8: "STRING", Binary: "BINARY", Date32: "DATE", "Interval(MonthDayNano)": "INTERVAL",
};

/** Spark's name of a type; Arrow's for those that Spark has not. */
export function typeName(of) {
  switch (of.id) {
    case "Timestamp":
      if (of.unit !== "us") return arrowName(of);
      return of.zone === null ? "TIMESTAMP_NTZ" : "TIMESTAMP";
    case "Decimal128":
      return `DECIMAL(${of.precision},${of.scale})`;
    case "List":
      return `ARRAY<${typeName(of.item.type)}>`;
    case "Struct":
      return `STRUCT<${printed(of.fields, ": ")}>`;
    case "Map":
      return `MAP<${of.entries.type.fields.map((part) => typeName(part.type)).join(", ")}>`;
    default:
      return SPARK[of.id] ?? arrowName(of);
  }
}

const UNITS = { s: "s", ms: "ms", us: "µs", ns: "ns" };

/** Arrow's name of a type. */
export function arrowName(of) {
  switch (of.id) {
    case "Timestamp":
      return of.zone === null ? `Timestamp(${UNITS[of.unit]})` : `Timestamp(${UNITS[of.unit]}, "${of.zone}")`;
    case "Time32":
    case "Time64":
    case "Duration":
      return `${of.id}(${UNITS[of.unit]})`;
    case "Decimal128":
    case "Decimal256":
      return `${of.id}(${of.precision}, ${of.scale})`;
    case "FixedSizeBinary":
      return `FixedSizeBinary(${of.width})`;
    case "List":
    case "LargeList":
      return `${of.id}(${arrowName(of.item.type)})`;
    case "FixedSizeList":
      return `FixedSizeList(${of.size} x ${arrowName(of.item.type)})`;
    default:
      return of.id;
  }
}

class Parser {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.depth = 0;
  }

  rest() {
    return this.text.slice(this.at).trimStart();
  }

  /** `name TYPE, …` as far as there are commas. */
  fields() {
    const fields = [];
    do {
      const name = this.name();
      // Spark has a colon in a STRUCT and none outside; both are clear.
      this.take(":");
      const of = this.type();
      fields.push(new Field(name, of, !this.notNull()));
    } while (this.take(","));
    return fields;
  }

  type() {
    const start = this.at;
    const word = this.word().toUpperCase();
    if (Object.hasOwn(NAMED, word)) return NAMED[word];
    if (word === "DECIMAL" || word === "NUMERIC" || word === "DEC") return this.decimal();
    if (word === "ARRAY" || word === "MAP" || word === "STRUCT") return this.nested(word);
    this.at = start;
    throw this.error("a type, such as INT, BIGINT, DOUBLE, STRING or TIMESTAMP");
  }

  nested(word) {
    if (this.depth === DEEPEST) throw this.error("at most 8 levels of ARRAY, MAP and STRUCT");
    this.depth += 1;
    this.expect("<");
    const of = word === "ARRAY" ? t.array(this.type()) : word === "MAP" ? this.map() : this.struct();
    this.depth -= 1;
    this.expect(">");
    return of;
  }

  struct() {
    return Object.freeze({ id: "Struct", fields: this.fields() });
  }

  map() {
    const key = this.type();
    this.expect(",");
    return t.map(key, this.type());
  }

  decimal() {
    if (!this.take("(")) return t.decimal(10, 0);
    const precision = this.number(38);
    const scale = this.take(",") ? this.number(precision) : 0;
    this.expect(")");
    return t.decimal(precision, scale);
  }

  number(most) {
    const start = this.at;
    const word = this.word();
    if (/^\d+$/.test(word) && Number(word) <= most) return Number(word);
    this.at = start;
    throw this.error(`a number up to ${most}`);
  }

  notNull() {
    const start = this.at;
    if (this.word().toUpperCase() !== "NOT") {
      this.at = start;
      return false;
    }
    if (this.word().toUpperCase() !== "NULL") throw this.error("NULL after NOT");
    return true;
  }

  name() {
    if (this.take("`")) return this.quoted();
    const word = this.word();
    if (word === "") throw this.error("a column's name");
    return word;
  }

  /** A name in backquotes, where two of them mean one. */
  quoted() {
    let name = "";
    for (;;) {
      const end = this.text.indexOf("`", this.at);
      if (end < 0) throw this.error("a closing `");
      name += this.text.slice(this.at, end);
      this.at = end + 1;
      if (this.text[this.at] !== "`") return name;
      name += "`";
      this.at += 1;
    }
  }

  word() {
    const found = /^\s*([\p{Alphabetic}\p{N}_]*)/u.exec(this.text.slice(this.at));
    this.at += found[0].length;
    return found[1];
  }

  take(wanted) {
    const rest = this.rest();
    if (!rest.startsWith(wanted)) return false;
    this.at = this.text.length - rest.length + wanted.length;
    return true;
  }

  expect(wanted) {
    if (!this.take(wanted)) throw this.error(`\`${wanted}\``);
  }

  error(wanted) {
    const rest = this.rest();
    const place = rest === "" ? "at the end" : `at \`${rest.slice(0, 20)}\``;
    return PluginError.invalid(`the schema \`${this.text}\`: ${wanted} is expected ${place}`);
  }
}
