// The templates of new plugins pass their own cases.
import { describe, test } from "node:test";
import { readFileSync } from "node:fs";
import { runCase } from "../src/testing/index.js";
import { plugin } from "./plugins.js";

for (const kind of ["filter", "map", "transform", "keyed", "batch-sink", "function"]) {
  describe(kind, async () => {
    const found = await plugin(`template/${kind}/src/plugin.js`);
    const basic = readFileSync(new URL(`../template/${kind}/basic.toml`, import.meta.url), "utf8");
    test("basic", () => runCase(found, basic));
  });
}
