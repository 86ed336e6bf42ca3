//! Single values from text, by Spark's rules.

use jiff::{civil, tz::TimeZone};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// A whole number: an optional sign and digits, nothing else.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    // Counted downwards, because there is one more negative number than there are positive ones.
    let mut value = 0i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// A floating-point number, correctly rounded; `NaN` and `Infinity` are numbers.
#[inline]
pub(crate) fn double(text: &[u8]) -> Option<f64> {
    short_double(text).or_else(|| long_double(text))
}

/// The usual case: digits with a point, small enough that one exact division rounds correctly.
#[inline]
fn short_double(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 16 {
        return None;
    }
    let (mut mantissa, mut scale, mut point, mut seen) = (0u64, 0usize, false, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                scale += usize::from(point);
                seen = true;
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    let value = mantissa as f64 / POWERS.get(scale)?;
    (seen && mantissa < 1 << 53).then_some(if negative { -value } else { value })
}

#[cold]
fn long_double(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" | "+Infinity" | "Inf" | "+Inf" => Some(f64::INFINITY),
        "-Infinity" | "-Inf" => Some(f64::NEG_INFINITY),
        _ if text.bytes().any(|b| b.is_ascii_alphabetic() && !matches!(b, b'e' | b'E')) => None,
        _ => text.parse().ok(),
    }
}

/// A decimal number as an integer of units of 10^-scale, rounded half up; none if it has more than `precision` digits.
pub(crate) fn decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let wanted = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let value = units(digits().map(|b| i128::from(b - b'0')), wanted)?;
    let fits = value < 10i128.checked_pow(u32::from(precision))?;
    fits.then_some(if negative { -value } else { value })
}

/// The first `wanted` digits as a number, padded with zeros, rounded by the digit after them.
fn units(mut digits: impl Iterator<Item = i128>, wanted: i64) -> Option<i128> {
    if wanted < 0 {
        return Some(0);
    }
    let mut value = 0i128;
    for left in (1..=wanted).rev() {
        let digit = digits.next();
        if digit.is_none() && value == 0 && left > 1 {
            return Some(0);
        }
        value = value.checked_mul(10)?.checked_add(digit.unwrap_or(0))?;
    }
    Some(value + i128::from(digits.next().is_some_and(|d| d >= 5)))
}

/// Appends the bytes that base64 stands for; padding may be missing.
pub(crate) fn base64(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    for group in text.chunks(4) {
        let mut bits = 0u32;
        for byte in group {
            bits = bits << 6 | u32::from(sextet(*byte)?);
        }
        let bytes = (bits << (6 * (4 - group.len()))).to_be_bytes();
        out.extend_from_slice(bytes.get(1..group.len())?);
    }
    (text.len() % 4 != 1).then_some(())
}

/// Bytes of two hexadecimal digits each.
pub(crate) fn hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let (pairs, rest) = text.as_chunks::<2>();
    for [high, low] in pairs {
        out.push(digit(*high)? << 4 | digit(*low)?);
    }
    rest.is_empty().then_some(())
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// A date in days since 1970-01-01: `2025-01-31`, also with a time behind it.
pub(crate) fn date(text: &[u8]) -> Option<i32> {
    let mut cursor = Cursor(text);
    let days = cursor.date()?;
    matches!(cursor.0, [] | [b'T' | b' ', ..]).then_some(days)?.try_into().ok()
}

/// A time in microseconds since 1970-01-01T00:00:00Z: `2025-01-31`, `2025-01-31 10:00`, `2025-01-31T10:00:00.123+01:00`.
/// `zone` is for times that name none.
#[inline]
pub(crate) fn timestamp(text: &[u8], zone: &TimeZone) -> Option<i64> {
    let (local, offset) = local_and_offset(text)?;
    match offset {
        Some(seconds) => local.checked_sub(seconds * MICROS_PER_SECOND),
        None if *zone == TimeZone::UTC => Some(local),
        None => in_zone(local, zone),
    }
}

/// A time in microseconds without regard to any zone; one that is named is ignored, as Spark does.
pub(crate) fn timestamp_ntz(text: &[u8]) -> Option<i64> {
    local_and_offset(text).map(|(local, _)| local)
}

