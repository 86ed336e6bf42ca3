// Adds the quotient of a column and a number; null stays null.
import { PluginError, arrowName, c, compute, map, t } from "streamhost-sdk";

const NUMBERS = [t.double, t.float, t.tinyint, t.smallint, t.int, t.bigint];

export default map({
  config: {
    column: c.string({ default: "value", about: "The column of numbers." }),
    as: c.string({ optional: true, about: "The new column's name; `normalized_` and the column's by default." }),
    divisor: c.number({ default: 100, about: "What each value is divided by." }),
    above: c.number({ optional: true, about: "Keeps only rows whose value is greater." }),
  },
  reads: (config) => [config.column],
  batch(batch, { config }) {
    const divisor = Number(config.divisor);
    if (divisor === 0) throw PluginError.invalid("config: `divisor` is 0");
    const [column] = batch.columns;
    if (!NUMBERS.includes(column.type)) {
      throw PluginError.invalid(`column \`${config.column}\` has type ${arrowName(column.type)}, which is no number to divide`);
    }
    const name = config.as ?? `normalized_${config.column}`;
    const values = compute.cast(column, t.double);
    const quotients = compute.divide(values, divisor);
    if (config.above === null) return { [name]: quotients };
    const keep = compute.compare(values, ">", Number(config.above));
    return { keep, columns: { [name]: compute.filter(quotients, keep) } };
  },
});
