// The guide's plugins are plugins.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "node:test";
import "./plugins.js";

const blocks = [...readFileSync(new URL("../README.md", import.meta.url), "utf8").matchAll(/```js\n([\s\S]*?)```/g)];

test("the guide's plugins are plugins", async () => {
  assert.ok(blocks.length > 10);
  const folder = mkdtempSync(join(tmpdir(), "streamhost-readme-"));
  try {
    for (const [number, [, code]] of blocks.entries()) {
      const file = join(folder, `${number}.mjs`);
      writeFileSync(file, code);
      const module = await import(pathToFileURL(file));
      if (code.includes("export default")) assert.ok(module.default.role, code);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
