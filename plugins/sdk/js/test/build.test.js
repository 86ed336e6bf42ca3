// A component is made, or the one who wrote the plugin is told what to change.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const sdk = fileURLToPath(new URL("..", import.meta.url));
const tools = join(sdk, "build");
const folder = mkdtempSync(join(tmpdir(), "streamhost-build-"));
after(() => rmSync(folder, { recursive: true }));

/** Builds a plugin of this source; its component, or what it is told. */
function build(source, given = { name: "@scope/tried", main: "plugin.js" }, from = tools) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify(given));
  writeFileSync(join(folder, "plugin.js"), source);
  try {
    execFileSync("node", [join(tools, "main.mjs"), "--folder", folder, "--sdk", sdk, "--tools", from], { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    return error.stderr;
  }
  return readFileSync(join(folder, "tried.wasm"));
}

test("a component comes out, and asks for nothing of WASI", () => {
  const made = build('import { filter, t } from "streamhost-sdk"; export default filter({ row: { v: t.int }, each: ({ v }) => v > 1 });');
  assert.ok(Buffer.isBuffer(made), String(made));
  assert.deepEqual([...made.subarray(0, 8)], [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
  assert.ok(made.length < 5_000_000);
});

for (const [what, source, told] of [
  ["a module without a plugin", "export const a = 1;", /exports no plugin by default: write `export default filter/],
  ["a misspelled member", 'import { filter } from "streamhost-sdk"; export default filter({ row: {}, eahc() {} });', /a filter has no `eahc`; it has config, /],
  ["a member that is missing", 'import { keyed } from "streamhost-sdk"; export default keyed({ out: {} });', /a keyed needs `each`/],
  ["what only Node has", "export default process.env.HOME;", /a plugin has no `process`: it runs in the host/],
  ["a module of Node", 'import "node:fs"; export default 1;', /Could not resolve "node:fs"/],
  ["a module that does not parse", "export default {", /plugin\.js:1:16: ERROR|plugin\.js:1:16/],
]) {
  test(`${what} is told`, () => assert.match(String(build(source)), told));
}

test("a package without a name, and tools that are not there, are told", () => {
  assert.match(String(build("", {})), /package\.json has no name/);
  const source = 'import { filter } from "streamhost-sdk"; export default filter({ row: {}, each: () => true });';
  assert.match(String(build(source, undefined, folder)), /esbuild is not in .*run `npm ci` in it/);
});
