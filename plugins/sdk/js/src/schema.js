// Questions that `bind` asks of schemas, answered so that the reader knows what to change.
import { printDdl, typeName } from "./ddl.js";
import { PluginError } from "./error.js";
import { Schema, isNumber, sameType } from "./types.js";

/** The columns of these names, in the input's order; all of them without names. */
export function project(input, reads) {
  if (reads === null) return input;
  const missing = reads.find((name) => input.indexOf(name) < 0);
  if (missing !== undefined) throw missingColumn(missing, input);
  return new Schema(input.fields.filter((field) => reads.includes(field.name)));
}

/** That the input lacks a column. */
export function missingColumn(name, input) {
  return PluginError.invalid(`the input has no column \`${name}\`; its columns are ${printDdl(input)}`);
}

/** Whether the names and types are the same, in order. */
export function alike(one, other) {
  const same = (field, at) => field.name === other.fields[at].name && sameType(field.type, other.fields[at].type);
  return one.fields.length === other.fields.length && one.fields.every(same);
}

/** That a batch has the names and types, in order, of the empty batch's output. */
export function sameColumns(bound, given) {
  if (alike(bound, given)) return;
  throw PluginError.permanent(
    `the columns are ${printDdl(given)}, and were ${printDdl(bound)} for an empty batch: they must not depend on the rows`,
  );
}

/** That a column is not of the type that a row reads. */
export function mismatch(name, found, wanted) {
  const [has, wants] = [typeName(found), typeName(wanted)];
  const remedy = isNumber(found) && isNumber(wanted) ? `, which not every ${has} is; cast the column before this step` : "";
  return PluginError.invalid(`column \`${name}\` has type ${has}, and the plugin reads ${wants}${remedy}`);
}
