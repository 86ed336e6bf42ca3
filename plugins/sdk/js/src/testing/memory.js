// The host's state, in memory: for the keys of one call at a time.
import { Batch } from "../batch.js";
import { takeBatch } from "../compute.js";
import { PluginError } from "../error.js";
import { decode } from "../ipc/read.js";
import { encode } from "../ipc/write.js";
import { column } from "../build.js";
import { rowType } from "../row.js";
import { timestampText } from "../time.js";
import { Schema, t } from "../types.js";
import { printJson } from "./json.js";
import { compareRows } from "./order.js";

const CLOCKS = { "event-time": "the watermark", "processing-time": "the time of the epoch" };

/** Tables and timers of all keys. A key is known by its columns as JSON. */
export class Memory {
  constructor(tables, keys) {
    this.tables = tables;
    this.schema = keys;
    this.keys = new Map();
    this.shelves = new Map(tables.map((table) => [table.name, new Map()]));
    this.timers = { "event-time": [], "processing-time": [] };
    this.reached = { "event-time": null, "processing-time": null };
    this.call = [];
    this.now = 0n;
  }

  /** A copy, for an epoch that fails. */
  copy() {
    const copy = Object.assign(new Memory(this.tables, this.schema), { keys: new Map(this.keys), now: this.now });
    for (const [name, shelf] of this.shelves) copy.shelves.set(name, new Map([...shelf].map(([key, all]) => [key, [...all]])));
    for (const clock of Object.keys(CLOCKS)) copy.timers[clock] = [...this.timers[clock]];
    return copy;
  }

  /** Begins with an epoch: what is too old goes. */
  begin(cx) {
    this.now = cx.now;
    this.reached = { "event-time": cx.watermark, "processing-time": cx.now };
    for (const table of this.tables.filter((of) => of.ttl !== null)) {
      const shelf = this.shelves.get(table.name);
      for (const [key, all] of shelf) shelf.set(key, all.filter((entry) => cx.now - entry.put < table.ttl));
    }
  }

  /** Begins with a call of these keys, a row each. */
  enter(keys) {
    const texts = printJson(keys);
    const rows = keys.toArray();
    this.call = texts;
    texts.forEach((text, at) => this.keys.set(text, rows[at]));
  }

