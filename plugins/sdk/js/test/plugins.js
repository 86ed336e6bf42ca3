// Plugins of this folder: what they call `streamhost-sdk` is this package.
import { register } from "node:module";

register("./resolve.js", import.meta.url);

/** A plugin's default export. */
export async function plugin(path) {
  return (await import(new URL(`../${path}`, import.meta.url))).default;
}
