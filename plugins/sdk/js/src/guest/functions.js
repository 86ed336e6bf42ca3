// Functions for SQL as a component.
import { BoundFunctions } from "../bound/functions.js";
import { failing, served } from "./common.js";

/** The interfaces that the component exports. */
export function serve(definition, manifest) {
  let bound = null;
  const plugin = served(definition, manifest, (config) => (bound = new BoundFunctions(definition, config)));
  const functions = {
    signatures: () => bound.signatures(),
    call: (name, batch) => failing(() => bound.call(name, batch)),
  };
  return { plugin, functions };
}
