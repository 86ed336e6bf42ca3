// Cases in files: what `streamhost test` runs on the component, run natively.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { asError } from "../error.js";
import { parseJson } from "../json.js";
import { Functions, Sink, Stateless } from "./bind.js";
import { linesOf } from "./json.js";
import { Job } from "./keyed.js";
import { parseToml, toJson } from "./toml.js";

/** Makes a test of every `tests/*.toml` of the plugin whose folder this is: a path or a `file:` URL. */
export function cases(folder, plugin) {
  const path = String(folder).startsWith("file:") ? fileURLToPath(folder) : String(folder);
  for (const file of files(join(path, "tests"))) {
    test(basename(file, ".toml").replaceAll("-", " "), () => runCase(plugin, readFileSync(file, "utf8")));
  }
}

function files(folder) {
  const found = readdirSync(folder).filter((name) => name.endsWith(".toml")).sort();
  assert.notEqual(found.length, 0, `no cases in ${folder}: put one there as a .toml file`);
  return found.map((name) => join(folder, name));
}

/** Runs one case, given as TOML. */
export function runCase(plugin, text) {
  const written = parseToml(text);
  const run = { transform: stateless, keyed, "batch-sink": sink, functions: called }[plugin.role];
  run(plugin, written, toJson(written.config ?? {}));
}

/** Runs something; if it fails, the failure has to be the one that is expected. */
function expecting(failure, binding, run) {
  let result;
  try {
    result = run();
  } catch (thrown) {
    const { kind, message } = asError(thrown);
    const said = binding && kind === "permanent" ? "invalid" : kind;
    assert.equal(`${said}: ${message}`, failure, "the failure");
    return null;
  }
  return { result };
}

function bound(written, make) {
  const made = expecting(written.failure, true, make);
  return made?.result ?? null;
}

function answered(written, run, compare) {
  const made = expecting(written.failure, false, run);
  if (made === null) return;
  assert.equal(undefined, written.failure, "a failure was expected");
  compare(made.result);
}

function stateless(plugin, written, config) {
  const made = bound(written, () => new Stateless(plugin, config, written.schema));
  if (made === null) return;
  answered(written, () => made.run(written.input ?? ""), (answer) => {
    same(answer.rows, written.expect, "the rows");
    assert.deepEqual(answer.errors, written.errors ?? [], "the row errors");
    sameOutputs(answer.side, written.outputs, "side output");
  });
}

function sink(plugin, written, config) {
  const made = bound(written, () => new Sink(plugin, config, written.schema));
  if (made === null) return;
  answered(written, () => made.run(written.input ?? ""), (stored) => {
    sameOutputs(stored.outputs, written.outputs, "output");
    const expected = (written.statements ?? []).map((of) => ({ ...of, statement: of.statement.trim() }));
    assert.deepEqual(stored.statements.map(({ parameters, ...of }) => of), expected.map(({ parameters, ...of }) => of), "the statements");
    stored.statements.forEach((of, at) => same(of.parameters, expected[at].parameters, `the parameters of statement ${at}`));
  });
}

function called(plugin, written, config) {
  const made = bound(written, () => new Functions(plugin, config));
  if (made === null) return;
  const name = made.named(written.function);
  answered(written, () => made.call(name, written.input ?? ""), (results) => {
    same(results.map((result) => `{${JSON.stringify(name)}: ${result}}`), written.expect, "the results");
  });
}

function keyed(plugin, written, config) {
  const job = bound(written, () => new Job(plugin, config, written.schema, written.keys));
  if (job === null) return;
  assert.equal(undefined, written.failure, "a failure was expected");
  for (const [number, epoch] of (written.epochs ?? []).entries()) {
    if (epoch.watermark !== undefined) job.watermark(epoch.watermark);
    if (epoch.now !== undefined) job.now(epoch.now);
    answered(epoch, () => job.epoch(epoch.input ?? ""), (answer) => {
      same(answer.rows, epoch.expect, `epoch ${number}: the rows`);
      assert.deepEqual(answer.errors, epoch.errors ?? [], `epoch ${number}: the errors`);
      sameOutputs(answer.side, epoch.outputs, `epoch ${number}: side output`);
    });
  }
}

function sameOutputs(given, expected = {}, what) {
  for (const name of new Set([...Object.keys(given), ...Object.keys(expected)])) same(given[name] ?? [], expected[name], `${what} ${name}`);
}

/** Rows are compared as JSON, where 5 is 5.0, moments may be written as one likes, and a null member may be left out. */
function same(given, expected, what) {
  assert.deepEqual(given.map(plain), linesOf(expected ?? "").map(plain), what);
}

const MOMENT = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/;

function plain(line) {
  return tidy(parseJson(line));
}

function tidy(value) {
  if (typeof value === "string" && MOMENT.test(value)) return value.replace(/(\.\d*?)0*Z$/, "$1Z").replace(/\.Z$/, "Z");
  if (Array.isArray(value)) return value.map(tidy);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).filter(([, of]) => of !== null).map(([name, of]) => [name, tidy(of)]));
}

