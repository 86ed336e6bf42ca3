//! Arithmetic of days and months.

use super::{as_date, as_int, as_text, as_time, dates, shown};
use crate::sql::{
    functions::{function::function, zone},
    types::timestamp,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, Int32Array, TimestampMicrosecondArray},
    datatypes::{DataType, Decimal128Type, Int32Type},
};
use datafusion_common::{Result, config::ConfigOptions, exec_datafusion_err, exec_err};
use datafusion_expr::ScalarUDF;
use jiff::{
    Span, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
};
use std::sync::Arc;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let date = |_: &[DataType]| DataType::Date32;
    vec![
        function("date_add(date, days)", date_and_int, date, |columns, _| {
            moved(columns, |day, n| day.checked_add(n))
        }),
        function("date_sub(date, days)", date_and_int, date, |columns, _| {
            moved(columns, |day, n| day.checked_sub(n))
        }),
        function("add_months(date, months)", date_and_int, date, |columns, _| {
            moved(columns, |day, n| {
                Some(zone::days(zone::date(day)?.checked_add(Span::new().try_months(n).ok()?).ok()?))
            })
        }),
        function(
            "datediff(end, start)",
            two_dates,
            |_| DataType::Int32,
            |columns, _| {
                let [end, start] = columns else { return exec_err!("datediff(end, start)") };
                let days = dates(end).iter().zip(dates(start)).map(|(end, start)| end?.checked_sub(start?));
                Ok(Arc::new(days.collect::<Int32Array>()))
            },
        ),
        function(
            "last_day(date)",
            |of| Some(vec![as_date(of.first()?)?]),
            date,
            |columns, _| {
                let [days] = columns else { return exec_err!("last_day(date)") };
                let last = dates(days).iter().map(|day| Some(zone::days(zone::date(day?)?.last_of_month())));
                Ok(Arc::new(last.collect::<Date32Array>()))
            },
        ),
        function("next_day(date, weekday)", date_and_text, date, next_day),
        function("make_date(year, month, day)", three_ints, date, make_date),
        function(
            "make_timestamp(year, month, day, hour, minute, second[, zone])",
            moment,
            |_| timestamp(),
            make_timestamp,
        ),
        function("months_between(end, start[, round])", two_times, |_| DataType::Float64, months_between),
    ]
}

fn date_and_int(of: &[DataType]) -> Option<Vec<DataType>> {
    let [date, number] = of else { return None };
    Some(vec![as_date(date)?, as_int(number)?])
}

fn date_and_text(of: &[DataType]) -> Option<Vec<DataType>> {
    let [date, text] = of else { return None };
    Some(vec![as_date(date)?, as_text(text)?])
}

fn two_dates(of: &[DataType]) -> Option<Vec<DataType>> {
    let [end, start] = of else { return None };
    Some(vec![as_date(end)?, as_date(start)?])
}

fn three_ints(of: &[DataType]) -> Option<Vec<DataType>> {
    (of.len() == 3).then(|| of.iter().map(as_int).collect())?
}

fn two_times(of: &[DataType]) -> Option<Vec<DataType>> {
    let (times, round) = of.split_at_checked(2)?;
    let times: Option<Vec<DataType>> = times.iter().map(as_time).collect();
    (round.len() < 2).then(|| Some([times?, round.iter().map(|_| DataType::Boolean).collect()].concat()))?
}

fn moment(of: &[DataType]) -> Option<Vec<DataType>> {
    let (ints, rest) = of.split_at_checked(5)?;
    let ints: Vec<DataType> = ints.iter().map(as_int).collect::<Option<_>>()?;
    let second = rest.first().filter(|of| of.is_numeric() || of.is_null())?;
    let second = if second.is_null() { DataType::Null } else { DataType::Decimal128(16, 6) };
    let zone: Vec<DataType> = rest.get(1..)?.iter().map(as_text).collect::<Option<_>>()?;
    (zone.len() < 2).then(|| [ints, vec![second], zone].concat())
}

/// Days moved by a number; a day that is none any more is an error.
fn moved(columns: &[ArrayRef], by: impl Fn(i32, i32) -> Option<i32>) -> Result<ArrayRef> {
    let [days, numbers] = columns else { return exec_err!("a date and a number are expected") };
    let rows = dates(days).iter().zip(numbers.as_primitive::<Int32Type>()).map(|row| match row {
        (Some(day), Some(number)) => match by(day, number) {
            None => exec_err!("the date {number} later is out of range"),
            moved => Ok(moved),
        },
        _ => Ok(None),
    });
    Ok(Arc::new(rows.collect::<Result<Date32Array>>()?))
}

fn next_day(columns: &[ArrayRef], _: &ConfigOptions) -> Result<ArrayRef> {
    let [days, names] = columns else { return exec_err!("next_day(date, weekday)") };
    let rows = dates(days).iter().zip(names.as_string::<i32>()).map(|row| match row {
        (Some(day), Some(name)) => {
            let weekday = weekday(name).ok_or_else(|| {
                exec_datafusion_err!("'{name}' is no day of the week; write for example 'Mon' or 'MONDAY'")
            })?;
            let next = zone::date(day).and_then(|day| day.nth_weekday(1, weekday).ok());
            Ok(next.map(zone::days))
        }
        _ => Ok(None),
    });
    Ok(Arc::new(rows.collect::<Result<Date32Array>>()?))
}

