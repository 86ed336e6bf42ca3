//! `date_trunc` and `trunc`: the beginning of the hour, the month, the year.

use super::{as_date, as_text, as_time, dates, local, micros, outside, zone_of};
use crate::sql::functions::{function::function, zone};
use arrow::{
    array::{Array, AsArray, Date32Array, TimestampMicrosecondArray},
    datatypes::DataType,
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ScalarUDF;
use jiff::{
    ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use std::sync::Arc;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let trunc = function(
        "trunc(date, unit)",
        |of| match of {
            [date, unit] => Some(vec![as_date(date)?, as_text(unit)?]),
            _ => None,
        },
        |_| DataType::Date32,
        |columns, _| {
            let [days, units] = columns else { return exec_err!("trunc(date, unit)") };
            let rows = dates(days).iter().zip(units.as_string::<i32>());
            let rows = rows.map(|(day, unit)| first_day(zone::date(day?)?, unit?).map(zone::days));
            Ok(Arc::new(rows.collect::<Date32Array>()))
        },
    );
    let date_trunc = function(
        "date_trunc(unit, time)",
        |of| match of {
            [unit, time] => Some(vec![as_text(unit)?, as_time(time)?]),
            _ => None,
        },
        |of| of.get(1).cloned().unwrap_or(DataType::Null),
        |columns, options| {
            let [units, times] = columns else { return exec_err!("date_trunc(unit, time)") };
            let zone = zone_of(times, options)?;
            let rows =
                micros(times)?.iter().zip(units.as_string::<i32>()).map(|(time, unit)| match (time, unit) {
                    (Some(time), Some(unit)) => beginning(time, unit, &zone),
                    _ => Ok(None),
                });
            let rows = rows.collect::<Result<TimestampMicrosecondArray>>()?;
            Ok(Arc::new(rows.with_data_type(times.data_type().clone())))
        },
    );
    vec![trunc, date_trunc]
}

/// The first day of the week, month, quarter or year of a day; none for another unit.
fn first_day(day: Date, unit: &str) -> Option<Date> {
    match unit.to_lowercase().as_str() {
        "week" => day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()).ok(),
        "month" | "mon" | "mm" => Some(day.first_of_month()),
        "quarter" => Date::new(day.year(), (day.month() - 1) / 3 * 3 + 1, 1).ok(),
        "year" | "yyyy" | "yy" => Some(day.first_of_year()),
        _ => None,
    }
}

/// The beginning of the unit of a time; none for another unit, as in Spark.
fn beginning(time: i64, unit: &str, zone: &TimeZone) -> Result<Option<i64>> {
    let length = match unit.to_lowercase().as_str() {
        "microsecond" => 1,
        "millisecond" => 1_000,
        "second" => 1_000_000,
        "minute" => return shown_beginning(time, zone, |shown| shown.with().second(0)),
        "hour" => return shown_beginning(time, zone, |shown| shown.with().second(0).minute(0)),
        "day" | "dd" => return midnight(time, zone, Some),
        unit => return midnight(time, zone, |day| first_day(day, unit)),
    };
    Ok(Some(time - time.rem_euclid(length)))
}

/// What a clock showed when the unit began, as far from the time as the clock shows it: an hour that comes twice has two beginnings.
fn shown_beginning(
    time: i64,
    zone: &TimeZone,
    set: impl Fn(DateTime) -> jiff::civil::DateTimeWith,
) -> Result<Option<i64>> {
    let shown = local(time, zone)?;
    let Ok(began) = set(shown).subsec_nanosecond(0).build() else { return Err(outside(time)) };
    Ok(Some(time - (zone::of_clock(shown) - zone::of_clock(began))))
}

fn midnight(time: i64, zone: &TimeZone, day: impl Fn(Date) -> Option<Date>) -> Result<Option<i64>> {
    let Some(day) = day(local(time, zone)?.date()) else { return Ok(None) };
    Ok(Some(zone::instant(day.at(0, 0, 0, 0), zone)))
}
