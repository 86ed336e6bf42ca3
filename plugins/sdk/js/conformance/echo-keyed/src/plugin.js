// Keeps rows in tables of every kind, and puts out what they had before: each value is read as JavaScript has it, and written anew.
import { Field, Schema, keyed, list, mapping, t, value, writeRows } from "streamhost-sdk";

const TABLES = ["last", "all", "by"];

export default keyed({
  reads: ["place", "value"],
  plan(config, { rows }) {
    const { table, place, of } = fieldsOf(rows);
    const both = new Schema([place, of]);
    return {
      output: new Schema([table, place, of]),
      tables: { last: value(both), all: list(both), by: mapping(new Schema([place]), new Schema([of])) },
    };
  },
  process(groups, { state }) {
    const { table, place, of } = fieldsOf(groups.rows.schema);
    const before = TABLES.flatMap((name) => stored(name, state));
    const rows = groups.rows.toArray();
    const ranges = Array.from({ length: groups.length }, (_, key) => groups.range(key));
    const ofRows = ranges.flatMap(([start, end], key) => Array(end - start).fill(key));
    const both = new Schema([place, of]);
    state.open("last").put([...ranges.keys()], writeRows(both, ranges.map(([, end]) => rows[end - 1])));
    state.open("all").append(ofRows, writeRows(both, rows));
    state.open("by").put(ofRows, writeRows(both, rows));
    return writeRows(new Schema([table, place, of]), before);
  },
  // Other columns than those of now are refused by the SDK.
  migrate: ({ entries }) => writeRows(entries.schema, entries.rows()),
});

/** The columns that leave. */
function fieldsOf(rows) {
  return { table: new Field("table", t.string), place: rows.field("place"), of: rows.field("value") };
}

/** What a table has of the keys of the call, with its name. */
function stored(table, state) {
  const { second, values } = state.open(table).get();
  return second.beside(values).toArray().map((row) => ({ table, ...row }));
}
