// The kinds of plugins: what a plugin's module exports by default.
import { checkSettings } from "./config.js";
import { PluginError } from "./error.js";
import { rowType } from "./row.js";

/** What kind of world a plugin's component is built for. */
export const ROLES = Object.freeze({
  filter: "transform", map: "transform", transform: "transform", keyed: "keyed", "batch-sink": "batch-sink", function: "functions",
});

/** A plugin. Its members are what the functions below were given, checked. */
export class Plugin {
  constructor(kind, given, members) {
    checkSettings(given.config ?? {});
    this.kind = kind;
    this.role = ROLES[kind];
    this.config = given.config ?? {};
    this.deterministic = given.deterministic ?? true;
    this.asks = given.asks ?? [];
    this.reads = given.reads ?? null;
    Object.assign(this, members);
  }
}

const ALWAYS = ["config", "deterministic", "asks"];

function known(kind, given, members) {
  const names = [...ALWAYS, ...members];
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) throw PluginError.invalid(`a ${kind} has no \`${unknown}\`; it has ${names.join(", ")}`);
}

function needed(kind, given, member, what) {
  if (typeof given[member] === "function") return;
  throw PluginError.invalid(`a ${kind} needs \`${member}\`, ${what}`);
}

function types(kind, given, member) {
  if (given[member] === undefined) throw PluginError.invalid(`a ${kind} over rows needs \`${member}\`, its columns as types`);
  return rowType(given[member]);
}

/** A plugin over rows, with `row` and `each`, or over batches, with `reads` and `batch`. */
function stateless(kind, given, output) {
  known(kind, given, ["row", "each", "reads", "batch", ...output]);
  if ("batch" in given) {
    needed(kind, given, "batch", "a function from a batch");
    return new Plugin(kind, given, { row: null, batch: given.batch });
  }
  needed(kind, given, "each", "a function from a row, or `batch`, one from a batch");
  if (given.reads !== undefined) throw PluginError.invalid(`a ${kind} over rows reads the columns of \`row\`: \`reads\` is for \`batch\``);
  const written = output.map((member) => [member, types(kind, given, member)]);
  return new Plugin(kind, given, { row: types(kind, given, "row"), each: given.each, ...Object.fromEntries(written) });
}

/** Keeps rows. */
export function filter(given) {
  return stateless("filter", given, []);
}

/** Adds columns to rows, and may drop some. */
export function map(given) {
  return stateless("map", given, ["adds"]);
}

/** Makes new rows of rows. */
export function transform(given) {
  return stateless("transform", given, ["out"]);
}

/** Keeps state for each key: over keys with `each`, or over tables and columns with `plan` and `process`. */
export function keyed(given) {
  if ("process" in given) {
    known("keyed", given, ["reads", "plan", "process", "fired", "migrate"]);
    needed("keyed", given, "plan", "what leaves it and what it keeps");
    needed("keyed", given, "process", "a function of all keys of a call");
    const { plan, process, fired = null, migrate = null } = given;
    return new Plugin("keyed", given, { row: null, each: null, plan, process, fired, migrate });
  }
  known("keyed", given, ["key", "row", "reads", "out", "state", "each", "expired", "ttl", "migrate"]);
  needed("keyed", given, "each", "a function of a key and its rows");
  const { each, state = {}, expired = null, ttl = null, migrate = null } = given;
  const key = given.key === undefined ? null : rowType(given.key);
  return new Plugin("keyed", given, {
    row: rowType(given.row ?? {}), key, out: types("keyed", given, "out"), state, each, expired, ttl, migrate, process: null,
  });
}

/** Stores epochs. */
export function batchSink(given) {
  known("batch-sink", given, ["reads", "outputs", "store"]);
  needed("batch-sink", given, "store", "a function of the rows of an epoch");
  return new Plugin("batch-sink", given, { row: null, outputs: given.outputs ?? {}, store: given.store });
}

/** Functions for SQL, by name. */
export function functions(given) {
  known("function", given, ["functions"]);
  const named = Object.entries(given.functions ?? {});
  if (named.length === 0) throw PluginError.invalid("`functions` has to have a function");
  return new Plugin("function", given, { row: null, functions: named.map(([name, of]) => sqlFunction(name, of)) });
}

function sqlFunction(name, given) {
  const kind = `function \`${name}\``;
  if ("batch" in given) needed(kind, given, "batch", "a function from a batch of arguments");
  else needed(kind, given, "each", "a function from the arguments of a row");
  const args = types(kind, given, "arguments");
  if (given.returns === undefined) throw PluginError.invalid(`${kind} needs \`returns\`, the type of its result`);
  const { each = null, batch = null, deterministic = true } = given;
  return { name, arguments: args, returns: given.returns, each, batch, deterministic };
}
