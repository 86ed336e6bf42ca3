// A filter, a map or a transform, bound to a configuration and an input schema.
import { Batch } from "../batch.js";
import { Bits } from "../bits.js";
import { Column } from "../column.js";
import { filterBatch } from "../compute.js";
import { parseConfig } from "../config.js";
import { printDdl } from "../ddl.js";
import { PluginError, RowErrors } from "../error.js";
import { decode, empty } from "../ipc/read.js";
import { encodeSchema } from "../ipc/schema.js";
import { encode, join } from "../ipc/write.js";
import { alike, project, sameColumns } from "../schema.js";
import { Schema } from "../types.js";
import { NO_CONTEXT, namesRead } from "./context.js";
import { expand, filterRows, mapRows } from "./rows.js";

const NO_COLUMNS = new Schema([]);

/** A plugin that has agreed on schemas. */
export class BoundStateless {
  /** Reads the configuration, picks the columns and asks the plugin, with an empty batch, what it gives for them. */
  constructor(plugin, config, input) {
    this.plugin = plugin;
    this.config = parseConfig(plugin.config, config);
    this.reads = namesRead(plugin, this.config);
    this.input = project(input, this.reads);
    const made = this.made(NO_CONTEXT, empty(this.input), new RowErrors());
    this.replaces = made.rows !== undefined;
    this.output = (made.rows ?? made.columns)?.schema.asNullable() ?? NO_COLUMNS;
    this.side = Object.entries(made.side ?? {}).map(([name, batch]) => [name, batch.schema.asNullable()]);
  }

  /** What the host is told. */
  binding() {
    const schema = encodeSchema(this.output);
    return {
      reads: this.reads === null ? null : this.input.names,
      output: this.replaces ? { tag: "rows", val: schema } : { tag: "columns", val: schema },
      side: this.side.map(([name, columns]) => [name, encodeSchema(columns)]),
    };
  }

  /** Processes the messages of one call. */
  process(cx, messages) {
    const answers = decode(messages, this.input).map((batch) => this.answer(cx, batch));
    const rows = answers.reduce((sum, answer) => sum + answer.length, 0);
    return { main: this.main(answers, rows), side: this.sides(answers), errors: numbered(answers) };
  }

  made(cx, batch, errors) {
    const { plugin, config } = this;
    const use = { config, cx, errors };
    if (plugin.row !== null) return OF_ROWS[plugin.kind](plugin, batch, use);
    return checked(plugin, plugin.batch(batch, use));
  }

  /** What a plugin gives for one batch: bits, columns and rows in error. */
  answer(cx, batch) {
    const errors = new RowErrors();
    const made = this.made(cx, batch, errors);
    const keep = made.keep === undefined ? null : kept(made.keep, batch.length, errors);
    const picked = keep === null ? batch.length : keep.count();
    const columns = made.columns ?? null;
    if (columns !== null) sameLength(columns.length, picked, keep === null);
    const main = made.rows ?? columns;
    if (main !== null) sameColumns(this.output, main.schema);
    return { length: batch.length, keep, main, side: made.side ?? {}, errors };
  }

  main(answers, rows) {
    const picks = answers.some((answer) => answer.keep !== null);
    const messages = () => join(answers.filter(({ main }) => main !== null).map((answer) => encode(columnsOf(answer, picks))));
    if (this.replaces) return { tag: "replace", val: messages() };
    if (!picks && this.output.fields.length > 0) return { tag: "extend", val: messages() };
    const bits = joinedBits(answers, rows);
    return this.output.fields.length === 0 ? { tag: "keep", val: bits } : { tag: "keep-extend", val: [bits, messages()] };
  }

  sides(answers) {
    const messages = new Map();
    for (const { side } of answers) {
      for (const [name, batch] of Object.entries(side)) {
        sameSide(this.side, name, batch);
        messages.set(name, [...(messages.get(name) ?? []), encode(batch)]);
      }
    }
    return [...messages].map(([name, all]) => [name, join(all)]);
  }
}

const OF_ROWS = { filter: filterRows, map: mapRows, transform: expand };

/** What a function over batches returned, as parts. */
function checked(plugin, given) {
  switch (plugin.kind) {
    case "filter":
      return { keep: given };
    case "map":
      return given instanceof Batch || isColumns(given)
        ? { columns: asBatch(given) }
        : { keep: given?.keep, columns: asBatch(given?.columns) };
    default:
      return given instanceof Batch || isColumns(given)
        ? { rows: asBatch(given) }
        : { rows: asBatch(given?.rows), side: batches(given?.side ?? {}) };
  }
}

function isColumns(given) {
  return given !== null && typeof given === "object" && Object.values(given).every((part) => part instanceof Column);
}

function asBatch(given) {
  if (given instanceof Batch) return given;
  if (isColumns(given)) return Batch.of(given);
  throw PluginError.permanent("the function has to return a batch, or columns by name");
}

function batches(side) {
  return Object.fromEntries(Object.entries(side).map(([name, batch]) => [name, asBatch(batch)]));
}

/** The rows to keep, which are neither null nor in error. */
function kept(given, rows, errors) {
  let bits = given;
  if (given instanceof Column && given.type.id === "Boolean") {
    bits = new Bits(given.values, given.length);
    if (given.valid !== null) bits = bits.and(given.valid);
  }
  if (!(bits instanceof Bits)) throw PluginError.permanent("the rows to keep have to be `Bits`, or a column of BOOLEAN");
  if (bits.length !== rows) throw PluginError.permanent(`the rows to keep are ${bits.length}, and the rows ${rows}`);
  if (errors.isEmpty) return bits;
  const bytes = bits.bytes.slice();
  for (const row of errors.rows()) bytes[row >>> 3] &= ~(1 << (row & 7));
  return new Bits(bytes, rows);
}

function sameLength(given, wanted, all) {
  if (given === wanted) return;
  const what = all ? "the new columns" : "the new columns of the rows kept";
  throw PluginError.permanent(`${what} are ${given}, and the rows ${wanted}`);
}

/** What is sent of a batch: where rows are picked, nothing stands for those in error. */
function columnsOf({ keep, main, length, errors }, picks) {
  if (!picks || keep !== null || errors.isEmpty) return main;
  return filterBatch(main, kept(Bits.all(length), length, errors));
}

function sameSide(declared, name, batch) {
  const found = declared.find(([of]) => of === name);
  if (found === undefined) {
    throw PluginError.permanent(
      `side output \`${name}\` was not given for an empty batch: always give it, with no rows if there are none`,
    );
  }
  if (!alike(found[1], batch.schema)) {
    const [given, was] = [printDdl(batch.schema), printDdl(found[1])];
    throw PluginError.permanent(
      `side output \`${name}\`: the columns are ${given}, and were ${was} for an empty batch: they must not depend on the rows`,
    );
  }
}

/** Bitmaps one after the other; a batch that picks nothing keeps all its rows but those in error. */
function joinedBits(answers, rows) {
  if (answers.length === 1 && answers[0].keep !== null) return answers[0].keep.bytes.subarray(0, (rows + 7) >>> 3);
  const flags = new Uint8Array(rows);
  let at = 0;
  for (const { keep, length, errors } of answers) {
    flags.set((keep ?? kept(Bits.all(length), length, errors)).flags(), at);
    at += length;
  }
  return Bits.of(flags).bytes;
}

function numbered(answers) {
  const all = [];
  let rows = 0;
  for (const { errors, length } of answers) {
    all.push(...errors.after(rows));
    rows += length;
  }
  return all;
}
