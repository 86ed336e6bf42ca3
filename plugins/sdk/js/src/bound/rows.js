// Runs a function over the rows of a batch. A row that cannot be read, or for which the function fails, becomes a row error.
import { Bits } from "../bits.js";
import { takeBatch } from "../compute.js";
import { PluginError } from "../error.js";

/** Keeps the rows for which the function says so. */
export function filterRows(plugin, batch, use) {
  const read = plugin.row.reader(batch);
  const flags = new Uint8Array(batch.length);
  for (let row = 0; row < batch.length; row++) {
    try {
      if (plugin.each(read(row), use)) flags[row] = 1;
    } catch (error) {
      use.errors.add(row, error);
    }
  }
  return { keep: Bits.of(flags) };
}

/** Adds columns to every row, or to those for which the function gives them. */
export function mapRows(plugin, batch, use) {
  const read = plugin.row.reader(batch);
  const writer = plugin.adds.writer();
  const dropped = [];
  for (let row = 0; row < batch.length; row++) {
    try {
      const added = plugin.each(read(row), use);
      if (added === null || added === undefined) dropped.push(row);
      else writer.add(added);
    } catch (error) {
      use.errors.add(row, error);
      // The host drops a row in error and what stands beside it: any row keeps the columns in step.
      writer.addNull();
    }
  }
  const columns = writer.finish();
  if (dropped.length === 0) return { columns };
  const flags = new Uint8Array(batch.length).fill(1);
  dropped.forEach((row) => (flags[row] = 0));
  return { keep: Bits.of(flags), columns: without(columns, flags, use.errors) };
}

/** Of rows in error the bit is clear, so nothing stands for them. */
function without(columns, flags, errors) {
  if (errors.isEmpty) return columns;
  const wrong = new Set(errors.rows());
  const rows = [];
  let at = 0;
  flags.forEach((flag, row) => {
    if (!flag) return;
    if (!wrong.has(row)) rows.push(at);
    at++;
  });
  return takeBatch(columns, rows);
}

/** Replaces every row by any number of rows. */
export function expand(plugin, batch, use) {
  const read = plugin.row.reader(batch);
  const writer = plugin.out.writer();
  for (let row = 0; row < batch.length; row++) {
    try {
      // All of a row's rows, or none.
      for (const made of rowsOf(plugin.each(read(row), use))) writer.add(made);
    } catch (error) {
      use.errors.add(row, error);
    }
  }
  return { rows: writer.finish() };
}

/** What a function gives for a row or a key: nothing, a row, or rows. */
export function rowsOf(given) {
  if (given === null || given === undefined) return [];
  if (typeof given !== "object") throw PluginError.permanent(`${String(given)} is no row`);
  if (Array.isArray(given)) return given;
  return Symbol.iterator in given ? [...given] : [given];
}
