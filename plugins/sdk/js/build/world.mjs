// The world that the component is made for: the kind's, and the kernels that it has inside.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KERNELS, KERNELS_WIT } from "./compose.mjs";

const NAME = "plugin-js";

/** Writes the WIT into a folder; answers the world's name. */
export function writeWorld(folder, contract, world) {
  mkdirSync(join(folder, "deps", "kernels"), { recursive: true });
  const own = `world ${NAME} {\n  include ${world};\n  import ${KERNELS};\n}\n`;
  writeFileSync(join(folder, "streamhost.wit"), `${readFileSync(contract, "utf8")}\n${own}`);
  writeFileSync(join(folder, "deps", "kernels", "kernels.wit"), KERNELS_WIT);
  return NAME;
}
