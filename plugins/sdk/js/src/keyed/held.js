// A table, key after key: read in one crossing, and written in one, of which only what was changed is.
import { rowType } from "../row.js";
import { copied, same } from "./same.js";
import { SecondKeys } from "./second.js";

/** What a table has of the keys of a call. */
export class Held {
  constructor(table, open, keys) {
    const { members } = table.table;
    this.kind = table.kind;
    this.open = open;
    this.values = rowType(members.value);
    this.seconds = members.second === null ? null : rowType(members.second);
    const entries = open.get();
    this.ends = entries.ends(keys);
    this.readValue = this.values.reader(entries.values);
    this.readSecond = this.seconds?.reader(entries.second) ?? null;
    this.later = new Map();
    this.current = null;
    this.key = 0;
  }

  /** Begins with a key. What was not kept of the one before is as it was. */
  begin(key) {
    this.key = key;
    this.current = this.later.has(key) ? copied(this.later.get(key)) : this.stored(key);
  }

  /** Keeps what the key has now. */
  keep() {
    this.later.set(this.key, this.current);
  }

  stored(key) {
    const [start, end] = [this.ends[key], this.ends[key + 1]];
    if (this.kind === "value") return start < end ? this.readValue(start) : null;
    const rows = Array.from({ length: end - start }, (_, at) => start + at);
    if (this.kind === "sequence") return rows.map(this.readValue);
    return new SecondKeys(this.seconds.members, rows.map((row) => [this.readSecond(row), this.readValue(row)]));
  }

  /** Writes what was changed. */
  write() {
    const changes = new Changes();
    for (const [key, now] of this.later) this.note(key, this.stored(key), now, changes);
    this.open.remove(changes.removed);
    if (changes.foundKeys.length > 0) this.open.removeFound(changes.foundKeys, this.seconds.batch(changes.found));
    this.written("put", changes.putKeys, changes.put);
    this.written("append", changes.appendKeys, changes.appended);
  }

  written(how, keys, rows) {
    if (keys.length === 0) return;
    const values = this.values.batch(rows.map((row) => row.value));
    const columns = this.seconds === null ? values : this.seconds.batch(rows.map((row) => row.second)).beside(values);
    this.open[how](keys, columns);
  }

  note(key, before, now, changes) {
    if (this.kind === "mapping") return noteMapping(key, before, now, changes);
    if (this.kind === "sequence") return noteList(key, before, now ?? [], changes);
    if (now === null || now === undefined) {
      if (before !== null) changes.removed.push(key);
    } else if (before === null || !same(before, now)) changes.add(key, now);
  }
}

class Changes {
  constructor() {
    this.removed = [];
    this.foundKeys = [];
    this.found = [];
    this.putKeys = [];
    this.put = [];
    this.appendKeys = [];
    this.appended = [];
  }

  add(key, value, second = null) {
    this.putKeys.push(key);
    this.put.push({ value, second });
  }
}

function noteList(key, before, now, changes) {
  if (now.length === 0) {
    if (before.length > 0) changes.removed.push(key);
    return;
  }
  const begins = before.length <= now.length && before.every((value, at) => same(value, now[at]));
  if (begins && before.length > 0) {
    for (const value of now.slice(before.length)) {
      changes.appendKeys.push(key);
      changes.appended.push({ value, second: null });
    }
  } else now.forEach((value) => changes.add(key, value));
}

function noteMapping(key, before, now, changes) {
  for (const [second] of before.rows()) {
    if (now.has(second)) continue;
    changes.foundKeys.push(key);
    changes.found.push(second);
  }
  for (const [second, value] of now.rows()) {
    if (!before.has(second) || !same(before.get(second), value)) changes.add(key, value, second);
  }
}
