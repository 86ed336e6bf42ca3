//! Geohashes: the bits of a place's longitude and latitude in turn, five of them a character.

const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// The geohash of so many characters.
pub(crate) fn of(lat: f64, lon: f64, length: usize) -> String {
    let (mut lat, mut lon) = (Halves::new(lat, 90.0), Halves::new(lon, 180.0));
    let mut bits = (0..).map(|bit| if bit % 2 == 0 { lon.next() } else { lat.next() });
    (0..length)
        .map(|_| {
            let digit = bits.by_ref().take(5).fold(0, |digit, bit| digit << 1 | usize::from(bit));
            char::from(DIGITS.get(digit).copied().unwrap_or(b'0'))
        })
        .collect()
}

/// A range that is halved around a value.
struct Halves {
    value: f64,
    from: f64,
    to: f64,
}

impl Halves {
    fn new(value: f64, most: f64) -> Self {
        Self { value, from: -most, to: most }
    }

    /// Whether the value is in the upper half, which is the range from now on, or else the lower one.
    fn next(&mut self) -> bool {
        let middle = (self.from + self.to) / 2.0;
        let upper = self.value >= middle;
        if upper {
            self.from = middle
        } else {
            self.to = middle
        }
        upper
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn geohashes_are_those_that_everybody_has() {
        assert_eq!(of(57.64911, 10.40744, 11), "u4pruydqqvj");
        assert_eq!(of(42.605, -5.603, 5), "ezs42");
        assert_eq!(of(-90.0, -180.0, 3), "000");
        assert_eq!(of(90.0, 180.0, 3), "zzz");
    }
}
