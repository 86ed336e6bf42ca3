// The order of rows: by their columns from the first on, nulls first.

/** Compares two objects by these members. */
export function compareRows(members, one, other) {
  for (const member of members) {
    const order = compareValues(one[member], other[member]);
    if (order !== 0) return order;
  }
  return 0;
}

function compareValues(one, other) {
  if (one === null || other === null) return (one === null ? 0 : 1) - (other === null ? 0 : 1);
  if (typeof one === "string") return Buffer.compare(Buffer.from(one), Buffer.from(other));
  if (one instanceof Uint8Array) return Buffer.compare(one, other);
  if (typeof one === "object") return compareRows(Object.keys(one), one, other);
  if (Number.isNaN(one) || Number.isNaN(other)) return (Number.isNaN(one) ? 1 : 0) - (Number.isNaN(other) ? 1 : 0);
  return one < other ? -1 : one > other ? 1 : 0;
}
