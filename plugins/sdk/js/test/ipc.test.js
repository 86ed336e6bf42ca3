// Messages: what is written is read again, here and by apache-arrow; bytes that are none are refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as arrow from "apache-arrow";
import { Batch, Schema, column, parseDdl, printDdl, sameType } from "../src/index.js";
import { decode, empty } from "../src/ipc/read.js";
import { decodeSchema, encodeSchema } from "../src/ipc/schema.js";
import { encode } from "../src/ipc/write.js";
import { EVERY } from "./values.js";

const names = Object.keys(EVERY);
const every = Batch.of(Object.fromEntries(names.map((name) => [name, column(...EVERY[name])])));

test("every type is read as it was written", () => {
  const schema = decodeSchema(encodeSchema(every.schema));
  assert.ok(schema.fields.every((field, at) => sameType(field.type, every.schema.fields[at].type)));
  const [batch] = decode(encode(every), schema);
  for (const name of names) assert.deepEqual(batch.column(name).toArray(), EVERY[name][1], name);
});

test("batches of no rows and of many are read as they were written", () => {
  for (const rows of [0, 1, 9, 65_536]) {
    const values = names.map((name) => [name, column(EVERY[name][0], Array.from({ length: rows }, (_, row) => EVERY[name][1][row % 3]))]);
    const given = Batch.of(Object.fromEntries(values), rows);
    const [batch] = decode(encode(given), given.schema);
    assert.equal(batch.length, rows);
    for (const [name] of values) {
      const read = batch.column(name);
      for (const row of [0, 7, 8, rows - 1].filter((row) => row >= 0 && row < rows)) {
        assert.deepEqual(read.get(row), EVERY[name][1][row % 3], `${name} of ${rows}`);
      }
    }
  }
  assert.equal(empty(every.schema).length, 0);
});

test("apache-arrow reads what is written, and the other way round", () => {
  const plain = names.filter((name) => !["half", "longText", "longBytes", "wide"].includes(name));
  const given = new Batch(new Schema(plain.map((name) => every.schema.field(name))), plain.map((name) => every.column(name)), 3);
  const bytes = Buffer.concat([encodeSchema(given.schema), encode(given)]);
  const table = arrow.tableFromIPC(bytes);
  assert.equal(table.numRows, 3);
  assert.deepEqual([...table.getChild("text")], EVERY.text[1]);
  assert.deepEqual([...table.getChild("big")], EVERY.big[1]);
  const again = arrow.RecordBatchStreamWriter.writeAll(table).toUint8Array(true);
  const view = new DataView(again.buffer, again.byteOffset);
  const header = 8 + view.getUint32(4, true);
  const schema = decodeSchema(again.subarray(0, header));
  const end = again.length - 8;
  const [batch] = decode(again.subarray(header, end), schema);
  for (const name of plain) assert.deepEqual(batch.column(name).toArray(), EVERY[name][1], name);
});

test("garbage is refused, or read as something, and never more", () => {
  const bytes = encode(every);
  let seed = 1;
  const random = (limit) => (seed = (seed * 48271) % 2147483647) % limit;
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const bad = bytes.slice(0, random(4) === 0 ? random(bytes.length) : bytes.length);
    for (let i = 0; i < 1 + random(4) && bad.length > 0; i++) bad[random(Math.min(bad.length, 1600))] = random(256);
    try {
      for (const batch of decode(bad, every.schema)) batch.toArray();
    } catch (error) {
      assert.equal(error.name, "PluginError", error.stack);
      refused++;
    }
  }
  assert.ok(refused > 1000, `${refused}`);
});

test("a garbled schema is refused", () => {
  const bytes = encodeSchema(every.schema);
  let [tried, refused] = [0, 0];
  for (let at = 0; at < bytes.length; at += 3) {
    const bad = bytes.slice();
    bad[at] ^= 0xff;
    tried++;
    try {
      decodeSchema(bad);
    } catch (error) {
      assert.equal(error.name, "PluginError", error.stack);
      refused++;
    }
  }
  // The others are padding, a letter of a name, the number of a type that is another one then.
  assert.ok(refused > tried / 2, `${refused} of ${tried}`);
});

test("a schema is written as Spark does", () => {
  const text = "a INT, `b c` ARRAY<STRING>, m MAP<STRING, DOUBLE>, s STRUCT<x: BIGINT, y: DECIMAL(10,2)>, at TIMESTAMP, d DATE";
  assert.equal(printDdl(parseDdl(text)), text);
  assert.throws(() => parseDdl("a INTEGERS"), /a type, such as INT/);
  assert.equal(parseDdl("a INT NOT NULL").fields[0].nullable, false);
});
