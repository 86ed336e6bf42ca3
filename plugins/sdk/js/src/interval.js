// Lengths of time as people write them, in microseconds.
import { PluginError } from "./error.js";

const UNITS = [
  [1n, ["us", "µs", "microsecond", "microseconds"]],
  [1_000n, ["ms", "millisecond", "milliseconds"]],
  [1_000_000n, ["s", "sec", "secs", "second", "seconds"]],
  [60_000_000n, ["m", "min", "mins", "minute", "minutes"]],
  [3_600_000_000n, ["h", "hr", "hrs", "hour", "hours"]],
  [86_400_000_000n, ["d", "day", "days"]],
];
const LONGEST = 2n ** 63n;

/** `200ms`, `90s`, `10 minutes`, `1h 30m`, `2 days`: the microseconds, a bigint. */
export function parseInterval(text) {
  let rest = text.trim();
  let total = null;
  while (rest !== "") {
    const part = /^(\d+)\s*([\p{Alphabetic}µ]+)[ ,]*/u.exec(rest);
    const unit = part && UNITS.find(([, names]) => names.includes(part[2]));
    if (!unit) throw wrong(text);
    total = (total ?? 0n) + BigInt(part[1]) * unit[0];
    if (total >= LONGEST) throw wrong(text);
    rest = rest.slice(part[0].length);
  }
  if (total === null) throw wrong(text);
  return total;
}

function wrong(text) {
  return PluginError.invalid(`\`${text}\` is no length of time; write for example "90s" or "10 minutes"`);
}
