// A function for each type of SQL, which gives its argument back: each value is read as JavaScript has it, and written anew.
import { column, functions, t } from "streamhost-sdk";

const TYPES = {
  boolean: t.boolean,
  int8: t.tinyint,
  int16: t.smallint,
  int32: t.int,
  int64: t.bigint,
  float32: t.float,
  float64: t.double,
  decimal128: t.decimal(38, 10),
  date32: t.date,
  timestamp_us_utc: t.timestamp,
  timestamp_us: t.timestampNtz,
  utf8: t.string,
  binary: t.binary,
  list: t.array(t.int),
  list_of_text: t.array(t.string),
  list_of_lists: t.array(t.array(t.int)),
  struct: t.struct({ text: t.string, inner: t.struct({ n: t.bigint }) }),
  map: t.map(t.string, t.bigint),
};

const again = (type) => ({
  arguments: { value: t.optional(type) },
  returns: type,
  batch: (batch) => column(type, batch.column("value").toArray()),
});

export default functions({
  functions: Object.fromEntries(Object.entries(TYPES).map(([name, type]) => [name, again(type)])),
});
