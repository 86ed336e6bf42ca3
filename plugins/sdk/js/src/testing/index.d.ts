import type { Context, Plugin } from "../kinds.js";

/** Makes a test of every `tests/*.toml` of the plugin whose folder this is: a path or a `file:` URL. */
export function cases(folder: string | URL, plugin: Plugin): void;
/** Runs one case, given as TOML. */
export function runCase(plugin: Plugin, text: string): void;

/** A filter, a map or a transform with its configuration, as JSON, and input schema, as DDL. Rows are JSON objects, one a line. */
export class Stateless {
  constructor(plugin: Plugin, config?: string, schema?: string);
  context: Context;
  run(rows: string): { rows: string[]; side: Record<string, string[]>; errors: string[] };
}

/** A plugin that stores epochs. */
export class Sink {
  constructor(plugin: Plugin, config?: string, schema?: string);
  context: Context;
  run(...batches: string[]): {
    outputs: Record<string, string[]>;
    statements: { output: string; statement: string; parameters: string[] }[];
  };
}

/** A plugin of functions. */
export class Functions {
  constructor(plugin: Plugin, config?: string);
  call(name: string, rows: string): string[];
}

/** A plugin that keeps state, with state in memory. */
export class Job {
  constructor(plugin: Plugin, config?: string, schema?: string, keys?: string[]);
  context: Context;
  watermark(at: string): this;
  now(at: string): this;
  batchRows(rows: number): this;
  epoch(rows?: string): { rows: string[]; side: Record<string, string[]>; errors: string[] };
  state(table: string): Record<string, any>[];
  timers(clock: "event-time" | "processing-time"): Record<string, any>[];
  migrate(table: string, version: number, before: string, entries: string): Record<string, any>[];
}
