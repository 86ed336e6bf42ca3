//! `window`, `session_window` and `window_time`.
//!
//! A row's window is a struct of its start and its end. Where windows overlap a row has several: then, and for sessions,
//! the plan is made so that the function itself is not evaluated as it stands.

use crate::sql::event_time::{is_window, marked_as};
use arrow::{
    array::{Array, ArrayRef, AsArray, PrimitiveArray, StructArray, TimestampMicrosecondArray},
    compute::cast,
    datatypes::{DataType, Field, FieldRef, Fields, TimeUnit, TimestampMicrosecondType},
};
use datafusion_common::{Result, ScalarValue, exec_err, plan_datafusion_err, plan_err};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, expr::ScalarFunction,
};
use std::sync::Arc;

/// The name of the function of fixed windows.
pub(crate) const WINDOW: &str = "window";
/// The name of the function of sessions.
pub(crate) const SESSION_WINDOW: &str = "session_window";
const WINDOW_TIME: &str = "window_time";

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [WINDOW, SESSION_WINDOW, WINDOW_TIME]
        .map(|name| {
            let signature = Signature::user_defined(Volatility::Immutable);
            Arc::new(ScalarUDF::new_from_impl(TimeWindow { name, signature }))
        })
        .into()
}

/// The function and its arguments, if an expression is a call of `name`.
pub(crate) fn is_time_window<'e>(expr: &'e Expr, name: &str) -> Option<&'e ScalarFunction> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == name => Some(call),
        Expr::Alias(alias) => is_time_window(&alias.expr, name),
        _ => None,
    }
}

/// Windows of one size at even distances, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    pub(crate) size: i64,
    pub(crate) slide: i64,
    /// Where one of them starts.
    pub(crate) offset: i64,
}

impl Windows {
    /// Of the arguments of `window` behind the time.
    pub(crate) fn new(arguments: &[Option<&ScalarValue>]) -> Result<Windows> {
        let micros = |at: usize| match arguments.get(at) {
            None => Ok(None),
            Some(Some(value)) => value.try_as_str().flatten().map(duration).transpose(),
            Some(None) => plan_err!("the lengths of a window are written as texts, such as '10 minutes'"),
        };
        let Some(size) = micros(0)? else {
            return plan_err!("a window has a length: window(time, '10 minutes')");
        };
        let slide = micros(1)?.unwrap_or(size);
        let windows = Windows { size, slide, offset: micros(2)?.unwrap_or(0) };
        if size <= 0 || slide <= 0 || slide > size || windows.offset.abs() >= slide {
            return plan_err!(
                "a window's length and slide are above 0, its slide is at most its length, and its start is below its slide"
            );
        }
        Ok(windows)
    }

    /// Of a call in a plan.
    pub(crate) fn of(call: &ScalarFunction) -> Result<Windows> {
        let literal = |expr: &'_ Expr| match expr {
            Expr::Literal(value, _) => Some(value.clone()),
            _ => None,
        };
        let values: Vec<_> = call.args.iter().skip(1).map(literal).collect();
        Windows::new(&values.iter().map(Option::as_ref).collect::<Vec<_>>())
    }

    /// Whether a row has one window and no more.
    pub(crate) fn tumbling(&self) -> bool {
        self.size == self.slide
    }

    /// Stretches of time that lie in each window whole or not at all.
    pub(crate) fn panes(&self) -> Windows {
        let (mut size, mut rest) = (self.size, self.slide);
        while rest != 0 {
            (size, rest) = (rest, size % rest);
        }
        Windows { size, slide: size, offset: self.offset % size }
    }

    /// The start of the last window that begins at or before a time.
    pub(crate) fn last_start(&self, micros: i64) -> i64 {
        micros.saturating_sub((micros.saturating_sub(self.offset)).rem_euclid(self.slide))
    }

    /// The starts of all windows that hold a time whose last one starts at `last`, the latest first. Where the slide does not
    /// divide the length, whether the earliest one holds it depends on the time.
    pub(crate) fn starts(&self, last: i64, micros: i64) -> impl Iterator<Item = i64> + use<> {
        let Windows { size, slide, .. } = *self;
        (0..)
            .map(move |n| last.saturating_sub(slide.saturating_mul(n)))
            .take_while(move |start| micros < start.saturating_add(size))
    }
}

