//! From a text to a value, as Spark's casts read it. Blanks around it are not part of it.

use super::super::zone;
use jiff::{
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// A whole number.
pub(crate) fn whole<T: std::str::FromStr>(text: &str) -> Option<T> {
    let text = trimmed(text);
    // `+-1` is no number, though Rust would see the sign after the plus.
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A number with a fraction. Java's suffixes `d` and `f` are part of it.
pub(crate) fn fraction<T: std::str::FromStr>(text: &str) -> Option<T> {
    let text = trimmed(text);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let known = ["nan", "inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word));
    if known {
        return text.parse().ok();
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text).parse().ok()
}

/// `true`, `t`, `yes`, `y`, `1` and their opposites, in any case.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match trimmed(text).to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// The digits of a decimal with `scale` of them behind the point, rounded away from zero at the half; none if it has more
/// than `precision` in all, or is no number.
pub(crate) fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let text = trimmed(text);
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{behind}");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let shift = i32::from(scale).checked_add(exponent)?.checked_sub(i32::try_from(behind.len()).ok()?)?;
    let unscaled = shifted(digits.trim_start_matches('0'), shift)?;
    let fits = unscaled < 10_i128.checked_pow(u32::from(precision))?;
    fits.then_some(if negative { -unscaled } else { unscaled })
}

/// So many digits times ten to the power of `shift`.
fn shifted(digits: &str, shift: i32) -> Option<i128> {
    if digits.is_empty() {
        return Some(0);
    }
    if shift >= 0 {
        let power = 10_i128.checked_pow(u32::try_from(shift).ok()?)?;
        return digits.parse::<i128>().ok()?.checked_mul(power);
    }
    let dropped = usize::try_from(shift.unsigned_abs()).ok()?;
    let Some(kept) = digits.len().checked_sub(dropped) else { return Some(0) };
    let (kept, rest) = digits.split_at_checked(kept)?;
    let kept = if kept.is_empty() { 0 } else { kept.parse::<i128>().ok()? };
    kept.checked_add(i128::from(rest.starts_with(|digit: char| digit >= '5')))
}

/// `yyyy[-m[-d]]`, and behind a blank or a `T` anything: days since 1970.
pub(crate) fn day(text: &str) -> Option<i32> {
    let text = trimmed(text);
    let (date, _) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    date_of(date).map(zone::days)
}

fn date_of(text: &str) -> Option<Date> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4, 7)?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 1, 2))?;
    let day = parts.next().map_or(Some(1), |part| digits(part, 1, 2))?;
    if parts.next().is_some() {
        return None;
    }
    let year = i16::try_from(if negative { -year } else { year }).ok()?;
    Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// So many ASCII digits.
fn digits(text: &str, least: usize, most: usize) -> Option<i32> {
    let right = (least..=most).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
    right.then(|| text.parse().ok())?
}

/// A date, perhaps with a time of day, perhaps with a zone; what has none is of `zone`. Microseconds since 1970.
pub(crate) fn time(text: &str, zone: &TimeZone) -> Option<i64> {
    let (shown, own) = date_and_time(text)?;
    match own {
        Some(name) => Some(zone::instant(shown, &zone::named(name).ok()?)),
        None => Some(zone::instant(shown, zone)),
    }
}

/// The same, as a clock shows it, whatever the zone.
pub(crate) fn time_without_zone(text: &str) -> Option<i64> {
    Some(zone::of_clock(date_and_time(text)?.0))
}

fn date_and_time(text: &str) -> Option<(DateTime, Option<&str>)> {
    let text = trimmed(text);
    let Some((date, rest)) = text.split_once([' ', 'T']) else {
        return Some((date_of(text)?.to_datetime(Time::midnight()), None));
    };
    let ends = rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(rest.len());
    let (time, own) = rest.split_at_checked(ends)?;
    let own = own.trim();
    Some((date_of(date)?.to_datetime(time_of(time)?), (!own.is_empty()).then_some(own)))
}

/// `h:m[:s[.fraction]]`; of a fraction six digits count.
fn time_of(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let hour = digits(parts.next()?, 1, 2)?;
    let minute = digits(parts.next()?, 1, 2)?;
    let (second, fraction) =
        parts.next().map_or(("0", ""), |part| part.split_once('.').unwrap_or((part, "")));
    if parts.next().is_some() || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let micros: i32 = format!("{:0<6}", fraction.get(..6).unwrap_or(fraction)).parse().ok()?;
    let second = digits(second, 1, 2)?;
    Time::new(hour.try_into().ok()?, minute.try_into().ok()?, second.try_into().ok()?, micros * 1000).ok()
}

/// Spark takes blanks and control characters away.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ' || c == '\u{7f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_spark_reads_them() {
        assert_eq!(whole::<i32>(" 42\t"), Some(42));
        assert_eq!(whole::<i32>("+7"), Some(7));
        for wrong in ["", "1.0", "+-1", "1_000", "2147483648"] {
            assert_eq!(whole::<i32>(wrong), None, "{wrong}");
        }
        assert_eq!(fraction::<f64>("1.5D"), Some(1.5));
        assert_eq!(fraction::<f64>("-Infinity"), Some(f64::NEG_INFINITY));
        for wrong in ["", "e", "1 2", "d"] {
            assert_eq!(fraction::<f64>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_decimal_is_rounded_and_must_fit() {
        assert_eq!(decimal("123.455", 5, 2), Some(12_346));
        assert_eq!(decimal("-0.005", 5, 2), Some(-1));
        assert_eq!(decimal("1e3", 5, 1), Some(10_000));
        assert_eq!(decimal("12e-1", 5, 2), Some(120));
        assert_eq!(decimal("0.000", 5, 2), Some(0));
        for wrong in ["1000", "x", "", ".", "1.2.3", "1e"] {
            assert_eq!(decimal(wrong, 5, 2), None, "{wrong}");
        }
    }

    #[test]
    fn dates_and_times_may_be_short_of_digits_but_not_wrong() {
        assert_eq!(day("2025-3"), day("2025-03-01"));
        assert_eq!(day("2025-03-01T99"), Some(20_148));
        assert_eq!(day("2025-02-30"), None);
        let time = |text| time(text, &TimeZone::UTC);
        assert_eq!(time("1970-01-01 1:2:3.5"), Some(3_723_500_000));
        assert_eq!(time("1970-01-01T00:00:00.1234567+01:00"), Some(-3_599_876_544));
        assert_eq!(time("1970-01-01 00:00 Europe/Berlin"), Some(-3_600_000_000));
        for wrong in ["", "1970-01-01 24:00:00", "1970-01-01 10", "12:00", "1970-01-01 00:00 Atlantis"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
