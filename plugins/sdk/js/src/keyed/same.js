// Values of rows: whether two are the same, and copies that share nothing.

/** Whether two values are the same, to the bit: zeros differ, NaN does not from itself. */
export function same(one, other) {
  if (Object.is(one, other)) return true;
  if (one === null || other === null || typeof one !== "object" || typeof other !== "object") return (one ?? null) === (other ?? null);
  if (Array.isArray(one) || ArrayBuffer.isView(one)) {
    return one.length === other.length && Array.prototype.every.call(one, (value, at) => same(value, other[at]));
  }
  if (one instanceof Map && other instanceof Map) {
    return one.size === other.size && [...one].every(([key, value]) => other.has(key) && same(value, other.get(key)));
  }
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => same(one[name] ?? null, other[name] ?? null));
}

/** A copy. */
export function copied(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(copied);
  if (ArrayBuffer.isView(value)) return value.slice();
  if (value instanceof Map) return new Map([...value].map(([key, of]) => [copied(key), copied(of)]));
  if (typeof value.copied === "function") return value.copied();
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, copied(of)]));
}
