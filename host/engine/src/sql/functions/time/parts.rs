//! The parts of a time: year, hour, day of the week.

use super::{as_date, as_text, as_time, dates, one_time, shown};
use crate::sql::functions::{function::function, zone};
use arrow::{
    array::{Array, ArrayRef, AsArray, Decimal128Array, Int32Array, StringArray},
    datatypes::DataType,
};
use datafusion_common::{Result, config::ConfigOptions, exec_datafusion_err, exec_err, plan_err};
use datafusion_expr::{Expr, ScalarUDF};
use jiff::civil::DateTime;
use std::sync::{Arc, LazyLock};

/// `date_part(part, time)` and `extract(part FROM time)`, of which a part of the second is exact: a decimal.
static DATE_PART: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    function(
        "date_part(part, time)",
        |of| match of {
            [part, time] => Some(vec![as_text(part)?, as_time(time)?]),
            _ => None,
        },
        |_| DataType::Int32,
        |columns, options| {
            let [parts, times] = columns else { return exec_err!("date_part(part, time)") };
            let parts = parts.as_string::<i32>();
            let numbers = shown(times, options)?.into_iter().enumerate().map(|(row, time)| match time {
                Some(time) if parts.is_valid(row) => number(parts.value(row), time).map(Some),
                _ => Ok(None),
            });
            Ok(Arc::new(numbers.collect::<Result<Int32Array>>()?))
        },
    )
});

static SECONDS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    function(
        "seconds(time)",
        one_time,
        |_| DataType::Decimal128(8, 6),
        |columns, options| {
            let [times] = columns else { return exec_err!("seconds(time)") };
            let micros = |time: DateTime| {
                i128::from(time.second()) * 1_000_000 + i128::from(time.subsec_nanosecond() / 1000)
            };
            let seconds = shown(times, options)?.into_iter().map(|time| time.map(micros));
            Ok(Arc::new(seconds.collect::<Decimal128Array>().with_precision_and_scale(8, 6)?))
        },
    )
});

/// `extract(part FROM of)`.
pub(crate) fn part(part: &str, of: Expr) -> Result<Expr> {
    let name = part.to_lowercase();
    if ["second", "seconds", "s", "sec", "secs"].contains(&name.as_str()) {
        return Ok(SECONDS.call(vec![of]));
    }
    match number(&name, DateTime::ZERO) {
        Ok(_) => Ok(DATE_PART.call(vec![datafusion_expr::lit(name), of])),
        Err(e) => plan_err!("{}", e.strip_backtrace()),
    }
}

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let name = |usage, run| function(usage, |of| Some(vec![as_date(of.first()?)?]), |_| DataType::Utf8, run);
    vec![
        DATE_PART.clone(),
        name("dayname(date)", |columns, options| names(columns, options, "%a")),
        name("monthname(date)", |columns, options| names(columns, options, "%b")),
    ]
}

fn names(columns: &[ArrayRef], _: &ConfigOptions, format: &str) -> Result<ArrayRef> {
    let [days] = columns else { return exec_err!("a date is expected") };
    let names = dates(days).iter().map(|day| Some(zone::date(day?)?.strftime(format).to_string()));
    Ok(Arc::new(names.collect::<StringArray>()))
}

/// A part of a time, by its name.
fn number(part: &str, time: DateTime) -> Result<i32> {
    let week = time.date().iso_week_date();
    Ok(match part {
        "year" | "y" | "years" | "yr" | "yrs" => time.year().into(),
        "yearofweek" => week.year().into(),
        "quarter" | "qtr" => i32::from((time.month() + 2) / 3),
        "month" | "mon" | "mons" | "months" => time.month().into(),
        "week" | "w" | "weeks" | "weekofyear" => week.week().into(),
        "day" | "d" | "days" | "dayofmonth" => time.day().into(),
        "dayofweek" | "dow" => time.weekday().to_sunday_one_offset().into(),
        "dayofweek_iso" | "dow_iso" => time.weekday().to_monday_one_offset().into(),
        "weekday" => time.weekday().to_monday_zero_offset().into(),
        "dayofyear" | "doy" => time.day_of_year().into(),
        "hour" | "h" | "hours" | "hr" | "hrs" => time.hour().into(),
        "minute" | "m" | "min" | "mins" | "minutes" => time.minute().into(),
        "wholesecond" => time.second().into(),
        part => {
            return Err(exec_datafusion_err!(
                "a time has no part {part:?}; it has year, quarter, month, week, day, dayofweek, dayofyear, hour, minute, second"
            ));
        }
    })
}
