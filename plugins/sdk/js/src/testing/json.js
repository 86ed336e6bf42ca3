// Rows as JSON objects, a line each, by the columns that they have.
import { Batch } from "../batch.js";
import { column } from "../build.js";
import { typeName } from "../ddl.js";
import { PluginError, within } from "../error.js";
import { parseJson } from "../json.js";
import { dateText, parseDate, parseTimestamp, timestampText } from "../time.js";
import { isText } from "../types.js";
import { decimalText, durationText, intervalText } from "./texts.js";
import { toJson } from "./toml.js";

/** The lines of a text that have something. */
export function linesOf(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

/** Reads rows into a batch. */
export function readJson(text, schema) {
  const rows = linesOf(text).map((line) => within(`\`${line}\``, () => rowOf(parseJson(line), schema)));
  const columns = schema.fields.map((field, at) => column(field.type, rows.map((row) => row[at])));
  return new Batch(schema, columns, rows.length);
}

function rowOf(object, schema) {
  const unknown = Object.keys(object).find((name) => schema.indexOf(name) < 0);
  if (unknown !== undefined) throw PluginError.invalid(`there is no column \`${unknown}\``);
  return schema.fields.map((field) => valueOf(field.type, object[field.name] ?? null));
}

const MICROS = { s: 1_000_000n, ms: 1_000n, us: 1n };

function moment(of, micros) {
  return of.unit === "ns" ? micros * 1000n : micros / MICROS[of.unit];
}

/** The value that JSON says. */
function valueOf(of, json) {
  if (json === null) return null;
  switch (of.id) {
    case "Timestamp":
      return typeof json === "string" ? moment(of, parseTimestamp(json)) : BigInt(json);
    case "Date32":
      return typeof json === "string" ? (parseDate(json) ?? wrong(of, json)) : json;
    case "Decimal128":
    case "Decimal256":
      return decimal(of, json);
    case "Binary":
    case "LargeBinary":
    case "FixedSizeBinary":
      return Uint8Array.from(Buffer.from(json, "hex"));
    case "List":
    case "LargeList":
    case "FixedSizeList":
      return json.map((item) => valueOf(of.item.type, item));
    case "Struct":
      return Object.fromEntries(of.fields.map((field) => [field.name, valueOf(field.type, json[field.name] ?? null)]));
    case "Map": {
      const [key, value] = of.entries.type.fields;
      return new Map(Object.entries(json).map(([name, item]) => [valueOf(key.type, named(key.type, name)), valueOf(value.type, item)]));
    }
    default:
      return json;
  }
}

/** The key of a map, which JSON has as a text. */
function named(of, name) {
  return isText(of) || of.id === "Timestamp" || of.id === "Date32" ? name : parseJson(name);
}

function wrong(of, json) {
  throw PluginError.invalid(`${toJson(json)} is no ${typeName(of)}`);
}

function decimal(of, json) {
  const found = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(json)) ?? wrong(of, json);
  const fraction = (found[3] ?? "").padEnd(of.scale, "0");
  if (fraction.length > of.scale) wrong(of, json);
  const units = BigInt(found[2] + fraction);
  return found[1] === "-" ? -units : units;
}

/** The rows of a batch as JSON, a text each, nulls left out: what fixtures are compared by. */
export function printJson(batch) {
  const fields = batch.schema.fields.map((field, at) => [field, batch.columns[at]]);
  return Array.from({ length: batch.length }, (_, row) =>
    object(fields.map(([field, of]) => [field.name, printed(field.type, of.get(row))])));
}

function object(members) {
  return `{${members.filter(([, text]) => text !== "null").map(([name, text]) => `${JSON.stringify(name)}: ${text}`).join(", ")}}`;
}

function printed(of, value) {
  if (value === null || value === undefined) return "null";
  switch (of.id) {
    case "Timestamp":
      return of.unit === "us" ? JSON.stringify(timestampText(value)) : String(value);
    case "Date32":
      return JSON.stringify(dateText(value));
    case "Duration":
      return JSON.stringify(durationText(value, of.unit));
    case "Interval(YearMonth)":
    case "Interval(DayTime)":
    case "Interval(MonthDayNano)":
      return JSON.stringify(intervalText(of.id, value));
    case "Decimal128":
    case "Decimal256":
      return decimalText(value, of.scale);
    case "Float16":
    case "Float32":
    case "Float64":
      return Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
    case "List":
    case "LargeList":
    case "FixedSizeList":
      return `[${value.map((item) => printed(of.item.type, item)).join(", ")}]`;
    case "Struct":
      return object(of.fields.map((field) => [field.name, printed(field.type, value[field.name])]));
    case "Map":
      return object([...value].map(([key, item]) => [plainKey(of, key), printed(of.entries.type.fields[1].type, item)]));
    default:
      return value instanceof Uint8Array ? JSON.stringify(Buffer.from(value).toString("hex")) : toJson(value);
  }
}

function plainKey(of, key) {
  const text = printed(of.entries.type.fields[0].type, key);
  return text.startsWith('"') ? JSON.parse(text) : text;
}
