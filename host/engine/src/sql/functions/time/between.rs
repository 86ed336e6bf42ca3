//! Times moved by a length of time, and the length between two.

use super::{as_int, as_text, as_time, local, micros, outside, shown, zone_of};
use crate::sql::{
    functions::{function::function, zone},
    types::timestamp,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, TimestampMicrosecondArray},
    datatypes::{DataType, Int32Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit},
};
use datafusion_common::{Result, config::ConfigOptions, exec_datafusion_err, exec_err};
use datafusion_expr::{Expr, ScalarUDF};
use jiff::{Span, Unit, civil::DateTime, tz::TimeZone};
use std::sync::{Arc, LazyLock};

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        function("timestampadd(unit, number, time)", unit_number_time, |_| timestamp(), add),
        function("timestampdiff(unit, start, end)", unit_and_times, |_| DataType::Int64, difference),
    ]
}

fn unit_number_time(of: &[DataType]) -> Option<Vec<DataType>> {
    let [unit, number, time] = of else { return None };
    Some(vec![as_text(unit)?, as_int(number)?, as_time(time)?])
}

fn unit_and_times(of: &[DataType]) -> Option<Vec<DataType>> {
    let [unit, start, end] = of else { return None };
    Some(vec![as_text(unit)?, as_time(start)?, as_time(end)?])
}

/// So many of a unit.
fn length(unit: &str, number: i32) -> Result<IntervalMonthDayNano> {
    let n = i64::from(number);
    let months = |each: i32| number.checked_mul(each).map(|months| IntervalMonthDayNano::new(months, 0, 0));
    let days = |each: i32| number.checked_mul(each).map(|days| IntervalMonthDayNano::new(0, days, 0));
    let nanos = |each: i64| n.checked_mul(each).map(|nanos| IntervalMonthDayNano::new(0, 0, nanos));
    let length = match unit.to_lowercase().as_str() {
        "microsecond" => nanos(1_000),
        "millisecond" => nanos(1_000_000),
        "second" => nanos(1_000_000_000),
        "minute" => nanos(60_000_000_000),
        "hour" => nanos(3_600_000_000_000),
        "day" | "dayofyear" => days(1),
        "week" => days(7),
        "month" => months(1),
        "quarter" => months(3),
        "year" => months(12),
        unit => return exec_err!("{unit:?} is no unit of time; write for example DAY or HOUR"),
    };
    length.ok_or_else(|| exec_datafusion_err!("{number} {unit} are too long a time"))
}

/// The time that is later by months, then days, as a clock in `zone` shows them, then by what is exact.
fn later(time: i64, by: IntervalMonthDayNano, zone: &TimeZone) -> Result<i64> {
    let mut moved = Some(time);
    if by.months != 0 || by.days != 0 {
        let span = Span::new().try_months(by.months).and_then(|span| span.try_days(by.days));
        let shown = span.and_then(|span| local(time, zone).unwrap_or(DateTime::MAX).checked_add(span));
        moved = shown.ok().map(|shown| zone::instant(shown, zone));
    }
    let moved = moved.and_then(|moved| moved.checked_add(by.nanoseconds / 1000));
    moved.ok_or_else(|| outside(time))
}

fn add(columns: &[ArrayRef], options: &ConfigOptions) -> Result<ArrayRef> {
    let [units, numbers, times] = columns else { return exec_err!("timestampadd(unit, number, time)") };
    let zone = zone_of(times, options)?;
    let (units, numbers, micros) =
        (units.as_string::<i32>(), numbers.as_primitive::<Int32Type>(), micros(times)?);
    let rows = (0..times.len()).map(|row| {
        if !super::complete(columns, row) {
            return Ok(None);
        }
        later(micros.value(row), length(units.value(row), numbers.value(row))?, &zone).map(Some)
    });
    times_of(rows)
}

fn times_of(rows: impl Iterator<Item = Result<Option<i64>>>) -> Result<ArrayRef> {
    let times = rows.collect::<Result<TimestampMicrosecondArray>>()?;
    Ok(Arc::new(times.with_data_type(timestamp())))
}

static PLUS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    function(
        "time_plus(time, interval)",
        |of| match of {
            [time, _] => Some(vec![as_time(time)?, DataType::Interval(IntervalUnit::MonthDayNano)]),
            _ => None,
        },
        |_| timestamp(),
        |columns, options| plus(columns, options, false),
    )
});

static MINUS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    function(
        "time_minus(time, interval)",
        |of| match of {
            [time, _] => Some(vec![as_time(time)?, DataType::Interval(IntervalUnit::MonthDayNano)]),
            _ => None,
        },
        |_| timestamp(),
        |columns, options| plus(columns, options, true),
    )
});

/// `time + interval`, or `time - interval`, by the clock of the pipeline's zone.
pub(crate) fn plus_interval(time: Expr, interval: Expr, minus: bool) -> Expr {
    if minus { MINUS.call(vec![time, interval]) } else { PLUS.call(vec![time, interval]) }
}

fn plus(columns: &[ArrayRef], options: &ConfigOptions, minus: bool) -> Result<ArrayRef> {
    let [times, intervals] = columns else { return exec_err!("a time and an interval are expected") };
    let zone = zone_of(times, options)?;
    let sign = if minus { -1 } else { 1 };
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    times_of(micros(times)?.iter().zip(intervals).map(|row| match row {
        (Some(time), Some(by)) => {
            let by =
                IntervalMonthDayNano::new(sign * by.months, sign * by.days, i64::from(sign) * by.nanoseconds);
            later(time, by, &zone).map(Some)
        }
        _ => Ok(None),
    }))
}

/// Whole units between two times, as a clock shows them.
fn difference(columns: &[ArrayRef], options: &ConfigOptions) -> Result<ArrayRef> {
    let [units, starts, ends] = columns else { return exec_err!("timestampdiff(unit, start, end)") };
    let (starts, ends) = (shown(starts, options)?, shown(ends, options)?);
    let rows = units.as_string::<i32>().iter().zip(starts).zip(ends).map(|row| match row {
        ((Some(unit), Some(start)), Some(end)) => whole_units(unit, start, end).map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(rows.collect::<Result<Int64Array>>()?))
}

fn whole_units(unit: &str, start: DateTime, end: DateTime) -> Result<i64> {
    let of = length(unit, 1)?;
    if of.months > 0 {
        let months = start.until((Unit::Month, end)).map(|span| i64::from(span.get_months()));
        let months = months.map_err(|e| exec_datafusion_err!("{start} to {end}: {e}"))?;
        return Ok(months / i64::from(of.months));
    }
    let one = i64::from(of.days) * zone::DAY + of.nanoseconds / 1000;
    Ok((zone::of_clock(end) - zone::of_clock(start)) / one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_as_long_as_the_clock_says_and_an_hour_is_an_hour() {
        let zone = zone::named("America/New_York").unwrap();
        let noon = zone::instant(jiff::civil::date(2025, 3, 8).at(12, 0, 0, 0), &zone);
        let hours = |by| (later(noon, by, &zone).unwrap() - noon) / 3_600_000_000;
        assert_eq!(hours(length("DAY", 1).unwrap()), 23);
        assert_eq!(hours(length("hour", 24).unwrap()), 24);
        assert_eq!(hours(length("month", -1).unwrap()), -28 * 24);
    }
}
