// Adds a column: the value as a share of a whole.
import { PluginError, c, map, t } from "streamhost-sdk";

export default map({
  /** What the pipeline may set. */
  config: {
    whole: c.number({ default: 100, about: "What a share of 1 is." }),
  },
  /** The columns that the plugin reads. */
  row: { value: t.double },
  /** The columns that it adds. */
  adds: { share: t.double },
  /** The added columns of a row. */
  each({ value }, { config }) {
    if (value < 0) throw PluginError.permanent(`a share of ${value} makes no sense`);
    return { share: value / Number(config.whole) };
  },
});
