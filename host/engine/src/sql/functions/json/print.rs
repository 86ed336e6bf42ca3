//! From values to JSON.

use crate::sql::functions::{
    cast::{How, double, texts},
    zone,
};
use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{DataType, Date32Type, Float32Type, Float64Type, TimestampMicrosecondType},
};
use datafusion_common::{Result, exec_datafusion_err};
use jiff::tz::TimeZone;
use serde_json::Value;

/// JSON without blanks; doubles as Java shows them.
pub(super) fn compact(of: &Value) -> String {
    match of {
        Value::Number(number) if number.is_f64() => number.as_f64().map_or_else(String::new, double),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(compact).collect();
            format!("[{}]", elements.join(","))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{}:{}", quoted(name), compact(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The value of a row as JSON. A field of a struct that is NULL is left out.
pub(super) fn json(of: &dyn Array, row: usize, zone: &TimeZone) -> Result<String> {
    if of.is_null(row) {
        return Ok("null".into());
    }
    Ok(match of.data_type() {
        DataType::Null => "null".into(),
        DataType::Utf8 => quoted(of.as_string::<i32>().value(row)),
        DataType::Float32 => float(of.as_primitive::<Float32Type>().value(row).into(), of, row)?,
        DataType::Float64 => float(of.as_primitive::<Float64Type>().value(row), of, row)?,
        DataType::Date32 => {
            let day = zone::date(of.as_primitive::<Date32Type>().value(row));
            quoted(&day.map(|day| day.to_string()).unwrap_or_default())
        }
        DataType::Timestamp(_, zoned) => {
            let micros = of.as_primitive::<TimestampMicrosecondType>().value(row);
            quoted(&time(micros, zoned.is_some().then_some(zone))?)
        }
        DataType::Binary => quoted(&base64(of.as_binary::<i32>().value(row))),
        DataType::List(_) => elements(&of.as_list::<i32>().value(row), zone)?,
        DataType::Struct(fields) => {
            let columns = fields
                .iter()
                .zip(of.as_struct().columns())
                .filter(|(field, column)| !field.data_type().is_null() && column.is_valid(row));
            let fields = columns
                .map(|(field, column)| Ok(format!("{}:{}", quoted(field.name()), json(column, row, zone)?)));
            format!("{{{}}}", fields.collect::<Result<Vec<_>>>()?.join(","))
        }
        DataType::Map(..) => entries(&of.as_map().value(row), zone)?,
        _ => text(of, row)?,
    })
}

/// A value as a cast shows it.
fn text(of: &dyn Array, row: usize) -> Result<String> {
    let how = How { zone: TimeZone::UTC, lenient: false };
    Ok(texts(&of.slice(row, 1), &how)?.as_string::<i32>().value(0).to_owned())
}

/// JSON has no number that is none: those are texts.
fn float(number: f64, of: &dyn Array, row: usize) -> Result<String> {
    let shown = text(of, row)?;
    Ok(if number.is_finite() { shown } else { quoted(&shown) })
}

/// `2025-03-01T10:00:00.000Z`; without a zone, without the zone.
fn time(micros: i64, zone: Option<&TimeZone>) -> Result<String> {
    let utc = TimeZone::UTC;
    let of = zone.unwrap_or(&utc);
    let shown = zone::local(micros, of)
        .ok_or_else(|| exec_datafusion_err!("{micros} µs from 1970 are out of range"))?;
    let offset = zone::offset(micros, of).seconds();
    let suffix = match (zone, offset) {
        (None, _) => String::new(),
        (_, 0) => "Z".into(),
        _ => format!(
            "{}{:02}:{:02}",
            if offset < 0 { '-' } else { '+' },
            offset.abs() / 3600,
            offset.abs() / 60 % 60
        ),
    };
    let time = shown.time();
    let millis = time.subsec_nanosecond() / 1_000_000;
    let clock = format!("{:02}:{:02}:{:02}.{millis:03}", time.hour(), time.minute(), time.second());
    Ok(format!("{}T{clock}{suffix}", shown.date()))
}

fn elements(of: &ArrayRef, zone: &TimeZone) -> Result<String> {
    let elements = (0..of.len()).map(|row| json(of, row, zone)).collect::<Result<Vec<_>>>()?;
    Ok(format!("[{}]", elements.join(",")))
}

fn entries(of: &arrow::array::StructArray, zone: &TimeZone) -> Result<String> {
    let pair = |row| {
        let key = match of.column(0).data_type() {
            DataType::Utf8 => of.column(0).as_string::<i32>().value(row).to_owned(),
            _ => text(of.column(0), row)?,
        };
        Ok(format!("{}:{}", quoted(&key), json(of.column(1), row, zone)?))
    };
    Ok(format!("{{{}}}", (0..of.len()).map(pair).collect::<Result<Vec<_>>>()?.join(",")))
}

pub(super) const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let place = (bits >> (18 - 6 * digit) & 63) as usize;
            let known = DIGITS.get(place).filter(|_| digit <= chunk.len());
            text.push(known.map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_four_letters_for_three() {
        assert_eq!(super::super::unbase64("Zm9vYg=="), Some(b"foob".to_vec()));
        assert_eq!(
            ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        );
    }
}
