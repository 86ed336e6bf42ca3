// JSON, in which whole numbers that a fraction cannot hold are bigints.
import { PluginError } from "./error.js";

/** Reads a text. */
export function parseJson(text) {
  const reader = new Reader(text);
  const value = reader.value();
  reader.space();
  if (reader.at < text.length) throw reader.error();
  return value;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.depth = 0;
  }

  space() {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at++;
  }

  value() {
    this.space();
    const first = this.text[this.at];
    if (first === "{") return this.nested(() => this.object());
    if (first === "[") return this.nested(() => this.array());
    if (first === '"') return this.string();
    for (const [word, value] of WORDS) if (this.text.startsWith(word, this.at)) return this.take(word.length, value);
    return this.number();
  }

  nested(read) {
    this.depth++;
    if (this.depth > 128) throw this.error();
    const value = read();
    this.depth--;
    return value;
  }

  take(length, value) {
    this.at += length;
    return value;
  }

  object() {
    const members = {};
    this.list("}", () => {
      this.space();
      const name = this.string();
      this.space();
      this.expect(":");
      Object.defineProperty(members, name, { value: this.value(), enumerable: true, writable: true, configurable: true });
    });
    return members;
  }

  array() {
    const items = [];
    this.list("]", () => items.push(this.value()));
    return items;
  }

  list(end, item) {
    this.at++;
    this.space();
    if (this.text[this.at] === end) return this.take(1);
    for (;;) {
      item();
      this.space();
      if (this.text[this.at] === end) return this.take(1);
      this.expect(",");
    }
  }

  string() {
    const found = STRING.exec(this.text.slice(this.at));
    if (found === null) throw this.error();
    this.at += found[0].length;
    return JSON.parse(found[0]);
  }

  number() {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text);
    if (found === null) throw this.error();
    this.at += found[0].length;
    const value = Number(found[0]);
    return /^-?\d+$/.test(found[0]) && !Number.isSafeInteger(value) ? BigInt(found[0]) : value;
  }

  expect(wanted) {
    if (this.text[this.at] !== wanted) throw this.error();
    this.at++;
  }

  error() {
    return PluginError.invalid(`no JSON at character ${this.at + 1} of ${this.text.length}`);
  }
}

const WORDS = [["true", true], ["false", false], ["null", null]];
const STRING = /^"(?:[^"\\\u0000-\u001f]|\\.)*"/;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
