// Where `streamhost-sdk` is, for plugins that no `npm install` was run for.

const PLACES = {
  "streamhost-sdk": new URL("../src/index.js", import.meta.url).href,
  "streamhost-sdk/testing": new URL("../src/testing/index.js", import.meta.url).href,
};

/** Node's hook. */
export function resolve(name, context, next) {
  return PLACES[name] ? { url: PLACES[name], shortCircuit: true } : next(name, context);
}
