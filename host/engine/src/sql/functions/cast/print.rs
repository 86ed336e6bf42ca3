//! From a value to a text, as Spark's casts print it.

use super::{super::zone, How};
use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray, StructArray},
    compute::cast,
    datatypes::{DataType, Float32Type, Float64Type, TimestampMicrosecondType},
};
use datafusion_common::{Result, exec_datafusion_err};
use jiff::{civil::DateTime, tz::TimeZone};
use std::{fmt::Write, sync::Arc};

/// Values as texts.
pub(crate) fn texts(values: &ArrayRef, how: &How) -> Result<ArrayRef> {
    Ok(match values.data_type() {
        DataType::Float32 => {
            let shown = values.as_primitive::<Float32Type>().iter().map(|v| v.map(single));
            Arc::new(shown.collect::<StringArray>())
        }
        DataType::Float64 => {
            let shown = values.as_primitive::<Float64Type>().iter().map(|v| v.map(double));
            Arc::new(shown.collect::<StringArray>())
        }
        DataType::Timestamp(_, of) => {
            let zone = &if of.is_some() { how.zone.clone() } else { TimeZone::UTC };
            let shown = values.as_primitive::<TimestampMicrosecondType>().iter();
            Arc::new(shown.map(|v| v.map(|v| instant(v, zone)).transpose()).collect::<Result<StringArray>>()?)
        }
        DataType::List(_) => rows(values, |row| elements(&values.as_list::<i32>().value(row), how))?,
        DataType::Map(..) => rows(values, |row| entries(&values.as_map().value(row), how))?,
        DataType::Struct(_) => structs(values.as_struct(), how)?,
        _ => cast(values, &DataType::Utf8)?,
    })
}

/// A time as `2025-03-01 10:00:00.5`.
fn instant(micros: i64, zone: &TimeZone) -> Result<String> {
    let shown = zone::local(micros, zone);
    shown
        .map(clock)
        .ok_or_else(|| exec_datafusion_err!("{micros} µs since 1970 are not of the years before 10000"))
}

fn clock(shown: DateTime) -> String {
    let mut text =
        format!("{} {:02}:{:02}:{:02}", shown.date(), shown.hour(), shown.minute(), shown.second());
    let micros = shown.subsec_nanosecond() / 1000;
    if micros != 0 {
        let digits = format!("{micros:06}");
        let _ = write!(text, ".{}", digits.trim_end_matches('0'));
    }
    text
}

/// Java's text of a double: the fewest digits that tell it from others, at least one behind the point.
pub(crate) fn double(number: f64) -> String {
    let shortest = format!("{number:e}");
    // Java never shows one digit alone, and takes the two that are nearest.
    let digits = if shortest.contains('.') { shortest } else { format!("{number:.1e}") };
    java(&digits, number)
}

/// Java's text of a float.
pub(crate) fn single(number: f32) -> String {
    let shortest = format!("{number:e}");
    let digits = if shortest.contains('.') { shortest } else { format!("{number:.1e}") };
    java(&digits, f64::from(number))
}

/// `d.ddde-n` as Java shows it: from 0.001 up to 10,000,000 without an exponent.
fn java(digits: &str, number: f64) -> String {
    match number {
        n if n.is_nan() => return "NaN".into(),
        f64::INFINITY => return "Infinity".into(),
        f64::NEG_INFINITY => return "-Infinity".into(),
        0.0 => return if number.is_sign_negative() { "-0.0".into() } else { "0.0".into() },
        _ => {}
    }
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((digits, "0"));
    if (1e-3..1e7).contains(&number.abs()) {
        return plain(mantissa, exponent.parse().unwrap_or_default());
    }
    format!("{mantissa}E{exponent}")
}

/// The mantissa with its point moved.
fn plain(mantissa: &str, exponent: i32) -> String {
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{}", behind.trim_end_matches('0'));
    let (whole, behind) = match usize::try_from(exponent) {
        Ok(exponent) => {
            let padded = format!("{digits:0<width$}", width = exponent + 1);
            let (whole, behind) = padded.split_at_checked(exponent + 1).unwrap_or((&padded, ""));
            (whole.to_owned(), behind.to_owned())
        }
        Err(_) => {
            let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
            ("0".to_owned(), format!("{zeros}{digits}"))
        }
    };
    format!("{sign}{whole}.{}", if behind.is_empty() { "0" } else { &behind })
}

fn rows(of: &ArrayRef, text: impl Fn(usize) -> Result<String>) -> Result<ArrayRef> {
    let texts = (0..of.len()).map(|row| of.is_valid(row).then(|| text(row)).transpose());
    Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
}

/// `[1, null, 2]`
fn elements(of: &ArrayRef, how: &How) -> Result<String> {
    let texts = texts(of, how)?;
    Ok(format!("[{}]", joined(texts.as_string::<i32>().iter())))
}

/// `{k -> v, l -> null}`
fn entries(of: &StructArray, how: &How) -> Result<String> {
    let (keys, values) = (texts(of.column(0), how)?, texts(of.column(1), how)?);
    let pairs = keys.as_string::<i32>().iter().zip(values.as_string::<i32>());
    let pairs: Vec<String> =
        pairs.map(|(k, v)| format!("{} -> {}", k.unwrap_or("null"), v.unwrap_or("null"))).collect();
    Ok(format!("{{{}}}", pairs.join(", ")))
}

/// `{1, null}`
fn structs(of: &StructArray, how: &How) -> Result<ArrayRef> {
    let columns = of.columns().iter().map(|column| texts(column, how)).collect::<Result<Vec<_>>>()?;
    let row = |row| {
        let parts = columns.iter().map(|column| {
            let column = column.as_string::<i32>();
            column.is_valid(row).then(|| column.value(row))
        });
        of.is_valid(row).then(|| format!("{{{}}}", joined(parts)))
    };
    Ok(Arc::new((0..of.len()).map(row).collect::<StringArray>()))
}

fn joined<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> String {
    texts.map(|text| text.unwrap_or("null")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_shown_as_java_shows_them() {
        for (number, text) in [
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.001, "0.001"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (123_456_789_012.5, "1.234567890125E11"),
            (1.23e-5, "1.23E-5"),
            (4.9e-324, "4.9E-324"),
            (-0.0, "-0.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (120.0, "120.0"),
        ] {
            assert_eq!(double(number), text);
        }
        assert_eq!(single(0.1), "0.1");
        assert_eq!(single(3.4e38), "3.4E38");
    }
}
