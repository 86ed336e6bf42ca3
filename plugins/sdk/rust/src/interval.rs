//! Lengths of time as people write them.

use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::Error;

/// A length of time in a configuration, as in a pipeline file: `200ms`, `90s`, `10 minutes`, `1h 30m`, `2 days`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Interval(#[schemars(skip)] pub Duration);

impl FromStr for Interval {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::invalid(format!(
                "`{text}` is no length of time; write for example \"90s\" or \"10 minutes\""
            ))
        };
        let mut rest = text.trim();
        let mut total = None;
        while !rest.is_empty() {
            let (number, after) = split(rest, |c| c.is_ascii_digit());
            let (unit, after) = split(after.trim_start(), char::is_alphabetic);
            let number: u64 = number.parse().map_err(|_| wrong())?;
            let micros = micros(unit).and_then(|unit| number.checked_mul(unit)).ok_or_else(wrong)?;
            let sum = total.unwrap_or(Duration::ZERO).checked_add(Duration::from_micros(micros));
            total = Some(sum.ok_or_else(wrong)?);
            rest = after.trim_start_matches([' ', ',']);
        }
        total.map(Self).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Interval {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// The microseconds of a unit.
fn micros(unit: &str) -> Option<u64> {
    Some(match unit {
        "us" | "µs" | "microsecond" | "microseconds" => 1,
        "ms" | "millisecond" | "milliseconds" => 1_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000_000,
        "d" | "day" | "days" => 86_400_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        text.parse().ok().map(|Interval(length)| length.as_secs_f64())
    }

    #[test]
    fn a_length_of_time_is_read_as_in_a_pipeline_file() {
        assert_eq!(seconds("200ms"), Some(0.2));
        assert_eq!(seconds("10 minutes"), Some(600.0));
        assert_eq!(seconds("1h30m"), Some(5400.0));
        assert_eq!(seconds(" 1 day, 1s "), Some(86_401.0));
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in ["", "10", "minutes", "-1s", "1.5h", "3 moons", "999999999999999 days"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
