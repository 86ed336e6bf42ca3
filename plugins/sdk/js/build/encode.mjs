// Bytes of the component model's binary format: the few shapes that are needed here.

/** An unsigned number, seven bits a byte. */
export function leb(value) {
  const bytes = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value ? low | 0x80 : low);
  } while (value);
  return bytes;
}

/** A name: its length, then UTF-8. */
export function name(text) {
  const bytes = [...Buffer.from(text, "utf8")];
  return [...leb(bytes.length), ...bytes];
}

/** A vector of things that are bytes already. */
export function vec(items) {
  return [...leb(items.length), ...items.flat()];
}

/** A section: its number, its length, its content. */
export function section(id, content) {
  return Buffer.concat([Buffer.from([id, ...leb(content.length)]), Buffer.from(content)]);
}

/** Reads what `leb`, `name` and `section` write. */
export class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  get done() {
    return this.at >= this.bytes.length;
  }

  byte() {
    if (this.done) throw new Error("the component ends in the middle");
    return this.bytes[this.at++];
  }

  leb() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  take(length) {
    const start = this.at;
    this.at += length;
    if (this.at > this.bytes.length) throw new Error("the component ends in the middle");
    return this.bytes.subarray(start, this.at);
  }

  name() {
    return this.take(this.leb()).toString("utf8");
  }

  /** The next section: its number, its content, and both with the length between them. */
  section() {
    const start = this.at;
    const id = this.byte();
    const content = this.take(this.leb());
    return { id, content, whole: this.bytes.subarray(start, this.at) };
  }
}
