// Geohashes: the bits of a place's longitude and latitude in turn, five of them a character.

const DIGITS = "0123456789bcdefghjkmnpqrstuvwxyz";

/** The geohash of so many characters. */
export function geohash(lat, lon, length) {
  const ranges = [new Halves(lon, 180), new Halves(lat, 90)];
  let text = "";
  let bit = 0;
  while (text.length < length) {
    let digit = 0;
    for (const end = bit + 5; bit < end; bit++) digit = (digit << 1) | (ranges[bit % 2].next() ? 1 : 0);
    text += DIGITS[digit];
  }
  return text;
}

/** A range that is halved around a value. */
class Halves {
  constructor(value, most) {
    this.value = value;
    this.from = -most;
    this.to = most;
  }

  /** Whether the value is in the upper half, which is the range from now on, or else the lower one. */
  next() {
    const middle = (this.from + this.to) / 2;
    const upper = this.value >= middle;
    if (upper) this.from = middle;
    else this.to = middle;
    return upper;
  }
}
