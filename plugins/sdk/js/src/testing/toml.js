// TOML, as fixtures have it: tables, arrays of tables, inline tables and arrays, texts, numbers, booleans.

/** Reads a document. Whole numbers beyond 2^53 are bigints. */
export function parseToml(text) {
  const reader = new Reader(text);
  const root = {};
  let table = root;
  for (reader.blank(); !reader.done; reader.blank()) {
    if (reader.take("[[")) table = newest(root, reader.header("]]"));
    else if (reader.take("[")) table = tableAt(root, reader.header("]"));
    else reader.pair(table);
    reader.lineEnd();
  }
  return root;
}

function tableAt(root, path) {
  let table = root;
  for (const name of path) {
    table[name] ??= {};
    table = Array.isArray(table[name]) ? table[name].at(-1) : table[name];
  }
  return table;
}

function newest(root, path) {
  const above = tableAt(root, path.slice(0, -1));
  const name = path.at(-1);
  above[name] ??= [];
  above[name].push({});
  return above[name].at(-1);
}

const ESCAPES = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", '"': '"', "\\": "\\" };

class Reader {
  constructor(text) {
    this.text = text.replaceAll("\r\n", "\n");
    this.at = 0;
  }

  get done() {
    return this.at >= this.text.length;
  }

  take(word) {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) this.at += found[0].length;
    return found;
  }

  space() {
    this.match(/[ \t]*/y);
  }

  /** Spaces, lines without anything, comments. */
  blank() {
    this.match(/(?:[ \t\n]|#[^\n]*)*/y);
  }

  lineEnd() {
    if (this.match(/[ \t]*(?:#[^\n]*)?(?:\n|$)/y) === null) throw this.error("the end of the line");
  }

  header(end) {
    const path = this.path();
    if (!this.take(end)) throw this.error(end);
    return path;
  }

  path() {
    const names = [];
    do {
      this.space();
      names.push(this.name());
      this.space();
    } while (this.take("."));
    return names;
  }

  name() {
    if (this.text[this.at] === '"' || this.text[this.at] === "'") return this.string();
    const found = this.match(/[A-Za-z0-9_-]+/y);
    if (found === null) throw this.error("a name");
    return found[0];
  }

  pair(table) {
    const path = this.path();
    if (!this.take("=")) throw this.error("=");
    this.space();
    tableAt(table, path.slice(0, -1))[path.at(-1)] = this.value();
  }

  value() {
    const first = this.text[this.at];
    if (first === '"' || first === "'") return this.string();
    if (this.take("[")) return this.array();
    if (this.take("{")) return this.inline();
    if (this.take("true")) return true;
    if (this.take("false")) return false;
    return this.number();
  }

  array() {
    const items = [];
    for (this.blank(); !this.take("]"); this.blank()) {
      items.push(this.value());
      this.blank();
      if (!this.take(",") && this.text[this.at] !== "]") throw this.error("a comma or ]");
    }
    return items;
  }

  inline() {
    const table = {};
    for (this.blank(); !this.take("}"); this.blank()) {
      this.pair(table);
      this.blank();
      if (!this.take(",") && this.text[this.at] !== "}") throw this.error("a comma or }");
    }
    return table;
  }

  string() {
    if (this.take("'''")) return this.until("'''").replace(/^\n/, "");
    if (this.take('"""')) return escaped(this.until('"""').replace(/^\n/, "").replace(/\\[ \t]*\n\s*/g, ""));
    if (this.take("'")) return this.until("'");
    const found = this.match(/"((?:[^"\\\n]|\\.)*)"/y);
    if (found === null) throw this.error("a text");
    return escaped(found[1]);
  }

  until(end) {
    const close = this.text.indexOf(end, this.at);
    if (close < 0) throw this.error(end);
    const content = this.text.slice(this.at, close);
    this.at = close + end.length;
    return content;
  }

  number() {
    const found = this.match(/[+-]?(?:inf|nan|\d[\d_]*(?:\.[\d_]+)?(?:[eE][+-]?\d+)?)/y);
    if (found === null) throw this.error("a value");
    const text = found[0].replaceAll("_", "").replace(/^\+/, "");
    if (text.endsWith("nan")) return NaN;
    if (text.endsWith("inf")) return text[0] === "-" ? -Infinity : Infinity;
    return /^-?\d+$/.test(text) && !Number.isSafeInteger(Number(text)) ? BigInt(text) : Number(text);
  }

  error(wanted) {
    const line = this.text.slice(0, this.at).split("\n").length;
    return new SyntaxError(`line ${line}: ${wanted} is expected`);
  }
}

function escaped(text) {
  return text.replace(/\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/gs, (_, code) =>
    code.length > 1 ? String.fromCodePoint(Number.parseInt(code.slice(1), 16)) : (ESCAPES[code] ?? code));
}

/** A value as JSON: bigints are whole numbers. */
export function toJson(value) {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, of]) => `${JSON.stringify(name)}:${toJson(of)}`).join(",")}}`;
}
