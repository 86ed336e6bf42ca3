// Decimals and lengths of time as the host writes them in JSON.

/** `-12.30`, of -1230 and scale 2. */
export function decimalText(units, scale) {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return units < 0n ? `-${text}` : text;
}

const DIGITS = { s: 0, ms: 3, us: 6, ns: 9 };

/** `-PT1.5S`, of -1500 milliseconds. */
export function durationText(value, unit) {
  if (value === 0n) return "P0D";
  const seconds = decimalText(value < 0n ? -value : value, DIGITS[unit]);
  return `${value < 0n ? "-" : ""}PT${unit === "s" ? seconds : seconds.replace(/\.?0*$/, "")}S`;
}

/** `1 mons -2 days 3 hours 0.500000000 secs`, without the parts that are zero. */
export function intervalText(id, value) {
  if (id === "Interval(DayTime)") return inParts([[value.days, "days"]], BigInt(value.millis), 3);
  if (id === "Interval(MonthDayNano)") return inParts([[value.months, "mons"], [value.days, "days"]], value.nanos, 9);
  const years = Math.floor(value / 12);
  return `${years} years ${value - 12 * years} mons`;
}

function inParts(long, rest, digits) {
  const minute = 60n * 10n ** BigInt(digits);
  const whole = [...long, [Number(rest / minute / 60n), "hours"], [Number((rest / minute) % 60n), "mins"]];
  const parts = whole.filter(([count]) => count !== 0).map(([count, unit]) => `${count} ${unit}`);
  if (rest % minute !== 0n) parts.push(`${decimalText(rest % minute, digits)} secs`);
  return parts.length === 0 ? "0 secs" : parts.join(" ");
}
