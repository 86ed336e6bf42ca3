// A plugin that stores epochs, bound to a configuration and an input schema.
import { Batch } from "../batch.js";
import { parseConfig } from "../config.js";
import { printDdl } from "../ddl.js";
import { PluginError } from "../error.js";
import { decode, empty } from "../ipc/read.js";
import { encodeSchema } from "../ipc/schema.js";
import { encode } from "../ipc/write.js";
import { rowType } from "../row.js";
import { alike, project } from "../schema.js";
import { Schema } from "../types.js";
import { namesRead } from "./context.js";

/** The rows of an epoch, batch by batch. The next batch is only fetched when it is asked for. */
class Rows {
  constructor(schema, next) {
    this.schema = schema;
    this.next_ = next;
  }

  *[Symbol.iterator]() {
    for (let messages = this.next_(); messages !== null && messages !== undefined; messages = this.next_()) {
      yield* decode(messages, this.schema);
    }
  }
}

/** The places that the plugin writes to. */
class Outputs {
  constructor(declared, places) {
    this.declared = declared;
    this.places = places;
  }

  /** Adds rows to an output: a batch, or columns by name. Their columns are those that the plugin named for it, in that order. */
  write(output, rows) {
    const columns = this.schema(output);
    const batch = rows instanceof Batch ? rows : Batch.of(rows);
    if (!alike(columns, batch.schema)) {
      const [takes, given] = [printDdl(columns), printDdl(batch.schema)];
      throw PluginError.permanent(`output \`${output}\` takes ${takes}, and is given ${given}`);
    }
    if (batch.length > 0) this.places.write(output, encode(batch));
  }

  /** Adds rows that are objects. */
  writeRows(output, rows) {
    this.write(output, rowType(this.schema(output)).batch(rows));
  }

  /**
   * Runs a statement on an SQL output, once for each row of the parameters: `$1` stands for their first column. It belongs to the
   * transaction of the epoch. Answers how many rows it changed; 0 on a replay, if the output has the epoch already.
   */
  execute(output, statement, parameters) {
    this.schema(output);
    const batch = parameters instanceof Batch ? parameters : Batch.of(parameters);
    if (batch.length === 0) return 0;
    return this.places.execute(output, statement, encodeSchema(batch.schema.asNullable()), encode(batch));
  }

  /** The columns of an output. */
  schema(output) {
    const found = this.declared.find(([name]) => name === output);
    if (found === undefined) throw PluginError.permanent(`the plugin did not say that it writes to an output \`${output}\``);
    return found[1];
  }
}

/** A plugin that has agreed on columns. */
export class BoundSink {
  constructor(plugin, config, input) {
    this.plugin = plugin;
    this.config = parseConfig(plugin.config, config);
    this.reads = namesRead(plugin, this.config);
    this.input = project(input, this.reads);
    // A type that does not cross is refused before there are rows.
    empty(this.input);
    const outputs = typeof plugin.outputs === "function" ? plugin.outputs(this.config, this.input) : plugin.outputs;
    this.outputs = Object.entries(outputs).map(([name, columns]) => [name, schemaOf(columns)]);
  }

  binding() {
    const side = this.outputs.map(([name, columns]) => [name, encodeSchema(columns)]);
    return { reads: this.reads === null ? null : this.input.names, output: { tag: "nothing" }, side };
  }

  /** Stores an epoch: `next` fetches messages, `places` takes what is written. */
  process(cx, next, places) {
    const use = { config: this.config, cx };
    this.plugin.store(new Rows(this.input, next), new Outputs(this.outputs, places), use);
  }
}

function schemaOf(columns) {
  return (columns instanceof Schema ? columns : rowType(columns).schema).asNullable();
}
