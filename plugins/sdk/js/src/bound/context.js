// What a plugin may know of the epoch, and which columns it reads.
import { PluginError } from "../error.js";

/** The context of the empty batch that `bind` tries. */
export const NO_CONTEXT = Object.freeze({ query: "", epoch: 0, partition: 0, attempt: 0, watermark: null, now: 0n });

/** What the host says of the epoch: times are bigints of microseconds. */
export function contextOf(given) {
  const { query, epoch, partition, attempt, watermark, now } = given;
  const at = watermark === null || watermark === undefined ? null : BigInt(watermark);
  return Object.freeze({ query, epoch: Number(epoch), partition, attempt, watermark: at, now: BigInt(now) });
}

/** The names of the columns that a plugin reads; null for all. */
export function namesRead(plugin, config) {
  const reads = typeof plugin.reads === "function" ? plugin.reads(config) : plugin.reads;
  if (reads !== null && reads !== undefined) return strings(reads);
  return plugin.row === null ? null : plugin.row.names;
}

function strings(reads) {
  if (Array.isArray(reads) && reads.every((name) => typeof name === "string")) return reads;
  throw PluginError.invalid("`reads` has to be names of columns");
}
