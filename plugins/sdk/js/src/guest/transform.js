// A filter, a map or a transform as a component.
import { BoundStateless } from "../bound/stateless.js";
import { enter, failing, served } from "./common.js";

/** The interfaces that the component exports. */
export function serve(definition, manifest) {
  let bound = null;
  const plugin = served(definition, manifest, (config, input) => (bound = new BoundStateless(definition, config, input)));
  const transform = { process: (cx, batch) => failing(() => bound.process(enter(cx), batch)) };
  return { plugin, transform };
}
