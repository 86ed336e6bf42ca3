// What a plugin imports.
export { Batch } from "./batch.js";
export { Bits } from "./bits.js";
export { column } from "./build.js";
export { Column } from "./column.js";
export { c } from "./config.js";
export * as compute from "./compute.js";
export { arrowName, parseDdl, printDdl, typeName } from "./ddl.js";
export { PluginError, RowErrors } from "./error.js";
export { parseInterval } from "./interval.js";
export { batchSink, filter, functions, keyed, map, transform } from "./kinds.js";
export { list, mapping, value } from "./keyed/table.js";
export { log, metrics } from "./log.js";
export { readRows, writeRows } from "./row.js";
export { dateText, parseDate, timestampText } from "./time.js";
export { Field, Schema, columnsOf, sameType, t } from "./types.js";
