//! Dates and times as Spark reckons with them: in the time zone of the pipeline, from -9999 to 9999.

mod between;
mod calendar;
mod convert;
mod parse;
mod parts;
mod pattern;
mod truncate;

use super::zone;
use crate::sql::types::timestamp;
use arrow::{
    array::{Array, ArrayRef, AsArray, Date32Array, TimestampMicrosecondArray},
    datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType},
};
use datafusion_common::{Result, config::ConfigOptions, exec_datafusion_err, exec_err};
use datafusion_expr::ScalarUDF;
use jiff::{civil::DateTime, tz::TimeZone};
use std::sync::Arc;

pub(super) use self::pattern::Pattern;
pub(crate) use self::{between::plus_interval, parts::part};

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let mut all = parts::functions();
    all.extend(truncate::functions());
    all.extend(calendar::functions());
    all.extend(between::functions());
    all.extend(convert::functions());
    all.extend(parse::functions());
    all
}

/// A time: a date or a text is cast to one.
fn one_time(of: &[DataType]) -> Option<Vec<DataType>> {
    let [of] = of else { return None };
    Some(vec![as_time(of)?])
}

fn as_time(of: &DataType) -> Option<DataType> {
    match of {
        DataType::Timestamp(_, None) => Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Null => Some(timestamp()),
        of if of.is_string() => Some(timestamp()),
        _ => None,
    }
}

fn as_date(of: &DataType) -> Option<DataType> {
    let known = matches!(of, DataType::Timestamp(..) | DataType::Date32 | DataType::Null) || of.is_string();
    known.then_some(DataType::Date32)
}

fn as_int(of: &DataType) -> Option<DataType> {
    (of.is_integer() || of.is_null()).then_some(DataType::Int32)
}

fn as_text(of: &DataType) -> Option<DataType> {
    super::function::is_text(of).then_some(DataType::Utf8)
}

/// What a clock shows at each of the times of a column, in the pipeline's zone; of times without a zone, these.
fn shown(times: &ArrayRef, options: &ConfigOptions) -> Result<Vec<Option<DateTime>>> {
    let zone = zone_of(times, options)?;
    micros(times)?.iter().map(|time| time.map(|micros| local(micros, &zone)).transpose()).collect()
}

/// The zone in which times of this type are shown.
fn zone_of(times: &ArrayRef, options: &ConfigOptions) -> Result<TimeZone> {
    match times.data_type() {
        DataType::Timestamp(_, Some(_)) => zone::session(options),
        _ => Ok(TimeZone::UTC),
    }
}

fn local(micros: i64, zone: &TimeZone) -> Result<DateTime> {
    zone::local(micros, zone).ok_or_else(|| outside(micros))
}

fn outside(micros: i64) -> datafusion_common::DataFusionError {
    exec_datafusion_err!("a time {micros} µs from 1970 is not of the years from -9999 to 9999")
}

fn micros(times: &ArrayRef) -> Result<&TimestampMicrosecondArray> {
    match times.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(micros) => Ok(micros),
        None => exec_err!("times are expected, not {}", times.data_type()),
    }
}

fn dates(of: &ArrayRef) -> &Date32Array {
    of.as_primitive::<Date32Type>()
}

/// Whether every value of a row is there.
fn complete(columns: &[ArrayRef], row: usize) -> bool {
    columns.iter().all(|column| column.is_valid(row))
}
