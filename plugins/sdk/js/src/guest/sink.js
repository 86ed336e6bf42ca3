// A plugin that stores epochs as a component.
import * as epoch from "streamhost:plugin/epoch";
import * as outputs from "streamhost:plugin/outputs";
import { BoundSink } from "../bound/sink.js";
import { asked, enter, failing, served } from "./common.js";

const PLACES = {
  write: (name, rows) => asked(() => outputs.write(name, rows)),
  execute: (name, statement, schema, rows) => Number(asked(() => outputs.execute(name, statement, schema, rows))),
};

/** The interfaces that the component exports. */
export function serve(definition, manifest) {
  let bound = null;
  const plugin = served(definition, manifest, (config, input) => (bound = new BoundSink(definition, config, input)));
  const foreachBatch = { process: (cx) => failing(() => bound.process(enter(cx), () => epoch.nextRows(), PLACES)) };
  return { plugin, foreachBatch };
}
