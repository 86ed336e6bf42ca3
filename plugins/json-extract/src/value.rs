//! Whether a JSON value fits a column, and what it is there.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use streamhost::arrow::datatypes::{DataType, Field, FieldRef};
use streamhost::serde_json::Value;
use streamhost::{Error, Result, ddl};

/// Characters of a value that a message shows.
const SHOWN: usize = 60;

/// A member of an object; null if there is none, or no object.
pub(crate) fn member<'a>(object: &'a Value, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&Value::Null)
}

/// That a value can be stored in this field, at every depth.
pub(crate) fn fits(value: &Value, field: &Field) -> Result<()> {
    if value.is_null() {
        return if field.is_nullable() {
            Ok(())
        } else {
            Err(Error::permanent("null, and the column is NOT NULL"))
        };
    }
    match (field.data_type(), value) {
        (DataType::List(item), Value::Array(items)) => items.iter().try_for_each(|value| fits(value, item)),
        (DataType::Map(entry, _), Value::Object(members)) => match map_value(entry) {
            Some(of) => members.values().try_for_each(|value| fits(value, of)),
            None => Err(wrong(value, field.data_type())),
        },
        (DataType::Struct(children), Value::Object(_)) => children.iter().try_for_each(|child| {
            fits(member(value, child.name()), child).map_err(|error| error.context(child.name()))
        }),
        (data_type, value) if scalar_fits(value, data_type) => Ok(()),
        (data_type, value) => Err(wrong(value, data_type)),
    }
}

/// The field of a map's values.
pub(crate) fn map_value(entry: &FieldRef) -> Option<&FieldRef> {
    match entry.data_type() {
        DataType::Struct(pair) => pair.get(1),
        _ => None,
    }
}

fn scalar_fits(value: &Value, data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean => value.is_boolean(),
        DataType::Int8 => within(value, i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => within(value, i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => within(value, i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => value.is_i64(),
        DataType::Float32 | DataType::Float64 => value.is_number(),
        DataType::Utf8 => true,
        DataType::Date32 => date(value).is_some(),
        DataType::Timestamp(_, zone) => timestamp(value, zone.is_some()).is_some(),
        _ => false,
    }
}

fn within(value: &Value, least: i64, most: i64) -> bool {
    value.as_i64().is_some_and(|value| (least..=most).contains(&value))
}

/// Text as it is; other values, as in Spark, as their JSON.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// `2026-01-31`, as days since 1970.
pub(crate) fn date(value: &Value) -> Option<i32> {
    let date = NaiveDate::parse_from_str(value.as_str()?, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// `2026-01-31T12:00:00.5Z`, `2026-01-31 12:00:00` (in UTC, if the column is an instant), as microseconds since 1970.
pub(crate) fn timestamp(value: &Value, zoned: bool) -> Option<i64> {
    let text = value.as_str()?;
    let plain = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    match plain {
        Some(plain) => Some(plain.and_utc().timestamp_micros()),
        None if zoned => DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_micros()),
        None => None,
    }
}

fn wrong(value: &Value, data_type: &DataType) -> Error {
    Error::permanent(format!("expected {}, found {}", ddl::type_name(data_type), shown(value)))
}

/// A value as JSON, cut if it is long.
pub(crate) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
