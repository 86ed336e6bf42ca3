//! Between times and numbers, and from the clock of one zone to that of another.

use super::{as_date, as_text, as_time, local, micros, outside};
use crate::sql::{
    functions::{
        cast::{How, cast},
        function::function,
        zone,
    },
    types::timestamp,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray, StringArray, TimestampMicrosecondArray},
    compute::cast as arrows,
    datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use datafusion_common::{Result, exec_datafusion_err, exec_err};
use datafusion_expr::ScalarUDF;
use jiff::tz::TimeZone;
use std::sync::Arc;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let long = |_: &[DataType]| DataType::Int64;
    let time = |_: &[DataType]| timestamp();
    vec![
        function("unix_seconds(time)", a_time, long, |columns, _| divided(columns, 1_000_000)),
        function("unix_millis(time)", a_time, long, |columns, _| divided(columns, 1_000)),
        function("unix_micros(time)", a_time, long, |columns, _| divided(columns, 1)),
        function("timestamp_millis(number)", a_long, time, |columns, _| multiplied(columns, 1_000)),
        function("timestamp_micros(number)", a_long, time, |columns, _| multiplied(columns, 1)),
        function("timestamp_seconds(number)", a_number, time, |columns, options| {
            cast(one(columns)?, &timestamp(), &How::new(options, false)?)
        }),
        function(
            "unix_date(date)",
            |of| Some(vec![as_date(of.first()?)?]),
            |_| DataType::Int32,
            |columns, _| {
                let days: PrimitiveArray<Int32Type> =
                    one(columns)?.as_primitive::<Date32Type>().reinterpret_cast();
                Ok(Arc::new(days))
            },
        ),
        function(
            "date_from_unix_date(days)",
            |of| Some(vec![super::as_int(of.first()?)?]),
            |_| DataType::Date32,
            |columns, _| Ok(arrows(one(columns)?, &DataType::Date32)?),
        ),
        function("from_utc_timestamp(time, zone)", time_and_zone, time, |columns, _| {
            moved(columns, |time, zone| Some(zone::of_clock(local(time, zone).ok()?)))
        }),
        function("to_utc_timestamp(time, zone)", time_and_zone, time, |columns, _| {
            moved(columns, |time, zone| Some(zone::instant(local(time, &TimeZone::UTC).ok()?, zone)))
        }),
        function(
            "current_timezone()",
            |of| of.is_empty().then(Vec::new),
            |_| DataType::Utf8,
            |_, options| {
                let name = options.execution.time_zone.clone().unwrap_or_else(|| "UTC".into());
                Ok(Arc::new(StringArray::from(vec![name])))
            },
        ),
    ]
}

fn a_time(of: &[DataType]) -> Option<Vec<DataType>> {
    super::one_time(of)
}

fn a_long(of: &[DataType]) -> Option<Vec<DataType>> {
    let [of] = of else { return None };
    (of.is_integer() || of.is_null()).then(|| vec![DataType::Int64])
}

fn a_number(of: &[DataType]) -> Option<Vec<DataType>> {
    let [of] = of else { return None };
    (of.is_numeric() || of.is_null()).then(|| vec![if of.is_null() { DataType::Int64 } else { of.clone() }])
}

fn time_and_zone(of: &[DataType]) -> Option<Vec<DataType>> {
    let [time, zone] = of else { return None };
    Some(vec![as_time(time)?, as_text(zone)?])
}

fn one(columns: &[ArrayRef]) -> Result<&ArrayRef> {
    columns.first().ok_or_else(|| exec_datafusion_err!("a value is expected"))
}

fn divided(columns: &[ArrayRef], by: i64) -> Result<ArrayRef> {
    let numbers: Int64Array = PrimitiveArray::unary(micros(one(columns)?)?, |time| time.div_euclid(by));
    Ok(Arc::new(numbers))
}

fn multiplied(columns: &[ArrayRef], by: i64) -> Result<ArrayRef> {
    let numbers = one(columns)?.as_primitive::<Int64Type>().iter().map(|number| match number {
        Some(number) => {
            let micros = number.checked_mul(by);
            micros.map(Some).ok_or_else(|| exec_datafusion_err!("{number} is too large for a time"))
        }
        None => Ok(None),
    });
    let times = numbers.collect::<Result<TimestampMicrosecondArray>>()?;
    Ok(Arc::new(times.with_data_type(timestamp())))
}

/// Times by a zone that is named beside each.
fn moved(columns: &[ArrayRef], to: impl Fn(i64, &TimeZone) -> Option<i64>) -> Result<ArrayRef> {
    let [times, zones] = columns else { return exec_err!("a time and a zone are expected") };
    let mut known: Option<(&str, TimeZone)> = None;
    let mut moved = PrimitiveArray::<TimestampMicrosecondType>::builder(times.len());
    for (time, name) in micros(times)?.iter().zip(zones.as_string::<i32>()) {
        let (Some(time), Some(name)) = (time, name) else {
            moved.append_null();
            continue;
        };
        let zone = match known.take() {
            Some((of, zone)) if of == name => zone,
            _ => zone::named(name)?,
        };
        moved.append_value(to(time, &zone).ok_or_else(|| outside(time))?);
        known = Some((name, zone));
    }
    Ok(Arc::new(moved.finish().with_data_type(timestamp())))
}
