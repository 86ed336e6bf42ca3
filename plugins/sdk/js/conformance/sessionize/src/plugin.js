// Tells of each session of a key when it has ended.
import { Batch, Field, PluginError, Schema, c, column, compute, keyed, t, typeName, value } from "streamhost-sdk";
import { sessions } from "./session.js";

export default keyed({
  config: {
    time: c.string({ about: "The column of event time, a TIMESTAMP." }),
    gap: c.interval({ about: "For how long a key is still before its session has ended." }),
    first: c.list(c.string(), { default: [], about: "Columns of which a session has the earliest row's value, as `first_` and the name." }),
    last: c.list(c.string(), { default: [], about: "Columns of which a session has the latest row's value, as `last_` and the name." }),
  },
  reads: (config) => [config.time, ...config.first, ...config.last],
  plan(config, input) {
    const tables = tablesOf(config, input.rows);
    const output = [...input.keys.fields, ...Object.values(tables).flat()];
    const twice = output.find((field, at) => output.findIndex((other) => other.name === field.name) < at);
    if (twice !== undefined) {
      throw PluginError.invalid(`a session would have two columns \`${twice.name}\`: rename the key's, or leave one out`);
    }
    const declared = Object.entries(tables).map(([name, fields]) => [name, value(new Schema(fields))]);
    return { output: new Schema(output), tables: Object.fromEntries(declared) };
  },
  process(groups, { config, cx, state, errors }) {
    const times = groups.rows.column(config.time);
    const found = sessions(groups, times, state.open("open").get(), errors);
    keep(config, groups.rows, found, times.type, state);
    // What follows of its rows belongs to it.
    const over = found.filter((session) => cx.watermark !== null && ends(config, session.end) <= cx.watermark && !groups.more(session.key));
    setTimers(config, cx, over, found.filter((session) => !over.includes(session)), state);
    return close(config, groups.keys, over.map((session) => session.key), state);
  },
  fired: (fired, { config, state }) => close(config, fired.keys, fired.timers.map((timer) => timer.key), state),
});

/** When the watermark ends a session: in whole milliseconds, as Spark's time-outs are. */
function ends(config, last) {
  const millis = last / 1000n - (last % 1000n < 0n ? 1n : 0n);
  return millis * 1000n + config.gap;
}

/**
 * What is kept of a session, by table: the columns of its end, of its earliest row and of its latest one. The latter two change less
 * often than it does.
 */
function tablesOf(config, rows) {
  const field = (name) => {
    const found = rows.field(name);
    if (found === undefined) throw PluginError.invalid(`config: there is no column \`${name}\``);
    return found;
  };
  const time = field(config.time).type;
  if (time.id !== "Timestamp" || time.unit !== "us") {
    throw PluginError.invalid(`config: column \`${config.time}\` has type ${typeName(time)}, and times are TIMESTAMP`);
  }
  const named = (table, names) => names.map((name) => field(name).named(`${table}_${name}`).asNullable());
  const open = [new Field("start", time), new Field("end", time), new Field("n", t.bigint)];
  const all = { open, first: named("first", config.first), last: named("last", config.last) };
  return Object.fromEntries(Object.entries(all).filter(([, fields]) => fields.length > 0));
}

/** Writes what has changed. */
function keep(config, rows, found, time, state) {
  const changed = found.filter((session) => session.added > 0);
  const of = (type, member) => column(type, changed.map((session) => session[member]));
  const columns = { start: of(time, "start"), end: of(time, "end"), n: of(t.bigint, "n") };
  state.open("open").put(changed.map((session) => session.key), columns);
  for (const table of ["first", "last"]) keepRows(table, config[table], rows, changed, state);
}

/** Writes columns of the earliest or the latest row of those sessions that have a new one. */
function keepRows(table, names, rows, changed, state) {
  const moved = changed.filter((session) => session[table] !== null);
  if (names.length === 0 || moved.length === 0) return;
  const picked = moved.map((session) => session[table]);
  const columns = names.map((name) => [name, compute.take(rows.column(name), picked)]);
  state.open(table).put(moved.map((session) => session.key), Object.fromEntries(columns));
}

/**
 * Each running session has one timer, at its end; but one that ends already, and of which more rows follow in the next call, has none
 * yet. One that is over has none any more.
 */
function setTimers(config, cx, over, running, state) {
  const moved = running.filter((session) => session.before !== session.end);
  const had = [...over, ...moved].filter((session) => session.before !== null);
  state.clearTimers("event-time", had.map(({ key, before }) => ({ key, at: ends(config, before) })));
  const now = moved.map(({ key, end }) => ({ key, at: ends(config, end) }));
  state.setTimers("event-time", now.filter(({ at }) => cx.watermark === null || at > cx.watermark));
}

/** The sessions of these keys, which are gone with that. */
function close(config, keys, over, state) {
  if (over.length === 0) return null;
  const fields = [...keys.schema.fields];
  const columns = keys.columns.map((of) => compute.take(of, over));
  const tables = ["open", ...["first", "last"].filter((name) => config[name].length > 0)];
  for (const table of tables.map((name) => state.open(name))) {
    const entries = table.get(over);
    const rows = over.map((key) => rowOf(entries, key));
    fields.push(...entries.values.schema.fields);
    columns.push(...entries.values.columns.map((of) => compute.take(of, rows)));
    table.remove(over);
  }
  return new Batch(new Schema(fields), columns, over.length);
}

function rowOf(entries, key) {
  const row = entries.find(key);
  if (row < 0) throw PluginError.permanent("a session that ends is not in the state");
  return row;
}
