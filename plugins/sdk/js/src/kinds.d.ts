import type { Batch, Bits, Column } from "./columns.js";
import type { Field, Members, Row, Schema, Type, Optional, Written } from "./types.js";

/** Why a call failed, or, from a function over rows, why one row did. */
export class PluginError extends Error {
  constructor(kind: "invalid" | "transient" | "permanent", message: string);
  readonly kind: "invalid" | "transient" | "permanent";
  static invalid(message: string): PluginError;
  static transient(message: string): PluginError;
  static permanent(message: string): PluginError;
  context(doing: string): this;
}

/** Rows that a function over batches could not process. */
export class RowErrors {
  add(row: number, error: unknown): void;
  value<V>(row: number, run: () => V): V | null;
  readonly isEmpty: boolean;
  rows(): number[];
}

/** A setting of a configuration, which is read as `V`. */
export interface Setting<V> {
  readonly schema: object;
  readonly value_?: V;
}
export type Settings = Record<string, Setting<any>>;
/** A configuration as it is read. */
export type Config<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer V> ? V : never };

interface About {
  about?: string;
}
/** With a default the setting is always there; if it is optional it may be null; without either it has to be given. */
type Given<V> = About & { default: V };
type Left = About & { optional: true };
interface Make<V> {
  (options?: About): Setting<V>;
  (options: Given<V>): Setting<V>;
  (options: Left): Setting<V | null>;
}

/** Settings of a configuration: keys are camelCase here and kebab-case in a pipeline. */
export const c: {
  /** A whole number beyond 2^53 is a bigint. */
  readonly number: Make<number | bigint>;
  readonly integer: Make<number | bigint>;
  readonly count: Make<number>;
  readonly boolean: Make<boolean>;
  readonly string: Make<string>;
  /** A length of time, in microseconds. */
  readonly interval: Make<bigint>;
  oneOf<const T extends readonly string[]>(texts: T, options: Left): Setting<T[number] | null>;
  oneOf<const T extends readonly string[]>(texts: T, options?: About | Given<T[number]>): Setting<T[number]>;
  list<V>(of: Setting<V>, options: Left): Setting<V[] | null>;
  list<V>(of: Setting<V>, options?: About | Given<V[]>): Setting<V[]>;
  object<S extends Settings>(members: S, options: Left): Setting<Config<S> | null>;
  object<S extends Settings>(members: S, options?: About | Given<Config<S>>): Setting<Config<S>>;
};

/** What a plugin may know of the epoch. */
export interface Context {
  readonly query: string;
  readonly epoch: number;
  readonly partition: number;
  /** 0 on the first try of this epoch. */
  readonly attempt: number;
  /** In microseconds; null before the first one. */
  readonly watermark: bigint | null;
  /** The epoch's time, in microseconds. */
  readonly now: bigint;
}

/** What functions are given beside rows. */
export interface Use<S extends Settings> {
  readonly config: Config<S>;
  readonly cx: Context;
  readonly errors: RowErrors;
}

interface Common<S extends Settings> {
  config?: S;
  /** Same rows in, same bytes out; true unless it is said otherwise. */
  deterministic?: boolean;
  asks?: string[];
}
type Reads<S extends Settings> = string[] | ((config: Config<S>) => string[]);

/** A plugin, to be exported by default. */
export interface Plugin {
  readonly kind: string;
  readonly role: string;
}
type Columns = Batch | Record<string, Column>;

/** Keeps rows. */
export function filter<const M extends Members, S extends Settings = {}>(
  given: Common<S> & { row: M; each(row: Row<M>, use: Use<S>): boolean },
): Plugin;
export function filter<S extends Settings = {}>(
  given: Common<S> & { reads?: Reads<S>; batch(batch: Batch, use: Use<S>): Bits | Column<boolean> },
): Plugin;

