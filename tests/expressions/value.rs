//! Values and types as the recorded answers have them.

use arrow::{
    array::{Array, AsArray},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, TimeUnit, TimestampMicrosecondType,
    },
};
use jiff::{Timestamp, civil::date};
use serde_json::{Map, Value, json};

/// The value of a row: what JSON has no number for is a text, binary is hexadecimal, a map is a list of pairs.
pub(super) fn value(of: &dyn Array, row: usize) -> Value {
    if of.is_null(row) {
        return Value::Null;
    }
    match of.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => of.as_boolean().value(row).into(),
        DataType::Int8 => of.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => of.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => of.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => of.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float32 => double(of.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => double(of.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => of.as_primitive::<Decimal128Type>().value_as_string(row).into(),
        DataType::Utf8 => of.as_string::<i32>().value(row).into(),
        DataType::Binary => {
            of.as_binary::<i32>().value(row).iter().map(|b| format!("{b:02X}")).collect::<String>().into()
        }
        DataType::Date32 => day(of.as_primitive::<Date32Type>().value(row)).into(),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = of.as_primitive::<TimestampMicrosecondType>().value(row);
            let time =
                Timestamp::from_microsecond(micros).map_or(format!("{micros} µs"), |t| format!("{t:.6}"));
            if zone.is_some() { time } else { time.trim_end_matches('Z').to_owned() }.into()
        }
        DataType::List(_) => elements(of.as_list::<i32>().value(row).as_ref()),
        DataType::Map(..) => pairs(&of.as_map().value(row)),
        DataType::Struct(fields) => {
            let columns = of.as_struct().columns().iter();
            let named =
                fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), value(column, row)));
            Value::Object(named.collect::<Map<_, _>>())
        }
        other => format!("a value of type {other}").into(),
    }
}

fn elements(of: &dyn Array) -> Value {
    (0..of.len()).map(|row| value(of, row)).collect()
}

fn pairs(entries: &arrow::array::StructArray) -> Value {
    let pair = |row| json!([value(entries.column(0), row), value(entries.column(1), row)]);
    let mut pairs: Vec<Value> = (0..entries.len()).map(pair).collect();
    // The entries of a map are in no order.
    pairs.sort_by_key(Value::to_string);
    pairs.into()
}

fn double(number: f64) -> Value {
    match number {
        n if n.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        n => n.into(),
    }
}

fn day(number: i32) -> String {
    let span = jiff::Span::new().try_days(number);
    let day = span.and_then(|span| date(1970, 1, 1).checked_add(span));
    day.map_or(format!("day {number}"), |day| day.to_string())
}

/// Whether two values are the same; doubles may differ in their last digits, as libraries of mathematics do.
pub(super) fn same(spark: &Value, ours: &Value) -> bool {
    match (spark, ours) {
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) if a.is_f64() || b.is_f64() => {
                let close = (x - y).abs() <= 1e-14 * x.abs().max(y.abs());
                close && x.is_sign_negative() == y.is_sign_negative()
            }
            _ => a == b,
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => spark == ours,
    }
}
