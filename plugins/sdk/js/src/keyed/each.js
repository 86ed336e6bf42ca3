// Functions over keys: what makes tables and columns of them.
import { Batch } from "../batch.js";
import { takeBatch } from "../compute.js";
import { PluginError, asError } from "../error.js";
import { empty } from "../ipc/read.js";
import { rowsOf } from "../bound/rows.js";
import { readRows, rowType } from "../row.js";
import { Schema } from "../types.js";
import { Group } from "./group.js";
import { Held } from "./held.js";
import { Timers } from "./timers.js";

/** What leaves such a plugin and what it keeps: said by its types. */
export function planOf(plugin, config, input) {
  plugin.key?.reader(empty(input.keys));
  plugin.row.reader(renamed(plugin, config, empty(input.rows)));
  return { output: outputOf(plugin, input.keys), tables: plugin.state, ttl: ttlOf(plugin, config) };
}

function ttlOf({ ttl }, config) {
  return typeof ttl === "function" ? ttl(config) : ttl;
}

/** Without a type for the key, its columns stand before the row's. */
function outputOf(plugin, keys) {
  if (plugin.key !== null) return plugin.out.schema;
  const twice = plugin.out.names.find((name) => keys.indexOf(name) >= 0);
  if (twice !== undefined) {
    throw PluginError.invalid(`\`${twice}\` is a column of the key, and the plugin adds one of that name: rename the key's before this step`);
  }
  return new Schema([...keys.fields, ...plugin.out.schema.fields]);
}

/** Where the configuration names the columns, the first is the row's first member, and so on. */
function renamed(plugin, config, rows) {
  if (typeof plugin.reads !== "function" && plugin.reads === null) return rows;
  const reads = typeof plugin.reads === "function" ? plugin.reads(config) : plugin.reads;
  const { names } = plugin.row;
  if (names.length !== reads.length) {
    const quoted = (all) => all.map((name) => `\`${name}\``).join(", ");
    throw PluginError.invalid(`config: ${quoted(reads)} are read as ${quoted(names)}: there has to be one for each`);
  }
  const fields = reads.map((name, at) => rows.schema.field(name).named(names[at]));
  return new Batch(new Schema(fields), reads.map((name) => rows.column(name)), rows.length);
}

/** The state of one key, by the names of the tables. */
function stateOf(held) {
  const state = {};
  for (const [name, of] of Object.entries(held)) {
    Object.defineProperty(state, name, { get: () => of.current, set: (value) => (of.current = value), enumerable: true });
  }
  return Object.freeze(state);
}

/** One call, key after key. */
class Run {
  constructor(plugin, use, keys, tables) {
    this.plugin = plugin;
    this.keys = keys;
    this.state = use.state;
    this.held = Object.fromEntries(tables.map((table) => [table.name, new Held(table, use.state.open(table.name), keys.length)]));
    this.timers = new Timers(use.cx);
    this.use = { state: stateOf(this.held), timers: this.timers, cx: use.cx, config: use.config };
    this.readKey = (plugin.key ?? rowType(keys.schema)).reader(keys);
    this.writer = plugin.out.writer();
    this.of = [];
  }

  /** Runs a function for a key; if it throws, everything of the key is as it was. */
  one(key, run) {
    Object.values(this.held).forEach((of) => of.begin(key));
    this.timers.begin(key);
    const rows = rowsOf(run(this.readKey(key), this.use));
    Object.values(this.held).forEach((of) => of.keep());
    this.timers.keep();
    for (const row of rows) {
      this.writer.add(row);
      this.of.push(key);
    }
  }

  finish() {
    Object.values(this.held).forEach((of) => of.write());
    this.timers.write(this.state);
    const rows = this.writer.finish();
    return { main: this.plugin.key === null ? takeBatch(this.keys, this.of).beside(rows) : rows };
  }
}

/** The rows of the keys of a call. */
export function processKeys(plugin, groups, use, tables) {
  const run = new Run(plugin, use, groups.keys, tables);
  const read = plugin.row.reader(renamed(plugin, use.config, groups.rows));
  for (let key = 0; key < groups.length; key++) {
    const [start, end] = groups.range(key);
    try {
      run.one(key, (of, more) => plugin.each(of, new Group(read, start, end, groups.more(key), use.errors), more));
    } catch (thrown) {
      const error = asError(thrown);
      for (let row = start; row < end; row++) use.errors.add(row, error);
    }
  }
  return run.finish();
}

/** The timers that fire in a call. */
export function fireTimers(plugin, fired, use, tables) {
  if (plugin.expired === null) return {};
  const run = new Run(plugin, use, fired.keys, tables);
  fired.timers.forEach(({ key, at }, number) => {
    try {
      run.one(key, (of, more) => plugin.expired(of, { clock: fired.clock, at }, more));
    } catch (thrown) {
      use.errors.add(number, thrown);
    }
  });
  return run.finish();
}

/** Makes each stored entry one of now, by a function from an object to an object. */
export function migrateEach(entries, columns, renew) {
  const read = rowType(entries.schema.asNullable());
  const made = [];
  for (const entry of readRows(read, entries)) made.push(renew(entry));
  return rowType(columns).batch(made);
}
