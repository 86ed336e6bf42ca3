// Which line of the plugin's source a line of the bundle comes from.
import { join, relative, resolve } from "node:path";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** `files`, and for each bundled line of the plugin's own code `[line, file, source line]`; the SDK's lines are left out. */
export function lineTable(map, folder, sdk) {
  const files = map.sources.map((source) => ownFile(resolve(folder, source), folder, sdk));
  const lines = [];
  let [source, sourceLine] = [0, 0];
  map.mappings.split(";").forEach((segments, line) => {
    let seen = false;
    for (const segment of segments.split(",").filter(Boolean)) {
      const [, file, place] = numbers(segment);
      if (file === undefined) continue;
      source += file;
      sourceLine += place;
      if (!seen && files[source] !== null) lines.push([line + 1, source, sourceLine + 1]);
      seen = true;
    }
  });
  return { files, lines };
}

function ownFile(path, folder, sdk) {
  const own = !path.startsWith(join(sdk, "src")) && !path.endsWith("streamhost-entry.js");
  return own ? relative(folder, path) : null;
}

/** The numbers of a segment of a source map, each of which counts from the one before. */
function numbers(segment) {
  const all = [];
  let [value, shift] = [0, 0];
  for (const character of segment) {
    const digit = DIGITS.indexOf(character);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    all.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return all;
}
