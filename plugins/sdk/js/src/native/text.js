// The kernels of texts, as JavaScript.

/** Whether n + 1 offsets rise and stay within the limit. */
export function check(n, limit, offsets) {
  if (offsets.length < n + 1 || offsets[0] < 0 || offsets[n] > limit) return false;
  for (let row = 0; row < n; row++) if (offsets[row + 1] < offsets[row]) return false;
  return true;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Where each text is in UTF-16 once all are one; nothing if one is not UTF-8. */
export function wideOffsets(n, offsets, values) {
  const out = new Int32Array(n + 1);
  if (!check(n, values.length, offsets)) return new Int32Array(0);
  try {
    for (let row = 0; row < n; row++) out[row + 1] = out[row] + strict.decode(values.subarray(offsets[row], offsets[row + 1])).length;
  } catch {
    return new Int32Array(0);
  }
  return out;
}

/** Places in UTF-16 as places in UTF-8. */
export function narrowOffsets(n, places, utf8) {
  const out = new Int32Array(n + 1);
  let [units, at] = [0, 0];
  for (let row = 0; row <= n; row++) {
    while (units < places[row] && at < utf8.length) {
      const lead = utf8[at];
      units += lead >= 0xf0 ? 2 : 1;
      at += lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    }
    out[row] = at;
  }
  return out;
}

/** How many characters each text has. */
export function characters(n, offsets, values) {
  const count = (row) => values.subarray(offsets[row], offsets[row + 1]).filter((byte) => (byte & 0xc0) !== 0x80).length;
  return Int32Array.from({ length: n }, (_, row) => count(row));
}

/** Whether a row's text contains, begins with, ends with or is the needle. */
export function search(kind, offsets, values, needle) {
  const wanted = Buffer.from(needle);
  return (row) => {
    const text = Buffer.from(values.buffer, values.byteOffset + offsets[row], offsets[row + 1] - offsets[row]);
    if (kind === 0) return text.includes(wanted);
    if (kind === 3) return text.equals(wanted);
    if (text.length < wanted.length) return false;
    return (kind === 1 ? text.subarray(0, wanted.length) : text.subarray(text.length - wanted.length)).equals(wanted);
  };
}
