// Keeps the rows whose value is above a threshold.
import { c, filter, t } from "streamhost-sdk";

export default filter({
  /** What the pipeline may set. */
  config: {
    threshold: c.number({ default: 10, about: "Values up to this one are dropped." }),
  },
  /** The columns that the plugin reads. */
  row: { value: t.optional(t.double) },
  /** Whether a row is kept. */
  each: ({ value }, { config }) => value !== null && value > config.threshold,
});