/// Microseconds of Spark's text for a length of time: `10 minutes`, `1 hour 30 seconds`, `interval 5 days`.
pub(crate) fn duration(text: &str) -> Result<i64> {
    let wrong = || {
        plan_datafusion_err!(
            "{text:?} is no length of time; write for example '10 minutes' or '1 hour 30 seconds'"
        )
    };
    let mut words = text.split_whitespace().peekable();
    words.next_if(|word| word.eq_ignore_ascii_case("interval"));
    let mut sum: Option<i64> = None;
    while let Some(number) = words.next() {
        let unit = words.next().ok_or_else(wrong)?.to_lowercase();
        let micros = match unit.strip_suffix('s').unwrap_or(&unit) {
            "microsecond" => 1,
            "millisecond" => 1_000,
            "second" => 1_000_000,
            "minute" => 60_000_000,
            "hour" => 3_600_000_000,
            "day" => 86_400_000_000,
            "week" => 604_800_000_000,
            "month" | "year" => {
                return plan_err!("{text:?}: months differ in length; write the length in days, or less");
            }
            _ => return Err(wrong()),
        };
        let more = scaled(number, micros).ok_or_else(wrong)?;
        sum = Some(sum.unwrap_or(0).checked_add(more).ok_or_else(wrong)?);
    }
    sum.ok_or_else(wrong)
}

/// So many times `micros`; seconds may have a fraction.
fn scaled(number: &str, micros: i64) -> Option<i64> {
    let Some((whole, fraction)) = number.split_once('.').filter(|_| micros == 1_000_000) else {
        return number.parse::<i64>().ok()?.checked_mul(micros);
    };
    let digits = fraction.len();
    if !(1..=6).contains(&digits) || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.parse::<i64>().ok()? * 10_i64.pow(6 - digits as u32);
    let fraction = if whole.starts_with('-') { -fraction } else { fraction };
    whole.parse::<i64>().ok()?.checked_mul(micros)?.checked_add(fraction)
}

/// Microseconds of a row's text for a length of time; none if it is no such text.
pub(crate) fn length_of_time(text: &str) -> crate::Result<Option<i64>> {
    let is_month = |word: &str| ["month", "months", "year", "years"].contains(&word.to_lowercase().as_str());
    match duration(text) {
        Ok(micros) => Ok(Some(micros)),
        Err(e) if text.split_whitespace().any(is_month) => {
            Err(crate::Error::data("the gap of a session").caused_by(e))
        }
        Err(_) => Ok(None),
    }
}

/// The type of a window of times of this type.
pub(crate) fn window_type(time: &DataType) -> DataType {
    let part = |name| Field::new(name, time.clone(), true);
    DataType::Struct(Fields::from(vec![part("start"), part("end")]))
}

/// Windows from their starts, in microseconds, and their ends.
pub(crate) fn windows(
    of: &DataType,
    starts: TimestampMicrosecondArray,
    ends: TimestampMicrosecondArray,
) -> Result<ArrayRef> {
    let DataType::Struct(fields) = of else { return exec_err!("a window is a struct") };
    let nulls = starts.nulls().cloned();
    let parts = [starts, ends]
        .into_iter()
        .zip(fields)
        .map(|(part, field)| Ok(cast(&with_zone(part, field.data_type()), field.data_type())?));
    Ok(Arc::new(StructArray::try_new(fields.clone(), parts.collect::<Result<_>>()?, nulls)?))
}

/// The instants with the zone of another type: the same instants.
fn with_zone(times: TimestampMicrosecondArray, of: &DataType) -> ArrayRef {
    match of {
        DataType::Timestamp(_, zone) => Arc::new(times.with_timezone_opt(zone.clone())),
        _ => Arc::new(times),
    }
}

