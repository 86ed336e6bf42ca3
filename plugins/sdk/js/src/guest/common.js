// What every component does: it says what it is, binds, and tells errors as the contract has them.
import { configSchema } from "../config.js";
import { PluginError, asError } from "../error.js";
import { decodeSchema } from "../ipc/schema.js";
import { contextOf } from "../bound/context.js";

/** The epoch's time, for `Date` and the like; set while a call runs. */
let now = 0n;

/** What the plugin is told of the epoch. */
export function enter(given) {
  const cx = contextOf(given);
  now = cx.now;
  return cx;
}

/** Milliseconds since the Unix epoch, as the epoch has them. */
export function epochMillis() {
  return Number(now / 1000n);
}

/** Runs a call; what it throws is a failure of it. */
export function failing(run) {
  try {
    return run();
  } catch (thrown) {
    const error = asError(thrown);
    throw { tag: error.kind, val: error.message };
  }
}

/** Runs `bind`, where no batch is to blame: what can never pass is invalid. */
function refusing(run) {
  try {
    return run();
  } catch (thrown) {
    const error = asError(thrown);
    throw { tag: error.kind === "transient" ? "transient" : "invalid", val: error.message };
  }
}

/** What the host says of a call that it did not carry out, as an error of a plugin. */
export function asked(run) {
  try {
    return run();
  } catch (thrown) {
    const { tag, val } = thrown?.payload ?? thrown ?? {};
    throw typeof tag === "string" ? new PluginError(tag, String(val)) : thrown;
  }
}

/** The interface `plugin`: `bound` makes of configuration, schema and keys what answers calls. */
export function served(plugin, manifest, bound) {
  return {
    describe() {
      const { name, version, summary } = manifest;
      const { deterministic, asks } = plugin;
      return { name, version, summary, configSchema: configSchema(plugin.config), deterministic, asks };
    },
    bind(role, config, input, keys) {
      return refusing(() => {
        if (role !== plugin.role) throw PluginError.invalid(`it is a ${plugin.kind}, and is used as ${role}`);
        return bound(config, decodeSchema(input), keys).binding();
      });
    },
  };
}