/** Adds columns to rows; rows for which it gives null are dropped. */
export function map<const M extends Members, const A extends Members, S extends Settings = {}>(
  given: Common<S> & { row: M; adds: A; each(row: Row<M>, use: Use<S>): Written<A> | null | undefined },
): Plugin;
export function map<S extends Settings = {}>(
  given: Common<S> & { reads?: Reads<S>; batch(batch: Batch, use: Use<S>): Columns | { keep: Bits; columns: Columns } },
): Plugin;

type Many<R> = R | Iterable<R> | null | undefined | void;

/** Makes new rows of rows. */
export function transform<const M extends Members, const O extends Members, S extends Settings = {}>(
  given: Common<S> & { row: M; out: O; each(row: Row<M>, use: Use<S>): Many<Written<O>> },
): Plugin;
export function transform<S extends Settings = {}>(
  given: Common<S> & { reads?: Reads<S>; batch(batch: Batch, use: Use<S>): Columns | { rows: Columns; side?: Record<string, Columns> } },
): Plugin;

/** The rows of a key, in the order in which they came. */
export interface Group<R> extends Iterable<R> {
  readonly length: number;
  /** Whether the rest of the key's rows follows in another call. */
  readonly more: boolean;
  /** An error of the function is that row's, and the others go on. */
  each(run: (row: R) => void): void;
}

export type Clock = "event-time" | "processing-time";

/** The timers of a key; times are microseconds. */
export interface Timers {
  set(clock: Clock, at: bigint): void;
  replace(clock: Clock, at: bigint): void;
  clear(clock: Clock, at: bigint): void;
  clearAll(clock: Clock): void;
  earliest(clock: Clock): bigint;
}

/** Values by a second key; where that is one column, its value is the key. */
export interface Mapped<V> extends Iterable<[any, V]> {
  readonly size: number;
  get(key: any): V | undefined;
  has(key: any): boolean;
  set(key: any, value: V): this;
  delete(key: any): boolean;
  clear(): void;
  keys(): Iterable<any>;
  values(): Iterable<V>;
}

/** What is kept for each key; `Held` is what a function sees of it. */
export interface Table<Held> {
  readonly kind: string;
  readonly held_?: Held;
}
interface TableOptions {
  /** Entries that were not written for this long are removed: `1h`, or microseconds. */
  ttl?: string | bigint | null;
  /** Raised when columns change; `migrate` rewrites what is stored. */
  version?: number;
}
type Kept<M> = M extends Members ? Written<M> & Row<M> : any;
export function value<const M extends Members | Schema>(columns: M, options?: TableOptions): Table<Kept<M> | null>;
export function list<const M extends Members | Schema>(columns: M, options?: TableOptions): Table<Kept<M>[]>;
export function mapping<const M extends Members | Schema>(second: Members | Schema, columns: M, options?: TableOptions): Table<Mapped<Kept<M>>>;
export type Tables = Record<string, Table<any>>;

/** What a function over keys is given beside them. */
export interface KeyUse<S extends Settings, T extends Tables> {
  readonly config: Config<S>;
  readonly cx: Context;
  readonly timers: Timers;
  readonly state: { [K in keyof T]: T[K] extends Table<infer H> ? H : never };
}
/** Entries of an older version of a table. */
export interface Before {
  readonly table: string;
  readonly version: number;
  readonly entries: Batch;
}
type Migrate<S extends Settings> = (
  before: Before,
  use: { config: Config<S>; each(renew: (entry: any) => Record<string, any>): Batch },
) => Batch | null | undefined;

/** Keeps state for each key, by a function of a key and its rows. */
export function keyed<
  const O extends Members, const M extends Members = {}, const K extends Members = Record<string, Type<any>>, T extends Tables = {}, S extends Settings = {},