  /** Takes the timers that a clock has reached, by their time, then by their key. */
  due(clock) {
    const reached = this.reached[clock];
    if (reached === null) return [];
    const due = this.timers[clock].filter((timer) => timer.at <= reached);
    this.timers[clock] = this.timers[clock].filter((timer) => timer.at > reached);
    return due.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : this.order(a.key, b.key)));
  }

  /** Begins with a call for timers: its keys, and its timers as the plugin is given them. */
  enterDue(due) {
    this.call = [...new Set(due.map((timer) => timer.key))].sort((a, b) => this.order(a, b));
    const keys = rowType(this.schema).batch(this.call.map((key) => this.keys.get(key)));
    return { keys, timers: due.map(({ key, at }) => ({ key: this.call.indexOf(key), at })) };
  }

  order(one, other) {
    return compareRows(this.schema.names, this.keys.get(one), this.keys.get(other));
  }

  /** What a table has: objects of the key's columns and the entry's, ordered by key. */
  entries(name) {
    const shelf = this.shelf(name);
    const keys = [...shelf.keys()].filter((key) => shelf.get(key).length > 0).sort((a, b) => this.order(a, b));
    return keys.flatMap((key) => this.sorted(name, key).map((entry) => ({ ...this.keys.get(key), ...entry.row })));
  }

  sorted(name, key) {
    const table = this.table(name);
    const entries = [...(this.shelf(name).get(key) ?? [])];
    if (table.kind === "mapping") entries.sort((a, b) => compareRows(table.table.second.names, a.row, b.row));
    return entries;
  }

  table(name) {
    const found = this.tables.find((of) => of.name === name);
    if (found === undefined) throw PluginError.invalid(`it opens a table \`${name}\`, which it did not declare`);
    return found;
  }

  shelf(name) {
    this.table(name);
    return this.shelves.get(name);
  }

  key(row) {
    if (row < this.call.length) return this.call[row];
    throw PluginError.invalid(`it names key ${row}, and the call has ${this.call.length} keys`);
  }

  /** The store that a plugin is given. */
  get(name, keys) {
    const rows = keys ?? this.call.map((_, at) => at);
    const found = rows.flatMap((row) => this.sorted(name, this.key(row)).map((entry) => [row, entry]));
    return this.sent(this.table(name), found);
  }

  find(name, of) {
    const wanted = this.read(name, of, "place");
    const found = wanted.flatMap(({ row, key, second }) =>
      this.sorted(name, key).filter((entry) => entry.second === second).map((entry) => [row, entry]));
    return this.sent(this.table(name), found);
  }

  put(name, entries) {
    const shelf = this.shelf(name);
    const all = this.read(name, entries, "entry");
    const list = this.table(name).kind === "sequence";
    if (list) all.forEach(({ key }) => shelf.set(key, []));
    for (const entry of all) {
      const others = (shelf.get(entry.key) ?? []).filter((other) => list || other.second !== entry.second);
      shelf.set(entry.key, [...others, entry]);
    }
  }

  append(name, entries) {
    if (this.table(name).kind !== "sequence") throw PluginError.invalid("it is no sequence table, so nothing is appended to it");
    const shelf = this.shelf(name);
    for (const entry of this.read(name, entries, "entry")) shelf.set(entry.key, [...(shelf.get(entry.key) ?? []), entry]);
  }

  remove(name, keys) {
    keys.map((row) => this.key(row)).forEach((key) => this.shelf(name).delete(key));
  }

  removeFound(name, of) {
    const shelf = this.shelf(name);
    for (const { key, second } of this.read(name, of, "place")) {
      shelf.set(key, (shelf.get(key) ?? []).filter((entry) => entry.second !== second));
    }
  }

  setTimers(clock, timers) {
    const reached = this.reached[clock];
    const early = reached === null ? undefined : timers.find((timer) => timer.at <= reached);
    if (early !== undefined) {
      const [at, was] = [timestampText(early.at), timestampText(reached)];
      throw PluginError.invalid(`it sets a timer at ${at}, which ${CLOCKS[clock]}, ${was}, has reached`);
    }
    this.clearTimers(clock, timers);
    this.timers[clock].push(...timers.map(({ key, at }) => ({ key: this.key(key), at })));
  }

  clearTimers(clock, timers) {
    const gone = timers.map(({ key, at }) => ({ key: this.key(key), at }));
    this.timers[clock] = this.timers[clock].filter((timer) => !gone.some((of) => of.key === timer.key && of.at === timer.at));
  }

  clearAllTimers(clock, keys) {
    const gone = new Set(keys.map((row) => this.key(row)));
    this.timers[clock] = this.timers[clock].filter((timer) => !gone.has(timer.key));
  }

  /** Entries, or their places, each with its key. */
  read(name, messages, what) {
    const table = this.table(name);
    const second = table.table.second.fields.length;
    return decode(messages, table[what]).flatMap((batch) => {
      const part = (from, to) => new Batch(new Schema(batch.schema.fields.slice(from, to)), batch.columns.slice(from, to), batch.length);
      const seconds = printJson(part(1, 1 + second));
      const rows = part(1).toArray();
      return [...batch.columns[0].values].map((row, at) => ({ row, key: this.key(row), second: seconds[at], row_: rows[at], put: this.now }));
    }).map(({ row_, row, ...entry }) => ({ ...entry, ...(what === "place" ? { row } : { row: row_ }) }));
  }

  sent(table, found) {
    const keys = column(t.uint32, found.map(([row]) => row));
    const entries = rowType(table.columns).batch(found.map(([, entry]) => entry.row));
    const batch = new Batch(table.entry, [keys, ...entries.columns], found.length);
    const order = found.map((_, at) => at).sort((a, b) => found[a][0] - found[b][0]);
    return found.length === 0 ? new Uint8Array(0) : encode(takeBatch(batch, order));
  }
}
