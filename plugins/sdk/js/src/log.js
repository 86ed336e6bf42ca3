// Lines in the host's log, and numbers beside its own. In a native test lines go to standard error, numbers nowhere.
import { counter, gauge, write } from "#host";

const text = (parts) => parts.map((part) => (typeof part === "string" ? part : printed(part))).join(" ");

function printed(part) {
  if (part instanceof Error) return String(part.stack ?? part);
  if (part === null || typeof part !== "object") return String(part);
  return JSON.stringify(part, (_, value) => (typeof value === "bigint" ? String(value) : value));
}

/** Log lines; the host cuts what is longer than its limit. */
export const log = Object.freeze({
  /** More often than once in a batch. */
  trace: (...parts) => write("trace", text(parts)),
  /** Once in a batch. */
  debug: (...parts) => write("debug", text(parts)),
  /** Once in the life of a plugin. */
  info: (...parts) => write("info", text(parts)),
  /** Something was wrong and was put right. */
  warn: (...parts) => write("warn", text(parts)),
  /** Data was lost or someone must act. */
  error: (...parts) => write("error", text(parts)),
});

/** Numbers under the plugin's name. */
export const metrics = Object.freeze({
  /** Adds to a number that only rises, such as `words_total`. */
  counter: (name, add = 1) => counter(name, Number(add)),
  /** Sets a number that rises and falls. */
  gauge: (name, value) => gauge(name, Number(value)),
});
