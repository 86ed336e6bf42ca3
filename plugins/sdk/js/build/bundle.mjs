// The plugin and what it needs of the SDK as one module.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import vm from "node:vm";
import { lineTable } from "./lines.mjs";
import { Problem } from "./problem.mjs";

/** By role: the world of the contract, the SDK's module, and what the component exports. */
const KINDS = {
  transform: { world: "stateless", guest: "transform", exports: "plugin, transform" },
  keyed: { world: "stateful", guest: "keyed", exports: "plugin, keyed" },
  "batch-sink": { world: "batch-sink", guest: "sink", exports: "plugin, foreachBatch" },
  functions: { world: "sql-functions", guest: "functions", exports: "plugin, functions" },
};

const SDK = "streamhost-sdk";

/** Runs the plugin's module once, with nothing of Node's, to see what kind of plugin it exports. */
export async function probe(esbuild, { entry, sdk, folder }) {
  const code = await run(esbuild, {
    ...common(folder, sdk, null),
    stdin: { contents: `import * as all from ${JSON.stringify(entry)};\nexport const plugin = all["default"];`, resolveDir: folder },
    format: "iife",
    globalName: "streamhostPlugin",
  });
  const context = vm.createContext({ TextDecoder, TextEncoder });
  let found;
  try {
    vm.runInContext(code.outputFiles[0].text, context, { timeout: 10_000, filename: entry });
    found = vm.runInContext("streamhostPlugin.plugin", context);
  } catch (error) {
    throw new Problem(`${entry}: ${error.message ?? error}\n${hint(error)}`.trimEnd());
  }
  const kind = KINDS[found?.role];
  if (!kind) throw new Problem(`${entry} exports no plugin by default: write \`export default filter({ … })\`, or map, transform, keyed, batchSink, functions`);
  return { ...kind, kind: found.kind };
}

function hint(error) {
  const missing = /^(\w+) is not defined/.exec(error.message ?? "")?.[1];
  return missing ? `a plugin has no \`${missing}\`: it runs in the host, not in Node.js or a browser` : "";
}

/** The component's module: the SDK's part for the kind, around the plugin. */
export async function bundle(esbuild, { entry, sdk, folder, kind, about, version }) {
  const { name, summary } = about;
  const contents = [
    `import "${SDK}/guest/prelude";`,
    `import definition from ${JSON.stringify(entry)};`,
    `import { serve } from "${SDK}/guest/${kind.guest}";`,
    `const served = serve(definition, ${JSON.stringify({ name, version: about.version, summary })});`,
    `export const { ${kind.exports} } = served;`,
  ].join("\n");
  const made = await run(esbuild, {
    ...common(folder, sdk, version),
    stdin: { contents, resolveDir: folder, sourcefile: "streamhost-entry.js" },
    format: "esm",
    conditions: ["streamhost", "module", "import"],
    sourcemap: "external",
    outfile: join(folder, "bundle.js"),
  });
  const text = (ending) => made.outputFiles.find((file) => file.path.endsWith(ending)).text;
  const lines = lineTable(JSON.parse(text(".map")), folder, sdk);
  // Behind the code, so that no line of it moves.
  return `${text(".js")}\nglobalThis.__streamhostLines = ${JSON.stringify(lines)};\n`;
}

function common(folder, sdk, version) {
  return {
    absWorkingDir: folder,
    bundle: true,
    write: false,
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2023",
    charset: "utf8",
    treeShaking: true,
    logLevel: "silent",
    plugins: [resolver(sdk, version)],
  };
}

/** The SDK is the one that was given, wherever the plugin lies; the host's interfaces have their version. */
function resolver(sdk, version) {
  const { exports } = JSON.parse(readFileSync(join(sdk, "package.json"), "utf8"));
  return {
    name: "streamhost",
    setup(build) {
      build.onResolve({ filter: /^streamhost-sdk(\/|$)/ }, ({ path }) => ({ path: join(sdk, inPackage(exports, path.slice(SDK.length))) }));
      build.onResolve({ filter: /^streamhost:/ }, ({ path }) => ({
        path: path.startsWith("streamhost:plugin/") ? `${path}@${version}` : path,
        external: true,
      }));
    },
  };
}

function inPackage(exports, path) {
  if (path.startsWith("/guest/")) return exports["./guest/*"].replace("*", path.slice("/guest/".length));
  const found = exports[path === "" ? "." : `.${path}`];
  if (!found) throw new Problem(`${SDK} has no ${path}`);
  return found.default;
}

async function run(esbuild, options) {
  try {
    return await esbuild.build(options);
  } catch (error) {
    if (!error.errors) throw error;
    const messages = await esbuild.formatMessages(error.errors, { kind: "error", color: false });
    throw new Problem(messages.join("").trimEnd());
  }
}