fn weekday(name: &str) -> Option<Weekday> {
    let name = name.to_uppercase();
    let days = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
    let found =
        days.iter().position(|day| *day == name || [2, 3].contains(&name.len()) && day.starts_with(&name))?;
    Weekday::from_monday_zero_offset(i8::try_from(found).ok()?).ok()
}

fn make_date(columns: &[ArrayRef], _: &ConfigOptions) -> Result<ArrayRef> {
    let [years, months, days] = columns else { return exec_err!("make_date(year, month, day)") };
    let (years, months, days) = (ints(years), ints(months), ints(days));
    let rows = years.iter().zip(months).zip(days).map(|row| match row {
        ((Some(year), Some(month)), Some(day)) => {
            date_of(year, month, day).map(|date| Some(zone::days(date)))
        }
        _ => Ok(None),
    });
    Ok(Arc::new(rows.collect::<Result<Date32Array>>()?))
}

fn ints(of: &ArrayRef) -> &Int32Array {
    of.as_primitive::<Int32Type>()
}

fn date_of(year: i32, month: i32, day: i32) -> Result<Date> {
    let date = match (i16::try_from(year), i8::try_from(month), i8::try_from(day)) {
        (Ok(year), Ok(month), Ok(day)) => Date::new(year, month, day).ok(),
        _ => None,
    };
    date.ok_or_else(|| exec_datafusion_err!("there is no date {year:04}-{month:02}-{day:02}"))
}

fn make_timestamp(columns: &[ArrayRef], options: &ConfigOptions) -> Result<ArrayRef> {
    let [years, months, days, hours, minutes, seconds, zones @ ..] = columns else {
        return exec_err!("make_timestamp(year, month, day, hour, minute, second)");
    };
    let session = zone::session(options)?;
    let rows = (0..years.len()).map(|row| {
        if !super::complete(columns, row) {
            return Ok(None);
        }
        let date = date_of(ints(years).value(row), ints(months).value(row), ints(days).value(row))?;
        let second = seconds.as_primitive::<Decimal128Type>().value(row);
        let (hour, minute) = (ints(hours).value(row), ints(minutes).value(row));
        let shown = time_of(date, hour, minute, second);
        let zone = match zones.first() {
            Some(zones) => zone::named(zones.as_string::<i32>().value(row))?,
            None => session.clone(),
        };
        let time = shown.map(|shown| zone::instant(shown, &zone));
        time.map(Some).ok_or_else(|| {
            exec_datafusion_err!("there is no time {hour:02}:{minute:02} and {} seconds", second as f64 / 1e6)
        })
    });
    let rows = rows.collect::<Result<TimestampMicrosecondArray>>()?;
    Ok(Arc::new(rows.with_data_type(timestamp())))
}

/// A time of a day; 60 seconds are the next minute.
fn time_of(date: Date, hour: i32, minute: i32, micros: i128) -> Option<DateTime> {
    let minute_later = micros == 60_000_000;
    let micros = if minute_later { 0 } else { micros };
    let second = i8::try_from(micros.div_euclid(1_000_000)).ok()?;
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1000).ok()?;
    let time = Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, second, nanos).ok()?;
    date.to_datetime(time).checked_add(i64::from(minute_later).minutes()).ok()
}

/// Whole months where both are the same day of the month, or its last; otherwise a month has 31 days.
fn months_between(columns: &[ArrayRef], options: &ConfigOptions) -> Result<ArrayRef> {
    let [ends, starts, round @ ..] = columns else { return exec_err!("months_between(end, start)") };
    let rows = shown(ends, options)?.into_iter().zip(shown(starts, options)?).enumerate();
    let rows = rows.map(|(row, times)| {
        let rounded = round.first().is_none_or(|round| round.as_boolean().value(row));
        match times {
            (Some(end), Some(start)) if super::complete(round, row) => {
                let months = months(end, start);
                Some(if rounded { (months * 1e8).round() / 1e8 } else { months })
            }
            _ => None,
        }
    });
    Ok(Arc::new(rows.collect::<Float64Array>()))
}

fn months(end: DateTime, start: DateTime) -> f64 {
    let months = |time: DateTime| i32::from(time.year()) * 12 + i32::from(time.month());
    let whole = f64::from(months(end) - months(start));
    let is_last = |time: DateTime| time.day() == time.days_in_month();
    if end.day() == start.day() || is_last(end) && is_last(start) {
        return whole;
    }
    let of_day = |time: DateTime| {
        i32::from(time.hour()) * 3600 + i32::from(time.minute()) * 60 + i32::from(time.second())
    };
    let seconds = (i32::from(end.day()) - i32::from(start.day())) * 86_400 + of_day(end) - of_day(start);
    whole + f64::from(seconds) / f64::from(31 * 86_400)
}
