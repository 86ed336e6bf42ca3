//! Between texts and times by a pattern: `to_timestamp`, `date_format` and their like.

use super::{as_int, as_text, as_time, micros, pattern::Pattern, zone_of};
use crate::sql::{
    functions::{
        cast::{How, cast},
        function::function,
    },
    types::timestamp,
};
use arrow::{
    array::{Array as _, ArrayRef, AsArray, Int64Array, StringArray, TimestampMicrosecondArray},
    datatypes::DataType,
};
use datafusion_common::{Result, config::ConfigOptions, exec_datafusion_err, exec_err};
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let time = |_: &[DataType]| timestamp();
    let number = |_: &[DataType]| DataType::Int64;
    let text = |_: &[DataType]| DataType::Utf8;
    vec![
        function("to_timestamp(text[, pattern])", texts, time, |columns, options| {
            times(columns, options, false)
        }),
        function("try_to_timestamp(text[, pattern])", texts, time, |columns, options| {
            times(columns, options, true)
        }),
        function(
            "to_date(text[, pattern])",
            texts,
            |_| DataType::Date32,
            |columns, options| days(columns, options, false),
        ),
        function(
            "try_to_date(text[, pattern])",
            texts,
            |_| DataType::Date32,
            |columns, options| days(columns, options, true),
        ),
        function("unix_timestamp(time[, pattern])", texts, number, seconds),
        function("to_unix_timestamp(time[, pattern])", texts, number, seconds),
        function("date_format(time, pattern)", with_pattern, text, shown),
        function("to_char(time, pattern)", of_time_alone, text, shown),
        function("to_varchar(time, pattern)", of_time_alone, text, shown),
        function("from_unixtime(seconds[, pattern])", seconds_and_pattern, text, |columns, options| {
            let times = cast(first(columns)?, &timestamp(), &How::new(options, false)?)?;
            let pattern: ArrayRef = match columns.get(1) {
                Some(pattern) => pattern.clone(),
                None => Arc::new(StringArray::from(vec![SECONDS; times.len()])),
            };
            shown(&[times, pattern], options)
        }),
    ]
}

/// The pattern of `unix_timestamp` and `from_unixtime` where none is given.
const SECONDS: &str = "yyyy-MM-dd HH:mm:ss";

/// A text, with a pattern or without; what is a time already needs none.
fn texts(of: &[DataType]) -> Option<Vec<DataType>> {
    let (first, rest) = of.split_first()?;
    let first = match first {
        DataType::Timestamp(..) | DataType::Date32 => as_time(first)?,
        first => as_text(first)?,
    };
    let rest = match rest {
        [] => Vec::new(),
        [pattern] => vec![as_text(pattern)?],
        _ => return None,
    };
    Some([vec![first], rest].concat())
}

fn with_pattern(of: &[DataType]) -> Option<Vec<DataType>> {
    let [time, pattern] = of else { return None };
    Some(vec![as_time(time)?, as_text(pattern)?])
}

/// Of numbers, whose patterns are others, there is none.
fn of_time_alone(of: &[DataType]) -> Option<Vec<DataType>> {
    match of {
        [DataType::Timestamp(..) | DataType::Date32, _] => with_pattern(of),
        _ => None,
    }
}

fn seconds_and_pattern(of: &[DataType]) -> Option<Vec<DataType>> {
    match of {
        [seconds] => as_int(seconds).map(|_| vec![DataType::Int64]),
        [seconds, pattern] => as_int(seconds).and_then(|_| Some(vec![DataType::Int64, as_text(pattern)?])),
        _ => None,
    }
}

fn first(columns: &[ArrayRef]) -> Result<&ArrayRef> {
    columns.first().ok_or_else(|| exec_datafusion_err!("a time is expected"))
}

/// The times of texts: by the pattern, or as a cast reads them.
fn times(columns: &[ArrayRef], options: &ConfigOptions, lenient: bool) -> Result<ArrayRef> {
    let of = first(columns)?;
    let how = How::new(options, lenient)?;
    let (Some(patterns), Some(texts)) = (columns.get(1), of.as_string_opt::<i32>()) else {
        return cast(of, &timestamp(), &how);
    };
    let mut known = Known::default();
    let rows = texts.iter().zip(patterns.as_string::<i32>()).map(|row| match row {
        (Some(text), Some(pattern)) => match known.of(pattern)?.read(text, &how.zone) {
            None if !lenient => exec_err!("'{text}' is not of the pattern '{pattern}'; correct it, or use try_to_timestamp to have NULL instead"),
            time => Ok(time),
        },
        _ => Ok(None),
    });
    let rows = rows.collect::<Result<TimestampMicrosecondArray>>()?;
    Ok(Arc::new(rows.with_data_type(timestamp())))
}

fn days(columns: &[ArrayRef], options: &ConfigOptions, lenient: bool) -> Result<ArrayRef> {
    let how = How::new(options, lenient)?;
    match columns {
        [of] => cast(of, &DataType::Date32, &how),
        _ => cast(&times(columns, options, lenient)?, &DataType::Date32, &how),
    }
}

/// Seconds since 1970; a part of one is dropped, before 1970 too.
fn seconds(columns: &[ArrayRef], options: &ConfigOptions) -> Result<ArrayRef> {
    let of = first(columns)?;
    let times = match (of.data_type(), columns.len()) {
        (DataType::Utf8, 1) => {
            let pattern = Arc::new(StringArray::from(vec![SECONDS; of.len()]));
            times(&[of.clone(), pattern], options, false)?
        }
        _ => times(columns, options, false)?,
    };
    let seconds = micros(&times)?.iter().map(|time| time.map(|time| time / 1_000_000));
    Ok(Arc::new(seconds.collect::<Int64Array>()))
}

/// Times as a pattern shows them.
fn shown(columns: &[ArrayRef], options: &ConfigOptions) -> Result<ArrayRef> {
    let [times, patterns] = columns else { return exec_err!("a time and a pattern are expected") };
    let zone = zone_of(times, options)?;
    let mut known = Known::default();
    let rows = micros(times)?.iter().zip(patterns.as_string::<i32>()).map(|row| match row {
        (Some(time), Some(pattern)) => {
            let shown = known.of(pattern)?.show(time, &zone);
            shown.map(Some).ok_or_else(|| super::outside(time))
        }
        _ => Ok(None),
    });
    Ok(Arc::new(rows.collect::<Result<StringArray>>()?))
}

/// The pattern of the row before, which most often is that of the next one too.
#[derive(Default)]
struct Known(Option<(String, Pattern)>);

impl Known {
    fn of(&mut self, text: &str) -> Result<&Pattern> {
        if self.0.as_ref().is_none_or(|(known, _)| known != text) {
            self.0 = Some((text.to_owned(), Pattern::new(text)?));
        }
        match &self.0 {
            Some((_, pattern)) => Ok(pattern),
            None => exec_err!("no pattern"),
        }
    }
}
