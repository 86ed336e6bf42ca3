// A plugin that keeps state, bound to a configuration, columns and keys.
import { Batch } from "../batch.js";
import { parseConfig } from "../config.js";
import { printDdl } from "../ddl.js";
import { PluginError, RowErrors } from "../error.js";
import { decode, decodeOne, empty } from "../ipc/read.js";
import { decodeSchema, encodeSchema } from "../ipc/schema.js";
import { encode, join } from "../ipc/write.js";
import { fireTimers, migrateEach, planOf, processKeys } from "../keyed/each.js";
import { State } from "../keyed/state.js";
import { NamedTable } from "../keyed/table.js";
import { alike, missingColumn, project } from "../schema.js";
import { Schema, columnsOf } from "../types.js";
import { namesRead } from "./context.js";

/** The rows of some keys, in the order of the keys. */
class Groups {
  constructor(keys, starts, rows, more) {
    const ordered = starts.every((start, at) => (at === 0 ? start === 0 : start >= starts[at - 1]) && start <= rows.length);
    if (starts.length !== keys.length || !ordered) throw PluginError.permanent("the host's groups do not fit their rows");
    /** A row for each key. */
    this.keys = keys;
    /** The rows, of one key after the other. */
    this.rows = rows;
    /** How many keys there are. */
    this.length = keys.length;
    this.starts = starts;
    this.more_ = more;
  }

  /** The first row of a key, and the one behind its last. */
  range(key) {
    return [this.starts[key], key + 1 < this.length ? this.starts[key + 1] : this.rows.length];
  }

  /** Whether more rows of the key follow in the next call: only ever of the last key. */
  more(key) {
    return this.more_ && key + 1 === this.length;
  }
}

/** A plugin that has agreed on columns and tables. */
export class BoundKeyed {
  constructor(plugin, config, input, keys, name) {
    if (keys.length === 0) {
      throw PluginError.invalid(`\`${name}\` keeps state for each key: name the key's columns, as in keys = ["user_id"]`);
    }
    this.plugin = plugin;
    this.config = parseConfig(plugin.config, config);
    this.reads = namesRead(plugin, this.config);
    this.input = { keys: keyColumns(input, keys), rows: project(input, this.reads) };
    empty(this.input.keys);
    empty(this.input.rows);
    const plan = plugin.process === null ? planOf(plugin, this.config, this.input) : plugin.plan(this.config, this.input);
    this.output = columnsOf(plan.output).asNullable();
    this.side = Object.entries(plan.side ?? {}).map(([of, columns]) => [of, columnsOf(columns).asNullable()]);
    this.tables = Object.entries(plan.tables ?? {}).map(([of, table]) => new NamedTable(of, table, plan.ttl ?? null));
  }

  binding() {
    const side = this.side.map(([name, columns]) => [name, encodeSchema(columns)]);
    const reads = this.reads === null ? null : this.input.rows.names;
    return { reads, output: { tag: "rows", val: encodeSchema(this.output) }, side };
  }

  /** Processes the rows of some keys. */
  process(cx, sent, store) {
    const keys = decodeOne(sent.keys, this.input.keys);
    const groups = new Groups(keys, [...sent.starts], decodeOne(sent.rows, this.input.rows), sent.more);
    const { plugin, tables } = this;
    const use = this.use(cx, store);
    return this.outcome(plugin.process === null ? processKeys(plugin, groups, use, tables) : plugin.process(groups, use), use.errors);
  }

  /** Processes timers that are due, `{ key, at }`. */
  fired(cx, clock, messages, timers, store) {
    const keys = decodeOne(messages, this.input.keys);
    if (timers.some((timer) => timer.key >= keys.length)) throw PluginError.permanent("the host's timers do not fit their keys");
    const { plugin, tables } = this;
    const [fired, use] = [{ clock, keys, timers }, this.use(cx, store)];
    const made = plugin.process === null ? fireTimers(plugin, fired, use, tables) : (plugin.fired?.(fired, use) ?? {});
    return this.outcome(made, use.errors);
  }

  /** Brings entries of an older version of a table into the columns of now. */
  migrate(name, version, before, messages) {
    const table = this.tables.find((of) => of.name === name);
    if (table === undefined) throw PluginError.invalid(`a table \`${name}\` is stored, and the plugin has none of that name`);
    const columns = decodeSchema(before);
    const renewed = decode(messages, columns).map((entries) => {
      const made = this.renewed({ table: name, version, entries }, table);
      if (made.length === entries.length) return this.encoded(`table \`${name}\``, made, table.columns);
      throw PluginError.permanent(`table \`${name}\`: ${entries.length} entries are to be migrated, and there are ${made.length} rows of them`);
    });
    return join(renewed);
  }

  renewed(before, table) {
    const { plugin, config } = this;
    const made = plugin.migrate?.(before, { config, each: (renew) => migrateEach(before.entries, table.columns, renew) });
    if (made instanceof Batch) return made;
    throw PluginError.invalid(
      `table \`${before.table}\` is stored in version ${before.version}, which the plugin does not know how to migrate`,
    );
  }

  use(cx, store) {
    return { config: this.config, cx, state: new State(this.tables, store), errors: new RowErrors() };
  }

  outcome(made, errors) {
    const { main = null, side = {} } = made instanceof Batch ? { main: made } : (made ?? {});
    return {
      main: main === null ? new Uint8Array(0) : this.encoded("the output", main, this.output),
      side: Object.entries(side).map(([name, batch]) => [name, this.encoded(`side output \`${name}\``, batch, this.sideColumns(name))]),
      errors: errors.after(0),
    };
  }

  sideColumns(name) {
    const found = this.side.find(([of]) => of === name);
    if (found === undefined) throw PluginError.permanent(`the plugin did not say that it has a side output \`${name}\``);
    return found[1];
  }

  encoded(what, given, columns) {
    const batch = given instanceof Batch ? given : Batch.of(given);
    if (!alike(columns, batch.schema)) {
      throw PluginError.permanent(`${what} has the columns ${printDdl(columns)}, and is given ${printDdl(batch.schema)}`);
    }
    return batch.length === 0 ? new Uint8Array(0) : encode(batch);
  }
}

/** The columns of the keys, in their order. */
function keyColumns(input, keys) {
  const field = (key) => {
    if (input.indexOf(key) < 0) throw missingColumn(key, input);
    return input.field(key);
  };
  return new Schema(keys.map(field));
}
