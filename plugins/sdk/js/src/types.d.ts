/** A type of a column, whose values are `V` in JavaScript. */
export interface Type<V> {
  /** Arrow's name of it. */
  readonly id: string;
  /** Of a moment, a time of day or a length of time: `s`, `ms`, `us` or `ns`. */
  readonly unit?: "s" | "ms" | "us" | "ns";
  /** Of a moment: its time zone, null for none. */
  readonly zone?: string | null;
  /** Of a DECIMAL. */
  readonly precision?: number;
  readonly scale?: number;
  /** Of bytes of a fixed number. */
  readonly width?: number;
  /** Of a list: its items; of a list of a fixed length, how many. */
  readonly item?: Field;
  readonly size?: number;
  /** Of a STRUCT. */
  readonly fields?: readonly Field[];
  /** Of a MAP. */
  readonly entries?: Field;
  /** Not there: it tells TypeScript what values are. */
  readonly value_?: V;
}

/** Months, days and nanoseconds, each with its own sign. */
export interface Interval {
  months: number;
  days: number;
  nanos: bigint;
}

/** Days and milliseconds. */
export interface IntervalDays {
  days: number;
  millis: number;
}

/** A type that may be null. */
export interface Optional<V> {
  readonly of: Type<V>;
}

/** A column of another name than the member of the row. */
export interface Renamed<T> {
  readonly column: string;
  readonly of: T;
}

export type AnyType = Type<any> | Optional<any>;
/** The columns of a row. */
export type Members = Record<string, AnyType | Renamed<AnyType>>;

type Plain<T> = T extends Renamed<infer U> ? U : T;
type ValueOf<T> = Plain<T> extends Optional<infer V> ? V | null : Plain<T> extends Type<infer V> ? V : never;
/** What is read as bigint may be written as a whole number too. */
type Loose<V> = V extends bigint ? bigint | number : V extends Map<infer K, infer W> ? V | Iterable<[K, W]> : V;

/** A row that is read: `Row<typeof columns>`. */
export type Row<M extends Members> = { [K in keyof M]: ValueOf<M[K]> };
type OptionalKeys<M extends Members> = { [K in keyof M]: Plain<M[K]> extends Optional<any> ? K : never }[keyof M];
/** A row that is written: what may be null may be left out. */
export type Written<M extends Members> = { [K in Exclude<keyof M, OptionalKeys<M>>]: Loose<ValueOf<M[K]>> } & {
  [K in OptionalKeys<M>]?: Loose<ValueOf<M[K]>> | null;
};

/** Types, called as in SQL. */
export const t: {
  readonly null: Type<null>;
  readonly boolean: Type<boolean>;
  readonly tinyint: Type<number>;
  readonly smallint: Type<number>;
  readonly int: Type<number>;
  readonly bigint: Type<bigint>;
  readonly uint8: Type<number>;
  readonly uint16: Type<number>;
  readonly uint32: Type<number>;
  readonly uint64: Type<bigint>;
  readonly float16: Type<number>;
  readonly float: Type<number>;
  readonly double: Type<number>;
  readonly string: Type<string>;
  readonly largeString: Type<string>;
  readonly binary: Type<Uint8Array>;
  readonly largeBinary: Type<Uint8Array>;
  /** Days since 1970-01-01. */
  readonly date: Type<number>;
  /** Milliseconds since 1970-01-01. */
  readonly date64: Type<bigint>;
  /** Microseconds since the Unix epoch. */
  readonly timestamp: Type<bigint>;
  /** Microseconds of a clock on the wall. */
  readonly timestampNtz: Type<bigint>;
  timestampOf(unit: "s" | "ms" | "us" | "ns", zone?: string | null): Type<bigint>;
  time(unit: "s" | "ms"): Type<number>;
  time(unit: "us" | "ns"): Type<bigint>;
  /** A length of time in a unit. */
  duration(unit: "s" | "ms" | "us" | "ns"): Type<bigint>;
  readonly interval: Type<Interval>;
  readonly intervalDays: Type<IntervalDays>;
  /** Months. */
  readonly intervalMonths: Type<number>;
  /** Units of the last digit: 12.34 of DECIMAL(10, 2) is 1234n. */
  decimal(precision?: number, scale?: number): Type<bigint>;
  /** The same, of up to 76 digits. */
  decimal256(precision?: number, scale?: number): Type<bigint>;
  fixedBinary(width: number): Type<Uint8Array>;
  array<V>(of: Type<V> | Optional<V>): Type<(V | null)[]>;
  largeArray<V>(of: Type<V> | Optional<V>): Type<(V | null)[]>;
  fixedArray<V>(of: Type<V> | Optional<V>, size: number): Type<(V | null)[]>;
  struct<M extends Record<string, AnyType>>(members: M): Type<{ [K in keyof M]: ValueOf<M[K]> | null }>;
  map<K, V>(key: Type<K>, value: Type<V> | Optional<V>): Type<Map<K, V | null>>;
  /** The same, and it may be null. */
  optional<V>(of: Type<V>): Optional<V>;
  /** A column of that name. */
  column<T extends AnyType>(name: string, of: T): Renamed<T>;
};

/** A column's name and type. */
export class Field {
  constructor(name: string, type: Type<any>, nullable?: boolean, metadata?: [string, string][]);
  readonly name: string;
  readonly type: Type<any>;
  readonly nullable: boolean;
  readonly metadata: readonly [string, string][];
  named(name: string): Field;
  asNullable(): Field;
}

/** The columns of a batch. */
export class Schema {
  constructor(fields: readonly Field[], metadata?: [string, string][]);
  readonly fields: readonly Field[];
  readonly names: readonly string[];
  /** The place of a column, or -1. */
  indexOf(name: string): number;
  field(name: string): Field | undefined;
  asNullable(): Schema;
}

/** The columns of a row that is written as an object of types. */
export function columnsOf(members: Members | Schema): Schema;
/** Whether both are the same type. */
export function sameType(one: Type<any>, other: Type<any>): boolean;
/** Reads `user_id INT NOT NULL, event STRING`. */
export function parseDdl(text: string): Schema;
/** Writes a schema as `parseDdl` reads it. */
export function printDdl(schema: Schema): string;
/** Spark's name of a type. */
export function typeName(type: Type<any>): string;
/** Arrow's name of a type. */
export function arrowName(type: Type<any>): string;
