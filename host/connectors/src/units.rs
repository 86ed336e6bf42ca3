//! Quantities as people write them in a pipeline file.

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Unexpected, Visitor},
};
use std::{fmt, str::FromStr, time::Duration};

/// A length of time as text: `200ms`, `3s`, `10 minutes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct Interval(pub Duration);

impl Interval {
    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Interval(Duration::from_millis(millis))
    }
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A day is 24 hours here: a length of time lies in no calendar.
        text.parse::<jiff::Span>()
            .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()))
            .ok()
            .and_then(|d| Duration::try_from(d).ok())
            .map(Interval)
            .ok_or_else(|| {
                format!("{text:?} is not a length of time; write for example \"200ms\" or \"10 minutes\"")
            })
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let what = "a length of time, such as \"200ms\" or \"10 minutes\"";
        from.deserialize_any(Written { what, number: |_| None })
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{}ms", self.0.as_millis()))
    }
}

/// A number of bytes, or text with a unit: `1000000`, `64MiB`, `1 GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "NumberOrText")]
pub struct ByteSize(pub u64);

/// What the schema says of a [`ByteSize`].
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = text.strip_suffix(digits).and_then(|n| n.parse::<u64>().ok());
        let unit = unit(&digits.trim().to_ascii_lowercase());
        number.zip(unit).and_then(|(n, unit)| n.checked_mul(unit)).map(ByteSize).ok_or_else(|| {
            format!("{text:?} is not a number of bytes; write for example 1000000 or \"64MiB\"")
        })
    }
}

fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return None,
    })
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let what = "a number of bytes, such as 1000000 or \"64MiB\"";
        from.deserialize_any(Written { what, number: |bytes| Some(ByteSize(bytes)) })
    }
}

/// Reads a quantity from text, or from a number where that has a meaning without a unit.
struct Written<T> {
    what: &'static str,
    number: fn(u64) -> Option<T>,
}

impl<T: FromStr<Err = String>> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        (self.number)(number).ok_or_else(|| E::invalid_type(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        assert_eq!("64MiB".parse(), Ok(ByteSize(64 << 20)));
        assert_eq!("1 GB".parse(), Ok(ByteSize(1_000_000_000)));
        assert_eq!("12".parse(), Ok(ByteSize(12)));
        assert!("MiB".parse::<ByteSize>().is_err());
        assert_eq!("200ms".parse(), Ok(Interval::millis(200)));
        assert_eq!("10 minutes".parse(), Ok(Interval::millis(600_000)));
        assert!("-1s".parse::<Interval>().is_err());
    }
}
