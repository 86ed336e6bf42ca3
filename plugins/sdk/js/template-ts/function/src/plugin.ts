// A function for SQL: how many words a text has.
import { c, functions, t } from "streamhost-sdk";

export default functions({
  /** What the pipeline may set. */
  config: {
    letters: c.count({ default: 1, about: "The fewest letters of a word that counts." }),
  },
  functions: {
    /** The words of a text that are long enough. Of NULL the result is NULL; with `t.optional(t.string)` it could be another. */
    words: {
      arguments: { text: t.string },
      returns: t.int,
      each: ({ text }, { config }) => text.split(/\s+/).filter((word) => word !== "" && [...word].length >= config.letters).length,
    },
  },
});
