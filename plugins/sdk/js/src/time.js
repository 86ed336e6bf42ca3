// Days and moments as text.
import { PluginError } from "./error.js";

const DAY = 86_400_000_000n;

const floorDiv = (value, by) => (value - (((value % by) + by) % by)) / by;

/** Year, month and day of a day since 1970-01-01, in the proleptic Gregorian calendar. Eras of 400 years are all alike. */
export function civil(day) {
  // A year that begins in March has its odd day at the end.
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const of = shifted - era * 146_097;
  const year = Math.floor((of - Math.floor(of / 1_460) + Math.floor(of / 36_524) - Math.floor(of / 146_096)) / 365);
  const rest = of - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const month = Math.floor((5 * rest + 2) / 153);
  const next = month < 10 ? month + 3 : month - 9;
  return [year + era * 400 + (next <= 2 ? 1 : 0), next, rest - Math.floor((153 * month + 2) / 5) + 1];
}

const padded = (value, length) => String(value).padStart(length, "0");

/** `2025-03-01`, of days since 1970-01-01. */
export function dateText(day) {
  const [year, month, of] = civil(day);
  return `${padded(year, 4)}-${padded(month, 2)}-${padded(of, 2)}`;
}

/** The day of a date written `2025-03-01`; null if it is none. */
export function parseDate(text) {
  const found = /^(\d{1,4})-(\d{1,2})-(\d{1,2})$/.exec(text);
  if (found === null) return null;
  const [year, month, day] = found.slice(1).map(Number);
  const [march, from] = month > 2 ? [year, month - 3] : [year - 1, month + 9];
  const era = Math.floor(march / 400);
  const of = march - era * 400;
  const ofYear = Math.floor((153 * from + 2) / 5) + day - 1;
  const days = era * 146_097 + of * 365 + Math.floor(of / 4) - Math.floor(of / 100) + ofYear - 719_468;
  const same = civil(days);
  return same[0] === year && same[1] === month && same[2] === day ? days : null;
}

/** `2025-03-01T12:00:00.000001Z`, of microseconds, with as much of the fraction as there is. */
export function timestampText(micros) {
  const days = floorDiv(micros, DAY);
  const rest = micros - days * DAY;
  const [seconds, fraction] = [Number(rest / 1_000_000n), Number(rest % 1_000_000n)];
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((part) => padded(part, 2)).join(":");
  const digits = fraction === 0 ? "" : fraction % 1000 === 0 ? `.${padded(fraction / 1000, 3)}` : `.${padded(fraction, 6)}`;
  return `${dateText(Number(days))}T${clock}${digits}Z`;
}

/** The microseconds of a moment as JSON has it: with a zone or without one, which is UTC. */
export function parseTimestamp(text) {
  const found = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?(Z|[+-]\d{2}:?\d{2})?$/.exec(text.trim());
  const day = found === null ? null : parseDate(found[1]);
  if (day === null) throw PluginError.invalid(`\`${text}\` is no time; write for example 2025-03-01T12:00:00Z`);
  const [hour, minute, second] = found.slice(2, 5).map((part) => BigInt(part ?? 0));
  const fraction = BigInt((found[5] ?? "").slice(0, 6).padEnd(6, "0"));
  const zone = found[6] && found[6] !== "Z" ? offset(found[6]) : 0n;
  return BigInt(day) * DAY + ((hour * 60n + minute - zone) * 60n + second) * 1_000_000n + fraction;
}

function offset(zone) {
  const minutes = BigInt(zone.slice(1, 3)) * 60n + BigInt(zone.slice(-2));
  return zone[0] === "-" ? -minutes : minutes;
}
