// A plugin that keeps state as a component.
import * as state from "streamhost:plugin/state";
import { BoundKeyed } from "../bound/keyed.js";
import { PluginError } from "../error.js";
import { asked, enter, failing, served } from "./common.js";

/** Uses a table of the host's, and gives it back before the call ends. */
function using(name, use) {
  return asked(() => {
    const table = state.open(name);
    try {
      return use(table);
    } finally {
      table[Symbol.dispose]();
    }
  });
}

/** Times cross as fractions, which hold every microsecond until the year 2255, and every second until 20237. */
function crossing({ key, at }) {
  const number = Number(at);
  if (!Number.isInteger(number) || BigInt.asIntN(64, BigInt(number)) !== BigInt(at)) {
    throw PluginError.permanent(`no timer is at ${at} microseconds: it takes whole microseconds, and past the year 2255 whole seconds`);
  }
  return { key, at: number };
}

const STORE = {
  get: (name, keys) => using(name, (table) => table.get(keys)),
  find: (name, of) => using(name, (table) => table.find(of)),
  put: (name, entries) => using(name, (table) => table.put(entries)),
  append: (name, entries) => using(name, (table) => table.append(entries)),
  remove: (name, keys) => using(name, (table) => table.remove(keys)),
  removeFound: (name, of) => using(name, (table) => table.removeFound(of)),
  setTimers: (clock, timers) => asked(() => state.setTimers(clock, timers.map(crossing))),
  clearTimers: (clock, timers) => asked(() => state.clearTimers(clock, timers.map(crossing))),
  clearAllTimers: (clock, keys) => asked(() => state.clearAllTimers(clock, [...keys])),
};

/** The interfaces that the component exports. */
export function serve(definition, manifest) {
  let bound = null;
  const make = (config, input, keys) => (bound = new BoundKeyed(definition, config, input, keys, manifest.name));
  const keyed = {
    tables: () => bound.tables.map((table) => table.declaration()),
    process: (cx, groups) => failing(() => bound.process(enter(cx), groups, STORE)),
    timersFired: (cx, clock, keys, timers) => failing(() => bound.fired(enter(cx), clock, keys, timers.map(exact), STORE)),
    migrate: (table, version, before, entries) => failing(() => bound.migrate(table, version, before, entries)),
  };
  return { plugin: served(definition, manifest, make), keyed };
}

function exact({ key, at }) {
  return { key, at: BigInt(at) };
}
