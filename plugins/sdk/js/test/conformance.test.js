// The conformance plugins pass the fixtures of the Rust plugins, natively.
import { describe } from "node:test";
import { cases } from "../src/testing/index.js";
import { plugin } from "./plugins.js";

for (const name of ["normalize", "filter-threshold", "sessionize", "route-by-date", "geo"]) {
  const found = await plugin(`conformance/${name}/src/plugin.js`);
  describe(name, () => cases(new URL(`../../../${name}`, import.meta.url), found));
}
