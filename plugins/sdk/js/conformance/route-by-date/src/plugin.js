// Adds the text of each row's date, and stores the row where its date goes.
import { Batch, Bits, Field, PluginError, Schema, batchSink, c, column, compute, printDdl, t, typeName } from "streamhost-sdk";
import { daysOf, parsePattern, textsOf } from "./date.js";
import { Router } from "./router.js";

export default batchSink({
  config: {
    column: c.string({ about: "The column of dates, a DATE or a TIMESTAMP. A TIMESTAMP's date is that in UTC." }),
    as: c.string({ default: "day", about: "The new column's name." }),
    text: c.string({ default: "{year}-{month}-{day}", about: "The new column's text, in which `{year}`, `{month}` and `{day}` stand for the date's." }),
    output: c.string({ default: "days", about: "The output of the rows that no route takes." }),
    routes: c.list(
      c.object({
        output: c.string({ about: "The output." }),
        from: c.string({ optional: true, about: "The first date, such as `2025-01-01`." }),
        before: c.string({ optional: true, about: "The first date that no longer is in it." }),
      }),
      { default: [], about: "Outputs of stretches of time. A row goes to the first that takes its date." },
    ),
    undated: c.string({ optional: true, about: "The output of the rows without a date. Without one they are an error." }),
  },
  outputs(config, input) {
    check(config, input);
    parsePattern(config.text);
    const columns = new Schema([...input.fields, new Field(config.as, t.string)]);
    return Object.fromEntries(new Router(config).names.map((name) => [name, columns]));
  },
  store(rows, outputs, { config }) {
    const [router, pattern] = [new Router(config), parsePattern(config.text)];
    for (const batch of rows) {
      const days = daysOf(batch.column(config.column));
      const places = router.places(days, config.column);
      const dated = batch.beside(Batch.of({ [config.as]: column(t.string, textsOf(pattern, days)) }));
      router.names.forEach((name, place) => {
        const here = Bits.of(places.map((of) => (of === place ? 1 : 0)));
        if (here.count() > 0) outputs.write(name, compute.filterBatch(dated, here));
      });
    }
  },
});

/** Every output has the columns that come in, and the new one. */
function check(config, input) {
  const found = input.field(config.column);
  if (found === undefined) {
    throw PluginError.invalid(`config: there is no column \`${config.column}\`; the columns are ${printDdl(input)}`);
  }
  if (found.type.id !== "Date32" && found.type.id !== "Timestamp") {
    throw PluginError.invalid(`config: column \`${config.column}\` has type ${typeName(found.type)}, and dates are DATE or TIMESTAMP`);
  }
  if (input.field(config.as) !== undefined) {
    throw PluginError.invalid(`config: there is a column \`${config.as}\` already; name another one with \`as\``);
  }
}
