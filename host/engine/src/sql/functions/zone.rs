//! Instants and what a clock shows in a time zone.

use datafusion_common::{Result, config::ConfigOptions, exec_datafusion_err};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

const SECOND: i64 = 1_000_000;

/// The day that days are counted from.
const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// The time zone of the pipeline.
pub(super) fn session(options: &ConfigOptions) -> Result<TimeZone> {
    match options.execution.time_zone.as_deref() {
        None | Some("UTC") => Ok(TimeZone::UTC),
        Some(name) => named(name),
    }
}

/// A time zone by its name, as Spark takes it: `Europe/Berlin`, `UTC`, `Z`, `+1:00`, `GMT+01:00`.
pub(super) fn named(name: &str) -> Result<TimeZone> {
    let offset = ["UTC", "GMT", "UT"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let zone = match offset {
        "" | "Z" | "z" => Some(TimeZone::UTC),
        of if of.starts_with(['+', '-']) => fixed(of).map(TimeZone::fixed),
        _ => TimeZone::get(name).ok(),
    };
    zone.ok_or_else(|| {
        exec_datafusion_err!("there is no time zone {name:?}; write for example 'Europe/Berlin' or '+01:00'")
    })
}

/// `+h`, `+hh`, `+hh:mm`, `+hhmm`, `+hh:mm:ss`.
fn fixed(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        (_, rest) => (-1, rest),
    };
    let number = |text: &str| match text.len() {
        1 | 2 => text.parse::<u8>().ok().map(i32::from),
        _ => None,
    };
    let (hours, minutes, seconds) = match (rest.split(':').collect::<Vec<_>>().as_slice(), rest.len()) {
        ([one], 4) => (number(one.get(..2)?)?, number(one.get(2..)?)?, 0),
        ([h], _) => (number(h)?, 0, 0),
        ([h, m], _) => (number(h)?, number(m)?, 0),
        ([h, m, s], _) => (number(h)?, number(m)?, number(s)?),
        _ => return None,
    };
    let all = hours * 3600 + minutes * 60 + seconds;
    (minutes < 60 && seconds < 60 && all <= 18 * 3600).then(|| Offset::from_seconds(sign * all).ok())?
}

/// What a clock in `zone` shows at an instant; none outside of the years from -9999 to 9999.
pub(super) fn local(micros: i64, zone: &TimeZone) -> Option<DateTime> {
    shown(micros.checked_add(i64::from(offset(micros, zone).seconds()) * SECOND)?)
}

/// How far a clock in `zone` is from UTC at an instant.
pub(super) fn offset(micros: i64, zone: &TimeZone) -> Offset {
    // The last day of 9999 is beyond what jiff takes for an instant; zones do not change that late.
    let instant = Timestamp::from_microsecond(micros);
    zone.to_offset(instant.unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX }))
}

/// The instant at which a clock in `zone` shows this; the earlier of two. Of a time that the clock skips, as much later.
pub(super) fn instant(shown: DateTime, zone: &TimeZone) -> i64 {
    let offset = match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
    };
    of_clock(shown) - i64::from(offset.seconds()) * SECOND
}

/// Microseconds since 1970 on the same clock.
pub(super) fn of_clock(shown: DateTime) -> i64 {
    let time = shown.time();
    let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    i64::from(days(shown.date())) * DAY + seconds * SECOND + i64::from(time.subsec_nanosecond()) / 1000
}

/// What a clock shows so many microseconds after it showed the first of 1970.
fn shown(micros: i64) -> Option<DateTime> {
    let date = date(i32::try_from(micros.div_euclid(DAY)).ok()?)?;
    date.at(0, 0, 0, 0).checked_add(SignedDuration::from_micros(micros.rem_euclid(DAY))).ok()
}

/// The date of a number of days since 1970.
pub(super) fn date(days: i32) -> Option<Date> {
    EPOCH.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// Days since 1970.
pub(super) fn days(date: Date) -> i32 {
    EPOCH.until(date).map_or(0, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_a_name_or_an_offset() {
        for name in ["UTC", "Z", "Europe/Berlin", "+1", "+01:00", "-0330", "GMT+2", "UTC-10:30"] {
            assert!(named(name).is_ok(), "{name}");
        }
        for wrong in ["Nowhere/Land", "+19:00", "+1:7x", "+", "UTC+"] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_and_dates_are_each_others_opposite() {
        for day in [-719_162, -1, 0, 1, 19_000, 2_932_896] {
            assert_eq!(days(date(day).unwrap()), day);
        }
        assert_eq!(date(i32::MAX), None);
        let last = jiff::civil::date(9999, 12, 31).at(23, 59, 59, 0);
        for zone in ["UTC", "Asia/Tokyo", "America/New_York"].map(|zone| named(zone).unwrap()) {
            assert_eq!(local(instant(last, &zone), &zone), Some(last));
        }
    }

    #[test]
    fn a_time_that_is_skipped_is_later_and_one_that_is_twice_is_the_first() {
        let new_york = named("America/New_York").unwrap();
        let skipped = instant(jiff::civil::date(2025, 3, 9).at(2, 30, 0, 0), &new_york);
        assert_eq!(local(skipped, &new_york).unwrap().to_string(), "2025-03-09T03:30:00");
        let twice = instant(jiff::civil::date(2025, 11, 2).at(1, 30, 0, 0), &new_york);
        assert_eq!(Timestamp::from_microsecond(twice).unwrap().to_string(), "2025-11-02T05:30:00Z");
    }
}