#[cold]
fn in_zone(local: i64, zone: &TimeZone) -> Option<i64> {
    let utc = jiff::Timestamp::from_microsecond(local).ok()?;
    let civil: civil::DateTime = TimeZone::UTC.to_datetime(utc);
    Some(zone.to_timestamp(civil).ok()?.as_microsecond())
}

#[inline]
fn local_and_offset(text: &[u8]) -> Option<(i64, Option<i64>)> {
    let mut cursor = Cursor(text);
    let midnight = cursor.date()?.checked_mul(MICROS_PER_DAY)?;
    if cursor.0.is_empty() {
        return Some((midnight, None));
    }
    let [b'T' | b' ', rest @ ..] = cursor.0 else { return None };
    cursor.0 = rest;
    let time = cursor.time()?;
    let offset = cursor.offset()?;
    Some((midnight.checked_add(time)?, offset))
}

/// What is left of a date or time.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// A number of `least` to `most` digits.
    #[inline]
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let mut value = 0;
        for read in 0..most {
            match self.0 {
                [digit @ b'0'..=b'9', rest @ ..] => {
                    value = value * 10 + i64::from(digit - b'0');
                    self.0 = rest;
                }
                _ if read >= least => break,
                _ => return None,
            }
        }
        Some(value)
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// `yyyy-mm-dd`, `yyyy-mm` or `yyyy`, in days since 1970-01-01.
    #[inline]
    fn date(&mut self) -> Option<i64> {
        let negative = self.eat(b'-');
        let year = self.digits(4, 6)?;
        let month = if self.eat(b'-') { self.digits(1, 2)? } else { 1 };
        let day = if self.eat(b'-') { self.digits(1, 2)? } else { 1 };
        days_from_civil(if negative { -year } else { year }, month, day)
    }

    /// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.ffffff`, in microseconds.
    #[inline]
    fn time(&mut self) -> Option<i64> {
        let hour = self.digits(1, 2)?;
        let minute = if self.eat(b':') { self.digits(1, 2)? } else { return None };
        let second = if self.eat(b':') { self.digits(1, 2)? } else { 0 };
        let fraction = if self.eat(b'.') { self.fraction() } else { 0 };
        let valid = hour < 24 && minute < 60 && second < 60;
        valid.then_some(((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + fraction)
    }

    /// Digits after the point, in microseconds; those beyond the sixth are cut off.
    #[inline]
    fn fraction(&mut self) -> i64 {
        let (mut value, mut unit) = (0, MICROS_PER_SECOND / 10);
        while let [digit @ b'0'..=b'9', rest @ ..] = self.0 {
            value += i64::from(digit - b'0') * unit;
            unit /= 10;
            self.0 = rest;
        }
        value
    }

    /// `Z`, `UTC`, `GMT` or `+hh[[:]mm]` at the very end, in seconds; an inner none if there is nothing.
    #[inline]
    fn offset(&mut self) -> Option<Option<i64>> {
        self.eat(b' ');
        let (sign, rest) = match self.0 {
            [] => return Some(None),
            b"Z" | b"z" | b"UTC" | b"GMT" => return Some(Some(0)),
            [b'+', rest @ ..] => (1, rest),
            [b'-', rest @ ..] => (-1, rest),
            _ => return None,
        };
        self.0 = rest;
        let hours = self.digits(1, 2)?;
        self.eat(b':');
        let minutes = if self.0.is_empty() { 0 } else { self.digits(2, 2)? };
        let valid = self.0.is_empty() && hours <= 18 && minutes < 60;
        valid.then_some(Some(sign * (hours * 60 + minutes) * 60))
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar; none for a day that does not exist.
#[inline]
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // Years start in March, so that the leap day is the last one; 146,097 days are a cycle of 400 years.
    let year = if month <= 2 { year - 1 } else { year };
    let cycle = year.div_euclid(400);
    let year_of_cycle = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    Some(cycle * 146_097 + day_of_cycle - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<i64> {
        timestamp(text.as_bytes(), &TimeZone::UTC)
    }

    #[test]
    fn integers_out_of_range_are_no_integers() {
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer(b"9223372036854775808"), None);
        assert_eq!((integer(b""), integer(b"-"), integer(b"1.0"), integer(b" 1")), (None, None, None, None));
    }

    #[test]
    fn doubles_are_correctly_rounded() {
        for text in [
            "0.1",
            "63.95",
            "-2.5",
            "1e300",
            "9007199254740993",
            "123456789.123456789",
            "0.30000000000000004",
        ] {
            assert_eq!(double(text.as_bytes()), text.parse().ok(), "{text}");
        }
        assert_eq!(double(b"Infinity"), Some(f64::INFINITY));
        assert!(double(b"NaN").is_some_and(f64::is_nan));
        assert_eq!(
            (double(b""), double(b"."), double(b"-"), double(b"inf"), double(b"x")),
            (None, None, None, None, None)
        );
    }

    #[test]
    fn decimals_are_rounded_half_up_and_refused_when_too_long() {
        assert_eq!(decimal(b"12.345", 10, 2), Some(1235));
        assert_eq!(decimal(b"-12.344", 10, 2), Some(-1234));
        assert_eq!(decimal(b"1e3", 10, 2), Some(100_000));
        assert_eq!(decimal(b"12e-1", 10, 2), Some(120));
        assert_eq!(decimal(b"0.004", 10, 2), Some(0));
        assert_eq!(decimal(b"1000", 5, 2), None);
        assert_eq!(decimal(b"1e999999999", 38, 2), None);
        assert_eq!(decimal(b"0e999999999", 38, 2), Some(0));
        assert_eq!((decimal(b"", 5, 2), decimal(b"1.2.3", 5, 2), decimal(b"x", 5, 2)), (None, None, None));
    }

    #[test]
    fn times_with_and_without_zone() {
        let noon = 1_735_732_800_000_000;
        for text in [
            "2025-01-01T12:00:00Z",
            "2025-01-01 12:00:00",
            "2025-01-01 12:00",
            "2025-1-1T12:00:00.000000999Z",
            "2025-01-01T13:00:00+01:00",
            "2025-01-01T13:00:00+0100",
            "2025-01-01T02:00-10",
            "2025-01-01 12:00:00 UTC",
        ] {
            assert_eq!(utc(text), Some(noon), "{text}");
        }
        assert_eq!(utc("2025-01-01T12:00:00.000123Z"), Some(noon + 123));
        assert_eq!(utc("2025-01-01"), Some(noon - 12 * 3_600_000_000));
        assert_eq!(utc("1969-12-31T23:59:59Z"), Some(-1_000_000));
        for text in [
            "",
            "2025-02-29",
            "2025-13-01",
            "2025-01-01T25:00",
            "2025-01-01T12",
            "12:00",
            "2025-01-01T12:00X",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn the_zone_of_the_query_is_for_times_without_one() {
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(timestamp(b"2025-01-01 13:00:00", &berlin), utc("2025-01-01 12:00:00"));
        assert_eq!(timestamp(b"2025-01-01 13:00:00Z", &berlin), utc("2025-01-01 13:00:00"));
        assert_eq!(timestamp_ntz(b"2025-01-01 13:00:00+05:00"), utc("2025-01-01 13:00:00"));
    }

    #[test]
    fn base64_with_and_without_padding() {
        let decoded = |text: &str| {
            let mut out = Vec::new();
            base64(text.as_bytes(), &mut out).map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(decoded("aGVsbG8="), Some("hello".into()));
        assert_eq!(decoded("aGVsbG8"), Some("hello".into()));
        assert_eq!((decoded("a"), decoded("a b=")), (None, None));
    }

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        let decoded = |text: &str| {
            let mut out = Vec::new();
            hex(text.as_bytes(), &mut out).map(|()| out)
        };
        assert_eq!(decoded("00fFa0"), Some(vec![0, 255, 160]));
        assert_eq!((decoded(""), decoded("0"), decoded("0g")), (Some(vec![]), None, None));
    }

    #[test]
    fn dates_may_have_a_time_behind_them() {
        assert_eq!(date(b"1970-01-02"), Some(1));
        assert_eq!(date(b"2000-02-29T10:00"), Some(11016));
        assert_eq!(date(b"1900-02-29"), None);
        assert_eq!(date(b"1970-01-02x"), None);
    }
}
