// Epochs of a plugin that keeps state for each key, with state in memory.
import { BoundKeyed } from "../bound/keyed.js";
import { contextOf } from "../bound/context.js";
import { takeBatch } from "../compute.js";
import { parseDdl } from "../ddl.js";
import { PluginError } from "../error.js";
import { decode } from "../ipc/read.js";
import { encodeSchema } from "../ipc/schema.js";
import { encode } from "../ipc/write.js";
import { parseTimestamp } from "../time.js";
import { EPOCH, errorText, projected } from "./bind.js";
import { printJson, readJson } from "./json.js";
import { Memory } from "./memory.js";
import { compareRows } from "./order.js";

/** A plugin that keeps state, with its configuration, columns and keys, between two epochs. */
export class Job {
  constructor(plugin, config = "", schema = "", keys = []) {
    this.input = parseDdl(schema);
    this.bound = new BoundKeyed(plugin, config, this.input, keys, "the plugin");
    this.memory = new Memory(this.bound.tables, this.bound.input.keys);
    this.batch = 8192;
    this.context = { ...EPOCH };
  }

  /** The watermark from the next epoch on: `2025-03-01T12:00:00Z`. */
  watermark(at) {
    const time = parseTimestamp(at);
    if (this.context.watermark !== null && time < this.context.watermark) throw PluginError.invalid("a watermark does not fall");
    this.context.watermark = time;
    return this;
  }

  /** The time of the next epoch, and of those after it. */
  now(at) {
    this.context.now = parseTimestamp(at);
    return this;
  }

  /** How many rows a call has at most. A key with more comes in several calls. */
  batchRows(rows) {
    this.batch = rows;
    return this;
  }

  /** What a table has: objects of the key's columns and the entry's. */
  state(table) {
    return this.memory.entries(table);
  }

  /** The timers that are set, by their time: objects of the key's columns and `at`. */
  timers(clock) {
    const all = [...this.memory.timers[clock]].sort((a, b) => (a.at < b.at ? -1 : 1));
    return all.map(({ key, at }) => ({ ...this.memory.keys.get(key), at }));
  }

  /** Runs an epoch of these rows, as the host does: keys in their order, then the timers of both clocks. */
  epoch(rows = "") {
    const batch = readJson(rows, this.input);
    const before = this.memory.copy();
    const leaving = { rows: [], side: {}, errors: [], timers: 0 };
    this.memory.begin(this.context);
    try {
      this.run(batch, leaving);
    } catch (error) {
      this.memory = before;
      throw error;
    }
    this.context.epoch += 1;
    return leaving;
  }

  /** Brings entries of an older version into the columns of now: `before` has their columns as DDL. */
  migrate(table, version, before, entries) {
    const schema = parseDdl(before);
    const renewed = this.bound.migrate(table, version, encodeSchema(schema), encode(readJson(entries, schema)));
    return decode(renewed, this.bound.tables.find((of) => of.name === table).columns).flatMap((batch) => batch.toArray());
  }

  run(batch, leaving) {
    const { keys, rows } = this.bound.input;
    const [errors, cx] = [[], contextOf(this.context)];
    for (const call of calls(projected(batch, keys), this.batch)) {
      const heads = takeBatch(projected(batch, keys), call.starts.map((start) => call.rows[start]));
      this.memory.enter(heads);
      const sent = { keys: encode(heads), starts: call.starts, rows: encode(takeBatch(projected(batch, rows), call.rows)), more: call.more };
      const outcome = this.bound.process(cx, sent, this.memory);
      errors.push(...outcome.errors.map((error) => ({ ...error, row: call.rows[error.row] })));
      this.take(outcome, leaving);
    }
    errors.sort((a, b) => a.row - b.row);
    leaving.errors.push(...errors.map((error) => errorText(error)));
    for (const clock of ["event-time", "processing-time"]) this.fire(clock, cx, leaving);
  }

  fire(clock, cx, leaving) {
    const due = this.memory.due(clock);
    for (let from = 0; from < due.length; from += this.batch) {
      const { keys, timers } = this.memory.enterDue(due.slice(from, from + this.batch));
      const outcome = this.bound.fired(cx, clock, encode(keys), timers, this.memory);
      const text = (error) => errorText(error, `timer ${leaving.timers + error.row}`);
      leaving.errors.push(...outcome.errors.map(text));
      this.take(outcome, leaving);
      leaving.timers += timers.length;
    }
  }

  take(outcome, leaving) {
    leaving.rows.push(...decode(outcome.main, this.bound.output).flatMap(printJson));
    for (const [name, messages] of outcome.side) {
      const rows = decode(messages, this.bound.sideColumns(name)).flatMap(printJson);
      if (rows.length > 0) leaving.side[name] = [...(leaving.side[name] ?? []), ...rows];
    }
  }
}

/** Sorts rows by their keys, and divides them into calls of so many rows at most; a key with more is alone in its calls. */
function calls(keys, most) {
  const objects = keys.toArray();
  const order = (a, b) => compareRows(keys.schema.names, objects[a], objects[b]);
  const sorted = objects.map((_, row) => row).sort((a, b) => order(a, b) || a - b);
  const groups = [];
  for (const row of sorted) {
    if (groups.length > 0 && order(groups.at(-1)[0], row) === 0) groups.at(-1).push(row);
    else groups.push([row]);
  }
  return parts(groups, most);
}

function parts(groups, most) {
  const all = [];
  let open = { rows: [], starts: [], more: false };
  const close = () => {
    if (open.starts.length > 0) all.push(open);
    open = { rows: [], starts: [], more: false };
  };
  for (const group of groups) {
    if (open.rows.length + group.length > most) close();
    let from = 0;
    for (; group.length - from > most; from += most) all.push({ rows: group.slice(from, from + most), starts: [0], more: true });
    open.starts.push(open.rows.length);
    open.rows.push(...group.slice(from));
    if (from > 0) close();
  }
  close();
  return all;
}
