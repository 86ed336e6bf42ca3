// Tables, as a plugin declares them: what is kept for each key, under a name.
import { within } from "../error.js";
import { parseInterval } from "../interval.js";
import { empty } from "../ipc/read.js";
import { encodeSchema } from "../ipc/schema.js";
import { Field, Schema, columnsOf, t } from "../types.js";

/** What a table has of a key. Columns may be null, so that a column that learns to be is no new version. */
class Table {
  constructor(kind, second, columns, { ttl = null, version = 1 } = {}) {
    this.kind = kind;
    this.second = second === null ? new Schema([]) : columnsOf(second).asNullable();
    this.value = columnsOf(columns).asNullable();
    this.members = { second, value: columns };
    this.ttl = ttl;
    this.version = version;
  }
}

/** One value a key: Spark's `ValueState`. */
export const value = (columns, options) => new Table("value", null, columns, options);
/** A list of values a key: Spark's `ListState`. */
export const list = (columns, options) => new Table("sequence", null, columns, options);
/** Values by a second key, for each key: Spark's `MapState`. */
export const mapping = (second, columns, options) => new Table("mapping", second, columns, options);

/** A table with its name, and with the time after which what is not written goes. */
export class NamedTable {
  constructor(name, table, ttl) {
    this.name = name;
    this.table = table;
    this.kind = table.kind;
    this.version = table.version;
    this.ttl = micros(table.ttl ?? ttl);
    /** The columns of an entry but for its key. */
    this.columns = new Schema([...table.second.fields, ...table.value.fields]);
    /** The columns of an entry. */
    this.entry = withKey(this.columns);
    /** The columns by which an entry of a mapping is found. */
    this.place = withKey(table.second);
    // A type that does not cross is refused before there are rows.
    within(`table \`${name}\``, () => empty(this.entry));
  }

  /** As the host is told of it. */
  declaration() {
    const { name, table, kind, ttl, version } = this;
    return {
      name,
      kind: kind === "mapping" ? { tag: kind, val: encodeSchema(table.second) } : { tag: kind },
      value: encodeSchema(table.value),
      ttlMs: ttl === null ? null : Number(ttl / 1000n),
      version,
    };
  }
}

function micros(ttl) {
  return typeof ttl === "string" ? parseInterval(ttl) : ttl;
}

/** Names of columns do not matter in an entry; so that of the key may be a column's too. */
function withKey(columns) {
  return new Schema([new Field("key", t.uint32, false), ...columns.fields]);
}