>(given: Common<S> & {
  key?: K;
  row?: M;
  reads?: Reads<S>;
  out: O;
  state?: T;
  ttl?: string | bigint | null | ((config: Config<S>) => string | bigint | null);
  each(key: Row<K>, rows: Group<Row<M>>, use: KeyUse<S, T>): Many<Written<O>>;
  expired?(key: Row<K>, fired: { clock: Clock; at: bigint }, use: KeyUse<S, T>): Many<Written<O>>;
  migrate?: Migrate<S>;
}): Plugin;
/** Keeps state for each key, by a function of all keys of a call. */
export function keyed<S extends Settings = {}>(given: Common<S> & {
  reads?: Reads<S>;
  plan(config: Config<S>, input: { keys: Schema; rows: Schema }): Plan;
  process(groups: Groups, use: StateUse<S>): Leaving;
  fired?(fired: { clock: Clock; keys: Batch; timers: { key: number; at: bigint }[] }, use: StateUse<S>): Leaving;
  migrate?: Migrate<S>;
}): Plugin;

type Leaving = Batch | { main?: Batch | null; side?: Record<string, Columns> } | null | undefined | void;
export interface Plan {
  output: Schema | Members;
  side?: Record<string, Schema | Members>;
  tables?: Tables;
  ttl?: string | bigint | null;
}
export interface Groups {
  readonly keys: Batch;
  readonly rows: Batch;
  readonly length: number;
  range(key: number): [start: number, end: number];
  more(key: number): boolean;
}
export interface StateUse<S extends Settings> extends Use<S> {
  readonly state: State;
}
export interface Timer {
  key: number;
  at: bigint;
}
/** Tables and timers of the keys of a call; a key is named by its row. */
export interface State {
  open(name: string): OpenTable;
  setTimers(clock: Clock, timers: Timer[]): void;
  clearTimers(clock: Clock, timers: Timer[]): void;
  clearAllTimers(clock: Clock, keys: number[]): void;
}
export interface OpenTable {
  get(keys?: Iterable<number> | null): Entries;
  find(keys: number[], second: Columns): Entries;
  put(keys: number[], columns: Columns): void;
  append(keys: number[], columns: Columns): void;
  remove(keys: number[]): void;
  removeFound(keys: number[], second: Columns): void;
}
export interface Entries {
  readonly keys: Uint32Array;
  readonly length: number;
  readonly second: Batch;
  readonly values: Batch;
  /** Those of key `i` are from `ends[i]` to `ends[i + 1]`. */
  ends(keys: number): Uint32Array;
  /** The entry of a key, or -1. */
  find(key: number): number;
}

/** The rows of an epoch, batch by batch. */
export interface Rows extends Iterable<Batch> {
  readonly schema: Schema;
}
/** The places that a sink writes to. */
export interface Outputs {
  write(output: string, rows: Columns): void;
  writeRows(output: string, rows: Iterable<Record<string, any>>): void;
  execute(output: string, statement: string, parameters: Columns): number;
  schema(output: string): Schema;
}
type OutputColumns = Record<string, Schema | Members>;

/** Stores epochs. */
export function batchSink<S extends Settings = {}>(given: Common<S> & {
  reads?: Reads<S>;
  outputs: OutputColumns | ((config: Config<S>, input: Schema) => OutputColumns);
  store(rows: Rows, outputs: Outputs, use: { config: Config<S>; cx: Context }): void;
}): Plugin;

type SqlFunction<S extends Settings, A extends Members, V> = { arguments: A; returns: Type<V> | Optional<V>; deterministic?: boolean } & (
  | { each(args: Row<A>, use: { config: Config<S> }): V | (V extends bigint ? number : never) | null | undefined }
  | { batch(args: Batch, use: { config: Config<S> }): Column }
);
/** Functions for SQL, by name. */
export function functions<const A extends Record<string, Members>, const V extends Record<string, any>, S extends Settings = {}>(
  given: Common<S> & { functions: { [N in keyof A]: SqlFunction<S, A[N], N extends keyof V ? V[N] : any> } },
): Plugin;

/** Lines in the host's log. */
export const log: Record<"trace" | "debug" | "info" | "warn" | "error", (...parts: unknown[]) => void>;
/** Numbers under the plugin's name. */
export const metrics: { counter(name: string, add?: number): void; gauge(name: string, value: number): void };
export type { Field };
