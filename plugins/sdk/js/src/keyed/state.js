// The state of the keys of one call, which the host holds.
import { Batch } from "../batch.js";
import { Column } from "../column.js";
import { printDdl } from "../ddl.js";
import { PluginError, within } from "../error.js";
import { decodeOne } from "../ipc/read.js";
import { encode } from "../ipc/write.js";
import { Schema, sameType, t } from "../types.js";

/** Tables and timers of the keys of one call. A key is named by its row in the call's keys. */
export class State {
  constructor(tables, store) {
    this.tables = tables;
    this.store = store;
  }

  /** A table that the plugin declared. */
  open(name) {
    const found = this.tables.find((table) => table.name === name);
    if (found === undefined) throw PluginError.permanent(`the plugin did not declare a table \`${name}\``);
    return new OpenTable(found, this.store);
  }

  /** Sets timers, `{ key, at }` with microseconds as a bigint, on `event-time` or `processing-time`. */
  setTimers(clock, timers) {
    if (timers.length > 0) this.store.setTimers(clock, timers);
  }

  /** Takes timers back. Those that are not set are passed over. */
  clearTimers(clock, timers) {
    if (timers.length > 0) this.store.clearTimers(clock, timers);
  }

  /** Takes all timers of these keys back. */
  clearAllTimers(clock, keys) {
    if (keys.length > 0) this.store.clearAllTimers(clock, keys);
  }
}

/** What a table has of the keys of a call, ordered by key; those of a key as they were appended, or by their second key. */
class Entries {
  constructor(table, batch) {
    const { second, value } = table.table;
    this.keys = batch.columns[0].values;
    if (batch.columns[0].nullCount > 0 || !rising(this.keys)) {
      throw PluginError.permanent("the host's entries are not ordered by their keys");
    }
    const parts = 1 + second.fields.length;
    this.length = batch.length;
    this.second = new Batch(second, batch.columns.slice(1, parts), batch.length);
    this.values = new Batch(value, batch.columns.slice(parts), batch.length);
  }

  /** Where each of so many keys has its entries: those of key `i` are from `ends[i]` to `ends[i + 1]`. */
  ends(keys) {
    const ends = new Uint32Array(keys + 1);
    let entry = 0;
    for (let key = 0; key <= keys; key++) {
      while (entry < this.length && this.keys[entry] < key) entry++;
      ends[key] = entry;
    }
    return ends;
  }

  /** The entry of a key, or -1. */
  find(key) {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return low < this.length && this.keys[low] === key ? low : -1;
  }
}

function rising(keys) {
  for (let at = 1; at < keys.length; at++) if (keys[at] < keys[at - 1]) return false;
  return true;
}

/** A table, for the keys of one call. Each method crosses to the host once, for however many entries, and not at all for none. */
class OpenTable {
  constructor(table, store) {
    this.table = table;
    this.store = store;
  }

  /** The entries of these keys, of all without any; ordered by key, in whichever order they are named. */
  get(keys = null) {
    const named = keys === null ? null : [...new Set(keys)].sort((a, b) => a - b);
    if (named !== null && named.length === 0) return this.entries(new Uint8Array(0));
    return this.entries(this.told(() => this.store.get(this.table.name, named)));
  }

  /** Of a mapping: those entries that are there of these, which are a key each and a row of the second key's columns. */
  find(keys, second) {
    this.needsMapping();
    if (keys.length === 0) return this.entries(new Uint8Array(0));
    const of = this.encoded(keys, second, this.table.place);
    return this.entries(this.told(() => this.store.find(this.table.name, of)));
  }

  /** Inserts or overwrites: a key each, and a row of the second key's columns and the value's. Of a list they are all there is. */
  put(keys, columns) {
    this.write("put", keys, columns);
  }

  /** Of a list: adds values at the end. */
  append(keys, columns) {
    if (this.table.kind !== "sequence") throw this.wrong("is no list, so nothing is appended to it");
    this.write("append", keys, columns);
  }

  /** Removes all entries of these keys. */
  remove(keys) {
    if (keys.length > 0) this.told(() => this.store.remove(this.table.name, [...keys]));
  }

  /** Of a mapping: removes entries, named as for `find`. */
  removeFound(keys, second) {
    this.needsMapping();
    if (keys.length === 0) return;
    const of = this.encoded(keys, second, this.table.place);
    this.told(() => this.store.removeFound(this.table.name, of));
  }

  write(how, keys, given) {
    const columns = given instanceof Batch ? given : Batch.of(given);
    if (keys.length === 0 && columns.length === 0) return;
    const entries = this.encoded(keys, columns, this.table.entry);
    this.told(() => this.store[how](this.table.name, entries));
  }

  encoded(keys, given, schema) {
    const columns = given instanceof Batch ? given : Batch.of(given);
    const wanted = schema.fields.slice(1);
    const alike = wanted.length === columns.columns.length && wanted.every((field, at) => sameType(field.type, columns.columns[at].type));
    if (!alike) throw this.wrong(`takes ${printDdl(new Schema(wanted))}, and is given ${printDdl(columns.schema)}`);
    if (keys.length !== columns.length) throw this.wrong(`is given ${keys.length} keys for ${columns.length} rows`);
    const key = new Column(t.uint32, keys.length, { values: Uint32Array.from(keys) });
    return encode(new Batch(schema, [key, ...columns.columns], keys.length));
  }

  entries(messages) {
    return this.told(() => new Entries(this.table, decodeOne(messages, this.table.entry)));
  }

  needsMapping() {
    if (this.table.kind !== "mapping") throw this.wrong("is no mapping, so nothing is found in it by a second key");
  }

  told(run) {
    return within(`table \`${this.table.name}\``, run);
  }

  wrong(why) {
    return PluginError.permanent(`table \`${this.table.name}\` ${why}`);
  }
}

/** State of no keys: for what is only tried. */
const nothing = () => new Uint8Array(0);
export const NOWHERE = Object.freeze({
  get: nothing, find: nothing, put() {}, append() {}, remove() {}, removeFound() {}, setTimers() {}, clearTimers() {}, clearAllTimers() {},
});
