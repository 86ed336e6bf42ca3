// The kernels' core module, compiled once for each version of their source.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Problem } from "./problem.mjs";

const FLAGS = ["--runtime", "stub", "--enable", "simd", "-O3", "--noAssert", "--use", "abort="];

/** The bytes of the module: from the tools' folder if they are there, or else compiled. */
export async function kernels(from, folder, tools) {
  const names = readdirSync(folder).filter((name) => name.endsWith(".ts")).sort();
  const sources = Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  const { version } = from("assemblyscript/package.json");
  const digest = createHash("sha256").update(JSON.stringify([version, FLAGS, sources])).digest("hex").slice(0, 16);
  const kept = join(tools, "kernels", `${digest}.wasm`);
  if (existsSync(kept)) return readFileSync(kept);
  const module = await compile(tools, sources);
  mkdirSync(join(tools, "kernels"), { recursive: true });
  const unfinished = `${kept}.${process.pid}`;
  writeFileSync(unfinished, module);
  renameSync(unfinished, kept);
  return module;
}

/** AssemblyScript's compiler, on sources in memory. */
async function compile(tools, sources) {
  const asc = await import(pathToFileURL(join(tools, "node_modules/assemblyscript/dist/asc.js")));
  let module = null;
  const { error, stderr } = await asc.main(["index.ts", "--outFile", "kernels.wasm", ...FLAGS], {
    readFile: (name) => sources[name] ?? null,
    writeFile: (name, content) => {
      if (name === "kernels.wasm") module = Buffer.from(content);
    },
    listFiles: () => [],
  });
  if (error || module === null) throw new Problem(`the SDK's kernels do not compile: ${error?.message ?? ""}\n${stderr}`);
  return module;
}
