// Plugins without state, bound natively: through the same bytes that cross the boundary.
import { Batch } from "../batch.js";
import { BoundFunctions } from "../bound/functions.js";
import { BoundSink } from "../bound/sink.js";
import { BoundStateless } from "../bound/stateless.js";
import { contextOf } from "../bound/context.js";
import { filterBatch } from "../compute.js";
import { Bits } from "../bits.js";
import { parseDdl } from "../ddl.js";
import { PluginError } from "../error.js";
import { decode } from "../ipc/read.js";
import { decodeSchema } from "../ipc/schema.js";
import { encode } from "../ipc/write.js";
import { printJson, readJson } from "./json.js";

/** What a test tells a plugin of the epoch, unless it says otherwise. */
export const EPOCH = Object.freeze({ query: "test", epoch: 0, partition: 0, attempt: 0, watermark: null, now: 0n });

/** The columns that the plugin reads of a batch. */
export function projected(batch, columns) {
  return new Batch(columns, columns.names.map((name) => batch.column(name)), batch.length);
}

/** `row 2: message`, as fixtures have it. */
export function errorText({ row, disposition, message }, which = `row ${row}`) {
  return `${which}${disposition === "retry" ? " (retry)" : ""}: ${message}`;
}

/** A filter, a map or a transform with its configuration and input schema. */
export class Stateless {
  constructor(plugin, config = "", schema = "") {
    this.input = parseDdl(schema);
    this.bound = new BoundStateless(plugin, config, this.input);
    this.context = { ...EPOCH };
  }

  /** What the plugin gives for these rows, a JSON object a line: `rows` and `side` as texts of JSON, `errors` as texts. */
  run(rows) {
    const batch = readJson(rows, this.input);
    const outcome = this.bound.process(contextOf(this.context), encode(projected(batch, this.bound.input)));
    const side = outcome.side.map(([name, messages]) => [name, lines(messages, this.bound.side.find(([of]) => of === name)[1])]);
    return {
      rows: this.main(batch, outcome),
      side: Object.fromEntries(side.filter(([, all]) => all.length > 0)),
      errors: outcome.errors.map((error) => errorText(error)),
    };
  }

  /** The rows as the host puts them together. */
  main(batch, { main, errors }) {
    const { output } = this.bound;
    const good = Bits.where(batch.length, (row) => !errors.some((error) => error.row === row));
    if (main.tag === "replace") return lines(main.val, output);
    if (main.tag === "keep") return printJson(filterBatch(batch, new Bits(main.val, batch.length)));
    if (main.tag === "extend") return printJson(filterBatch(batch.beside(joined(main.val, output)), good));
    const [bits, messages] = main.val;
    return printJson(filterBatch(batch, new Bits(bits, batch.length)).beside(joined(messages, output)));
  }
}

function joined(messages, schema) {
  const [first, ...more] = decode(messages, schema);
  if (more.length > 0) throw PluginError.permanent("a test gives one batch");
  return first;
}

function lines(messages, schema) {
  return decode(messages, schema).flatMap(printJson);
}

/** A plugin that stores epochs, with its configuration and input schema. */
export class Sink {
  constructor(plugin, config = "", schema = "") {
    this.input = parseDdl(schema);
    this.bound = new BoundSink(plugin, config, this.input);
    this.context = { ...EPOCH };
  }

  /** Stores an epoch of these batches, each as rows of JSON: what outputs have got, and the statements that were run. */
  run(...batches) {
    const { bound } = this;
    const messages = batches.map((rows) => encode(projected(readJson(rows, this.input), bound.input)));
    const [outputs, statements] = [{}, []];
    const places = {
      write: (name, rows) => (outputs[name] = [...(outputs[name] ?? []), ...lines(rows, bound.outputs.find(([of]) => of === name)[1])]),
      execute: (output, statement, schema, rows) => {
        const parameters = lines(rows, decodeSchema(schema));
        statements.push({ output, statement, parameters });
        return parameters.length;
      },
    };
    bound.process(contextOf(this.context), () => messages.shift() ?? null, places);
    return { outputs, statements };
  }
}

/** A plugin of functions with its configuration. */
export class Functions {
  constructor(plugin, config = "") {
    this.bound = new BoundFunctions(plugin, config);
  }

  /** The results of a function for rows of its arguments, as texts of JSON; of a row with NULL where it must not be, NULL. */
  call(name, rows) {
    const { args, returns } = this.bound.find(name);
    const batch = readJson(rows, args);
    const asked = Bits.where(batch.length, (row) => !args.fields.some((field, at) => !field.nullable && batch.columns[at].isNull(row)));
    const given = filterBatch(batch, asked);
    const results = given.length === 0 ? [] : lines(this.bound.call(name, encode(given)), returns);
    const values = results.map((line) => (line === "{}" ? "null" : line.slice('{"result": '.length, -1)));
    return [...asked.flags()].map((flag) => (flag ? values.shift() : "null"));
  }

  /** The function of this name; without one, the only function. */
  named(name) {
    const names = this.bound.functions.map(({ of }) => of.name);
    if (name !== undefined) return name;
    if (names.length === 1) return names[0];
    throw PluginError.invalid('say which function the case calls: function = "name"');
  }
}
