import type { AnyType, Members, Row, Schema, Type, Written } from "./types.js";

/** Any typed array of a column's values. */
export type Values =
  | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array | Float32Array | Float64Array;

/** One column: Arrow's buffers as typed arrays. */
export class Column<V = any> implements Iterable<V | null> {
  constructor(
    type: Type<V>,
    length: number,
    parts?: { validity?: Uint8Array | null; values?: Values | null; offsets?: Int32Array | null; children?: Column[] | null },
  );
  readonly type: Type<V>;
  readonly length: number;
  /** A bit for each row that is not null; null if none is. */
  readonly validity: Uint8Array | null;
  /** Values, bits, or the bytes that offsets point into. */
  readonly values: any;
  /** Of texts, bytes, lists and maps: where each begins, and the last one ends. */
  readonly offsets: Int32Array | null;
  /** Of lists, maps and structs. */
  readonly children: Column[] | null;
  readonly nullCount: number;
  /** The rows that are not null, or null if all are not. */
  readonly valid: Bits | null;
  isNull(row: number): boolean;
  get(row: number): V | null;
  toArray(): (V | null)[];
  [Symbol.iterator](): Iterator<V | null>;
}

/** A column from values; null is null. The typed array of the type is taken as it is. */
export function column<V>(type: Type<V>, values: Iterable<unknown> | Values): Column<V>;

/** Rows: columns of the same length under their names. */
export class Batch {
  constructor(schema: Schema, columns: readonly Column[], length: number);
  static of(columns: Record<string, Column>, length?: number): Batch;
  readonly schema: Schema;
  readonly columns: readonly Column[];
  readonly length: number;
  column(name: string): Column;
  beside(other: Batch): Batch;
  rows(): Generator<Record<string, any>>;
  toArray(): Record<string, any>[];
}

/** A bit for each row. */
export class Bits {
  constructor(bytes: Uint8Array, length: number);
  static where(length: number, holds: (row: number) => boolean): Bits;
  static of(flags: ArrayLike<number | boolean>): Bits;
  static all(length: number, set?: boolean): Bits;
  readonly bytes: Uint8Array;
  readonly length: number;
  get(row: number): boolean;
  and(other: Bits): Bits;
  or(other: Bits): Bits;
  xor(other: Bits): Bits;
  andNot(other: Bits): Bits;
  not(): Bits;
  count(): number;
  rows(): Uint32Array;
  flags(): Uint8Array;
}

type Operator = "<" | "<=" | ">" | ">=" | "==" | "!=";
type Operand = number | bigint | Column;
type Rows = Uint32Array | Iterable<number>;

/** Work on whole columns, compiled. */
export namespace compute {
  function compare(column: Column, operator: Operator, other: Operand, options?: { nan?: "unordered" | "largest" }): Bits;
  function add<V>(column: Column<V>, other: Operand): Column<V>;
  function subtract<V>(column: Column<V>, other: Operand): Column<V>;
  function multiply<V>(column: Column<V>, other: Operand): Column<V>;
  function divide<V>(column: Column<V>, other: Operand): Column<V>;
  function remainder<V>(column: Column<V>, other: Operand): Column<V>;
  function cast<V>(column: Column, type: Type<V>): Column<V>;
  function take<V>(column: Column<V>, rows: Rows): Column<V>;
  function filter<V>(column: Column<V>, bits: Bits): Column<V>;
  function takeBatch(batch: Batch, rows: Rows): Batch;
  function filterBatch(batch: Batch, bits: Bits): Batch;
  function contains(column: Column, needle: string): Bits;
  function startsWith(column: Column, needle: string): Bits;
  function endsWith(column: Column, needle: string): Bits;
  function equals(column: Column, needle: string): Bits;
  function characters(column: Column): Column<number>;
  function hash(...columns: Column[]): Column<bigint>;
}

/** The rows of a batch as objects of these columns; it throws at a null that may not be. */
export function readRows<M extends Members>(members: M, batch: Batch): Generator<Row<M>>;
/** A batch of these columns from objects. */
export function writeRows<M extends Members>(members: M, rows: Iterable<Written<M>>): Batch;

/** `2025-03-01`, of days since 1970-01-01. */
export function dateText(day: number): string;
/** The day of a date written `2025-03-01`; null if it is none. */
export function parseDate(text: string): number | null;
/** `2025-03-01T12:00:00.000001Z`, of microseconds. */
export function timestampText(micros: bigint): string;
/** The microseconds of `90s`, `10 minutes` and the like. */
export function parseInterval(text: string): bigint;

export type { AnyType };
