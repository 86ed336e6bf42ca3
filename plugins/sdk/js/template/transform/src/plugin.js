// Splits a text into a row for each of its words.
import { t, transform } from "streamhost-sdk";

export default transform({
  /** The columns that the plugin reads. */
  row: { text: t.optional(t.string) },
  /** The columns of the rows that leave. */
  out: { word: t.string },
  /** The rows that a row becomes. */
  *each({ text }) {
    for (const word of (text ?? "").split(/\s+/)) {
      if (word !== "") yield { word };
    }
  },
});
