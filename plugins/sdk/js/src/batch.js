// Rows: columns of the same length under their names.
import { printDdl } from "./ddl.js";
import { PluginError } from "./error.js";
import { Field, Schema } from "./types.js";

/** A batch of rows. */
export class Batch {
  constructor(schema, columns, length) {
    this.schema = schema;
    this.columns = columns;
    this.length = length;
  }

  /** From columns by name. A batch of none says how many rows it has. */
  static of(columns, length) {
    const names = Object.keys(columns);
    const all = Object.values(columns);
    const rows = all[0]?.length ?? length ?? 0;
    const other = all.findIndex((column) => column.length !== rows);
    if (other >= 0) throw PluginError.permanent(`column \`${names[other]}\` has ${all[other].length} rows, and the first one ${rows}`);
    return new Batch(new Schema(names.map((name, at) => new Field(name, all[at].type))), all, rows);
  }

  /** The column of this name. */
  column(name) {
    const at = this.schema.indexOf(name);
    if (at < 0) throw PluginError.invalid(`there is no column \`${name}\`; the columns are ${printDdl(this.schema)}`);
    return this.columns[at];
  }

  /** The columns of both, which have as many rows. */
  beside(other) {
    if (other.length !== this.length) throw PluginError.permanent(`${this.length} rows beside ${other.length}`);
    const schema = new Schema([...this.schema.fields, ...other.schema.fields]);
    return new Batch(schema, [...this.columns, ...other.columns], this.length);
  }

  /** The rows as objects. */
  *rows() {
    const { names } = this.schema;
    for (let row = 0; row < this.length; row++) {
      const value = {};
      names.forEach((name, at) => (value[name] = this.columns[at].get(row)));
      yield value;
    }
  }

  /** The rows as objects, all at once. */
  toArray() {
    return [...this.rows()];
  }
}
