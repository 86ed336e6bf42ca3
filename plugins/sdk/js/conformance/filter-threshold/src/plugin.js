// Keeps the rows whose value passes a comparison; null passes none.
import { PluginError, arrowName, c, compute, filter, t } from "streamhost-sdk";

const NUMBERS = [t.double, t.float, t.tinyint, t.smallint, t.int, t.bigint, t.uint8, t.uint16, t.uint32];

export default filter({
  config: {
    column: c.string({ default: "value", about: "The column of numbers." }),
    op: c.oneOf([">", ">=", "<", "<=", "==", "!="], {
      default: ">",
      about: "How the column's value compares with the threshold in the rows that are kept.",
    }),
    threshold: c.number({ default: 10, about: "The number that values are compared with." }),
  },
  reads: (config) => [config.column],
  batch(batch, { config }) {
    const [column] = batch.columns;
    if (!NUMBERS.includes(column.type)) {
      throw PluginError.invalid(`column \`${config.column}\` has type ${arrowName(column.type)}, which is no number to compare`);
    }
    const { values, threshold } = alike(column, config.threshold);
    return compute.compare(values, config.op, threshold, { nan: "largest" });
  },
});

/** Whole numbers are compared with a whole threshold exactly, everything else as fractions. */
function alike(column, threshold) {
  const fractions = column.type === t.double || column.type === t.float;
  if (fractions || !isWhole(threshold)) return { values: compute.cast(column, t.double), threshold: Number(threshold) };
  return { values: compute.cast(column, t.bigint), threshold: BigInt(threshold) };
}

function isWhole(threshold) {
  return typeof threshold === "bigint" || Number.isInteger(threshold);
}
