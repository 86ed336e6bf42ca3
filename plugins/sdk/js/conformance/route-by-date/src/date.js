// Dates as days since 1970-01-01, and as text.
import { PluginError, dateText, parseDate, typeName } from "streamhost-sdk";

const MICROS_A_DAY = 86_400_000_000n;

/** The date of each row; null where there is none. */
export function daysOf(dates) {
  if (dates.type.id === "Date32") return dates.toArray();
  if (dates.type.unit !== "us") throw PluginError.invalid(`the column has type ${typeName(dates.type)}, which has no date`);
  return dates.toArray().map((micros) => (micros === null ? null : Number(floor(micros))));
}

function floor(micros) {
  const days = micros / MICROS_A_DAY;
  return micros % MICROS_A_DAY < 0n ? days - 1n : days;
}

/** The day of a date written `2025-03-01`; refuses what is none. */
export function boundary(date, other) {
  if (date === null) return other;
  const day = parseDate(date);
  if (day !== null) return day;
  throw PluginError.invalid(`config: routes: ${JSON.stringify(date)} is no date; write it as 2025-01-31`);
}

/** A text with places for the parts of a date, as texts and functions from a date's own text. */
export function parsePattern(text) {
  const parts = [];
  let rest = text;
  for (let open = rest.indexOf("{"); open >= 0; open = rest.indexOf("{")) {
    const close = rest.indexOf("}", open);
    if (close < 0) throw PluginError.invalid(`config: text: \`${text}\` has a \`{\` and no \`}\` to it`);
    parts.push(rest.slice(0, open), partOf(rest.slice(open + 1, close)));
    rest = rest.slice(close + 1);
  }
  parts.push(rest);
  return parts;
}

const PARTS = { year: 0, month: 1, day: 2 };

function partOf(name) {
  if (!Object.hasOwn(PARTS, name)) throw PluginError.invalid(`config: text: {${name}} is none of {year}, {month} and {day}`);
  return (date) => date[PARTS[name]];
}

/** The text of each day. Rows of a day mostly come together, so a text is made where the day changes. */
export function textsOf(pattern, days) {
  let [last, text] = [null, null];
  return days.map((day) => {
    if (day === null) return null;
    if (day !== last) [last, text] = [day, textOf(pattern, day)];
    return text;
  });
}

function textOf(pattern, day) {
  const date = /^(-?\d+)-(\d+)-(\d+)$/.exec(dateText(day)).slice(1);
  return pattern.map((part) => (typeof part === "string" ? part : part(date))).join("");
}