/// The instants of a column of times, in microseconds.
pub(crate) fn micros(times: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let DataType::Timestamp(unit, zone) = times.data_type() else {
        return exec_err!("a time is expected, not {}", times.data_type());
    };
    let times = match unit {
        TimeUnit::Microsecond => times.clone(),
        _ => cast(times, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?,
    };
    Ok(times.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(None::<&str>))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeWindow {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for TimeWindow {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        let (Some(first), rest) = (of.first(), of.get(1..).unwrap_or_default()) else {
            return plan_err!("{}() needs the column of times", self.name);
        };
        match (self.name, first) {
            (WINDOW_TIME, first) if is_window(first) && rest.is_empty() => Ok(of.to_vec()),
            (WINDOW_TIME, _) => plan_err!("window_time(w) is of a window, not of {first}"),
            // A window over windows is over the last instant of each.
            (_, DataType::Timestamp(..)) => {
                Ok([first.clone()].into_iter().chain(rest.iter().map(|_| DataType::Utf8)).collect())
            }
            (_, window) if is_window(window) => {
                Ok([first.clone()].into_iter().chain(rest.iter().map(|_| DataType::Utf8)).collect())
            }
            (name, _) => plan_err!("{name}() is of a column of type TIMESTAMP, not of {first}"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{}() needs to know its fields", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let Some(first) = args.arg_fields.first() else { return plan_err!("{}() needs a column", self.name) };
        let time = match first.data_type() {
            DataType::Struct(parts) => parts.first().map_or(DataType::Null, |part| part.data_type().clone()),
            time => time.clone(),
        };
        if self.name == WINDOW {
            Windows::new(args.scalar_arguments.get(1..).unwrap_or_default())?;
        }
        let of = if self.name == WINDOW_TIME { time } else { window_type(&time) };
        Ok(Arc::new(marked_as(Field::new(self.name, of, true), first)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(first) = args.args.first() else { return exec_err!("{}() needs a column", self.name) };
        let first = first.to_array(args.number_rows)?;
        let of = args.return_field.data_type();
        match self.name {
            WINDOW_TIME => Ok(cast(&with_zone(last_instants(&first)?, of), of)?.into()),
            WINDOW => {
                let times = instants(&first)?;
                let literals: Vec<Option<ScalarValue>> = args
                    .args
                    .iter()
                    .skip(1)
                    .map(|arg| match arg {
                        ColumnarValue::Scalar(value) => Some(value.clone()),
                        ColumnarValue::Array(_) => None,
                    })
                    .collect();
                let fixed = Windows::new(&literals.iter().map(Option::as_ref).collect::<Vec<_>>())?;
                if !fixed.tumbling() {
                    return exec_err!("windows that overlap are expanded, not evaluated");
                }
                let starts: TimestampMicrosecondArray =
                    PrimitiveArray::unary(&times, |t| fixed.last_start(t));
                let ends = PrimitiveArray::unary(&starts, |start: i64| start.saturating_add(fixed.size));
                Ok(windows(of, starts, ends)?.into())
            }
            name => exec_err!("{name}() stands in GROUP BY alone"),
        }
    }
}

/// The instants of times, or the last instants of windows.
pub(crate) fn instants(of: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    if is_window(of.data_type()) { last_instants(of) } else { micros(of) }
}

/// The last instant of each window.
fn last_instants(of: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let Some(windows) = of.as_struct_opt() else { return exec_err!("a window is a struct") };
    let ends = micros(windows.column(1))?;
    let nulls = arrow::buffer::NullBuffer::union(windows.nulls(), ends.nulls());
    let ends = TimestampMicrosecondArray::try_new(ends.values().clone(), nulls)?;
    Ok(PrimitiveArray::unary(&ends, |end: i64| end - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn windows(size: i64, slide: i64, offset: i64) -> Windows {
        Windows { size: size * MINUTE, slide: slide * MINUTE, offset: offset * MINUTE }
    }

    fn starts(of: Windows, minute: i64) -> Vec<i64> {
        let micros = minute * MINUTE;
        of.starts(of.last_start(micros), micros).map(|start| start / MINUTE).collect()
    }

    #[test]
    fn a_time_is_in_every_window_that_begins_at_most_its_length_before() {
        assert_eq!(starts(windows(10, 10, 0), 27), [20]);
        assert_eq!(starts(windows(10, 5, 0), 27), [25, 20]);
        assert_eq!(starts(windows(10, 4, 0), 27), [24, 20]);
        assert_eq!(starts(windows(10, 4, 0), 25), [24, 20, 16]);
        assert_eq!(starts(windows(10, 10, 3), 27), [23]);
    }

    #[test]
    fn before_1970_windows_are_aligned_as_after_it() {
        assert_eq!(starts(windows(10, 10, 0), -1), [-10]);
        assert_eq!(starts(windows(10, 5, 0), -10), [-10, -15]);
    }

    #[test]
    fn lengths_are_read_as_spark_reads_them() {
        assert_eq!(duration("10 minutes").unwrap(), 10 * MINUTE);
        assert_eq!(duration("interval 1 hour 30 seconds").unwrap(), 60 * MINUTE + MINUTE / 2);
        assert_eq!(duration("-1.25 seconds 1 day").unwrap(), 86_398_750_000);
        for wrong in ["", "1.5 minutes", "1. seconds", "10", "ten minutes", "1 month", "9999999999999 weeks"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
