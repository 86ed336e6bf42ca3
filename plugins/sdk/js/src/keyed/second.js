// Values by a second key: like a Map, but the same columns are the same key.
import { copied } from "./same.js";

/** A key is an object of the second key's columns; where there is one column, its value will do. */
export class SecondKeys {
  constructor(members, rows) {
    this.members = members;
    this.entries_ = new Map(rows.map(([second, value]) => [this.text(second), [second, value]]));
  }

  /** How many entries there are. */
  get size() {
    return this.entries_.size;
  }

  /** The value of a key, or undefined. */
  get(key) {
    return this.entries_.get(this.text(this.row(key)))?.[1];
  }

  has(key) {
    return this.entries_.has(this.text(this.row(key)));
  }

  /** Inserts or overwrites. */
  set(key, value) {
    const row = this.row(key);
    this.entries_.set(this.text(row), [row, value]);
    return this;
  }

  delete(key) {
    return this.entries_.delete(this.text(this.row(key)));
  }

  clear() {
    this.entries_.clear();
  }

  /** Keys, each an object, and values. */
  rows() {
    return [...this.entries_.values()];
  }

  /** Keys as they are given to `get`, and values. */
  *[Symbol.iterator]() {
    for (const [second, value] of this.entries_.values()) yield [this.members.length === 1 ? second[this.members[0]] : second, value];
  }

  *keys() {
    for (const [key] of this) yield key;
  }

  *values() {
    for (const [, value] of this.entries_.values()) yield value;
  }

  copied() {
    return new SecondKeys(this.members, this.rows().map(([second, value]) => [copied(second), copied(value)]));
  }

  row(key) {
    const [first] = this.members;
    const whole = this.members.length !== 1 || (key !== null && typeof key === "object" && Object.hasOwn(key, first));
    return whole ? key : { [first]: key };
  }

  text(row) {
    return JSON.stringify(this.members.map((member) => row[member] ?? null), (_, value) => {
      if (typeof value === "bigint") return `${value}n`;
      if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) return `n${Object.is(value, -0) ? "-0" : value}`;
      return ArrayBuffer.isView(value) ? ["b", ...value] : value;
    });
  }
}
