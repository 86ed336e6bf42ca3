// Functions for SQL, bound to a configuration.
import { Batch } from "../batch.js";
import { column } from "../build.js";
import { Column } from "../column.js";
import { parseConfig } from "../config.js";
import { typeName } from "../ddl.js";
import { PluginError, within } from "../error.js";
import { decode, empty } from "../ipc/read.js";
import { encodeSchema } from "../ipc/schema.js";
import { encode, join } from "../ipc/write.js";
import { Field, Optional, Schema, sameType } from "../types.js";

/** A plugin of functions that has its configuration. */
export class BoundFunctions {
  constructor(plugin, config) {
    this.config = parseConfig(plugin.config, config);
    this.functions = plugin.functions.map((of) => within(`function \`${of.name}\``, () => bound(of)));
  }

  binding() {
    return { reads: [], output: { tag: "nothing" }, side: [] };
  }

  signatures() {
    return this.functions.map(({ of, args, returns }) => ({
      name: of.name,
      arguments: encodeSchema(args),
      returns: encodeSchema(returns),
      deterministic: of.deterministic,
    }));
  }

  /** Answers the messages of one call. */
  call(name, messages) {
    const found = this.find(name);
    const answers = decode(messages, found.args).map((batch) => {
      const results = this.results(found.of, batch);
      check(name, results, batch.length, found.returns.fields[0].type);
      return encode(new Batch(found.returns, [results], batch.length));
    });
    return join(answers);
  }

  /** The function of this name. */
  find(name) {
    const found = this.functions.find(({ of }) => of.name === name);
    if (found === undefined) throw PluginError.permanent(`there is no function \`${name}\``);
    return found;
  }

  results(of, batch) {
    const use = { config: this.config };
    if (of.batch !== null) return of.batch(batch, use);
    const read = of.arguments.reader(batch);
    const values = new Array(batch.length);
    for (let row = 0; row < batch.length; row++) values[row] = of.each(read(row), use);
    return column(of.returns, values);
  }
}

function bound(of) {
  const returns = new Schema([new Field("result", of.returns instanceof Optional ? of.returns.of : of.returns, true)]);
  // A type that does not cross is refused before there are rows.
  empty(of.arguments.schema);
  empty(returns);
  return { of, args: of.arguments.schema, returns };
}

function check(name, results, rows, said) {
  if (!(results instanceof Column)) throw PluginError.permanent(`function \`${name}\` has to return a column`);
  if (!sameType(results.type, said)) {
    const [given, says] = [typeName(results.type), typeName(said)];
    throw PluginError.permanent(`function \`${name}\` gives ${given}, and says that it gives ${says}`);
  }
  if (results.length === rows) return;
  throw PluginError.permanent(`function \`${name}\` gives ${results.length} values for ${rows} rows`);
}

