// The rows of one key.

/** The rows of a key, in the order in which they came. One that cannot be read is in error, and is passed over. */
export class Group {
  constructor(read, start, end, more, errors) {
    this.read_ = read;
    this.start = start;
    this.end = end;
    this.errors_ = errors;
    /** Whether the rest of the key's rows follows in another call, which finds what is left in the state. */
    this.more = more;
  }

  /** How many rows there are, those in error too. */
  get length() {
    return this.end - this.start;
  }

  *[Symbol.iterator]() {
    for (let at = this.start; at < this.end; at++) {
      const row = this.errors_.value(at, () => this.read_(at));
      if (row !== null) yield row;
    }
  }

  /** Calls a function for each row; an error of it is that row's, and the others go on. */
  each(run) {
    for (let at = this.start; at < this.end; at++) this.errors_.value(at, () => run(this.read_(at)));
  }
}
