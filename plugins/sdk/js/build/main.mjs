// Makes a component of a plugin in JavaScript or TypeScript: see `usage`.
import { createRequire } from "node:module";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bundle, probe } from "./bundle.mjs";
import { compose } from "./compose.mjs";
import { kernels } from "./kernels.mjs";
import { OldNode, Problem } from "./problem.mjs";
import { writeWorld } from "./world.mjs";

const usage = "node main.mjs --folder PLUGIN --sdk SDK --tools TOOLS [--out FILE]";
const ENTRIES = ["src/plugin.ts", "src/plugin.js", "plugin.ts", "plugin.js"];

async function main() {
  if (Number(process.versions.node.split(".")[0]) < 20) throw new OldNode();
  const { values } = parseArgs({
    options: { folder: { type: "string" }, sdk: { type: "string" }, tools: { type: "string" }, out: { type: "string" } },
  });
  if (!values.folder || !values.sdk || !values.tools) throw new Problem(`usage: ${usage}`);
  const [folder, sdk, tools] = [values.folder, values.sdk, values.tools].map((path) => resolve(path));
  const about = manifest(folder);
  const work = mkdtempSync(join(tmpdir(), "streamhost-js-"));
  try {
    await build({ folder, sdk, about, work, from: fromTools(tools), tools, out: resolve(values.out ?? join(folder, `${about.name}.wasm`)) });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function build({ folder, sdk, about, work, from, tools, out }) {
  const esbuild = from("esbuild");
  const entry = entryOf(folder, about);
  const kind = await probe(esbuild, { entry, sdk, folder });
  const source = await bundle(esbuild, { entry, sdk, folder, kind, about, version: witVersion(sdk) });
  writeFileSync(join(work, "bundle.js"), source);
  const world = writeWorld(join(work, "wit"), join(sdk, "wit", "streamhost.wit"), kind.world);
  console.log(`${about.name}: a ${kind.kind}, ${Math.ceil(source.length / 1024)} KiB of JavaScript`);
  const core = await kernels(from, join(sdk, "kernels"), tools);
  const { componentize } = from("componentize-qjs");
  const { component } = await componentize({ witPath: join(work, "wit"), jsSource: source, world, sync: true, stubWasi: true });
  const whole = compose(component, core);
  // Whoever loads the plugin meanwhile finds the old component or the new one, whole.
  const unfinished = join(dirname(out), `.${basename(out)}.${process.pid}`);
  writeFileSync(unfinished, whole);
  renameSync(unfinished, out);
  console.log(`${out}: ${(whole.length / 1e6).toFixed(1)} MB`);
}

/** Name, version and summary, as the plugin's package.json has them. */
function manifest(folder) {
  const path = join(folder, "package.json");
  if (!existsSync(path)) throw new Problem(`${folder} has no package.json`);
  const { name, version = "0.0.0", description = "", main } = JSON.parse(readFileSync(path, "utf8"));
  if (typeof name !== "string" || name === "") throw new Problem(`${path} has no name`);
  return { name: name.slice(name.lastIndexOf("/") + 1), version, summary: description, main };
}

function entryOf(folder, { main }) {
  const found = (main ? [main] : ENTRIES).map((path) => join(folder, path)).find(existsSync);
  if (found) return found;
  throw new Problem(`${folder} has no ${main ?? ENTRIES.join(", ")}: the file that exports the plugin; package.json may name another as \`main\``);
}

function witVersion(sdk) {
  const found = /package streamhost:plugin@([^;]+);/.exec(readFileSync(join(sdk, "wit", "streamhost.wit"), "utf8"));
  if (!found) throw new Problem(`${sdk}/wit/streamhost.wit says no version`);
  return found[1];
}

/** The tools are where `npm ci` put them, in no folder above this file. */
function fromTools(tools) {
  const require = createRequire(join(tools, "package.json"));
  return (name) => {
    try {
      return require(name);
    } catch (error) {
      throw new Problem(`${name} is not in ${tools}: copy build/package.json and build/package-lock.json there, and run \`npm ci\` in it (${error.message})`);
    }
  };
}

main().catch((error) => {
  process.stderr.write(`${error instanceof Problem ? error.message : (error.stack ?? error)}\n`);
  process.exit(1);
});
