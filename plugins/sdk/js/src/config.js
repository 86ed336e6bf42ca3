// The `config` of a pipeline's step: what a plugin says that may be in it, and what arrives as JSON.
import { PluginError, asError, within } from "./error.js";
import { parseInterval } from "./interval.js";
import { parseJson } from "./json.js";

/** One setting: how it is read, its JSON Schema, and what it is if it is left out. */
class Setting {
  constructor(read, schema, options = {}) {
    this.read = read;
    this.schema = schema;
    this.about = options.about;
    this.default = options.default;
    this.required = !("default" in options) && !options.optional;
  }
}

function shown(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "sequence";
  if (typeof value === "object") return "map";
  if (typeof value === "string") return `string ${JSON.stringify(value)}`;
  if (typeof value === "boolean") return `boolean \`${value}\``;
  return `${Number.isInteger(Number(value)) ? "integer" : "floating point"} \`${value}\``;
}

function expected(value, wanted) {
  return PluginError.invalid(`invalid type: ${shown(value)}, expected ${wanted}`);
}

const isWhole = (value) => typeof value === "bigint" || Number.isInteger(value);

/** Settings of a configuration. Each takes `{ about, default, optional }`. */
export const c = Object.freeze({
  /** A number; a whole one beyond 2^53 is a bigint. */
  number: (options) => new Setting(readNumber, { type: "number" }, options),
  /** A whole number. */
  integer: (options) => new Setting(readInteger, { type: "integer" }, options),
  /** A whole number from 0 on. */
  count: (options) => new Setting(readCount, { type: "integer", minimum: 0 }, options),
  boolean: (options) => new Setting(readBoolean, { type: "boolean" }, options),
  string: (options) => new Setting(readString, { type: "string" }, options),
  /** A length of time such as `90s` or `10 minutes`, in microseconds: a bigint. */
  interval: (options) => new Setting((value) => parseInterval(readString(value)), { type: "string" }, options),
  /** One of some texts. */
  oneOf: (texts, options) => new Setting((value) => readVariant(value, texts), { type: "string", enum: [...texts] }, options),
  /** A list of settings. */
  list: (of, options) => new Setting((value) => readList(value, of), { type: "array", items: of.schema }, options),
  /** Settings within a setting. */
  object: (members, options) => new Setting((value) => readMembers(value, members), objectSchema(members), options),
});

function readNumber(value) {
  if (typeof value === "number" || typeof value === "bigint") return value;
  throw expected(value, "a number");
}

function readInteger(value) {
  if (isWhole(value)) return value;
  throw expected(value, "a whole number");
}

function readCount(value) {
  if (isWhole(value) && value >= 0) return value;
  throw expected(value, "a whole number from 0 on");
}

function readBoolean(value) {
  if (typeof value === "boolean") return value;
  throw expected(value, "a boolean");
}

function readString(value) {
  if (typeof value === "string") return value;
  throw expected(value, "a string");
}

function readVariant(value, texts) {
  if (texts.includes(readString(value))) return value;
  throw PluginError.invalid(`unknown variant \`${value}\`, ${among(texts)}`);
}

function readList(value, of) {
  if (!Array.isArray(value)) throw expected(value, "a sequence");
  return value.map((item) => of.read(item));
}

/** `expected one of …`, as there are one, two or more. */
function among(names) {
  const quoted = names.map((name) => `\`${name}\``);
  if (quoted.length === 0) return "there are no fields";
  if (quoted.length === 1) return `expected ${quoted[0]}`;
  return quoted.length === 2 ? `expected ${quoted.join(" or ")}` : `expected one of ${quoted.join(", ")}`;
}

/** Keys are kebab-case in a pipeline, camelCase in JavaScript. */
function kebab(name) {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll("_", "-");
}

function readMembers(value, members) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw expected(value, "a table");
  const names = Object.keys(members);
  const unknown = Object.keys(value).find((key) => !names.some((name) => kebab(name) === key));
  if (unknown !== undefined) throw PluginError.invalid(`unknown field \`${unknown}\`, ${among(names.map(kebab))}`);
  const read = {};
  for (const name of names) read[name] = readMember(value, kebab(name), members[name]);
  return read;
}

function readMember(value, key, setting) {
  if (Object.hasOwn(value, key) && !(value[key] === null && !setting.required)) return setting.read(value[key]);
  if (setting.required) throw PluginError.invalid(`missing field \`${key}\``);
  return setting.default ?? null;
}

/** Reads the configuration; no text means the one that gives nothing. */
export function parseConfig(members, text) {
  try {
    return readMembers(parseJson(text.trim() === "" ? "{}" : text), members);
  } catch (error) {
    throw asError(error).context("config");
  }
}

function objectSchema(members) {
  const properties = Object.entries(members).map(([name, setting]) => [kebab(name), settingSchema(setting)]);
  const required = Object.keys(members).filter((name) => members[name].required).map(kebab);
  const schema = { type: "object", properties: Object.fromEntries(properties), additionalProperties: false };
  return required.length === 0 ? schema : { ...schema, required };
}

function settingSchema(setting) {
  const schema = setting.about === undefined ? {} : { description: setting.about };
  Object.assign(schema, setting.schema);
  return setting.default === undefined || typeof setting.default === "bigint" ? schema : { ...schema, default: setting.default };
}

/** The JSON Schema of a configuration, for editors and `inspect`. */
export function configSchema(members) {
  return JSON.stringify({ $schema: "https://json-schema.org/draft/2020-12/schema", title: "Config", ...objectSchema(members) });
}

/** Checks that these are settings, when a plugin is made. */
export function checkSettings(members) {
  for (const [name, setting] of Object.entries(members)) {
    if (!(setting instanceof Setting)) within("config", () => wrongSetting(name));
  }
}

function wrongSetting(name) {
  throw PluginError.invalid(`\`${name}\` is no setting: write for example \`${name}: c.number({ default: 1 })\``);
}
