//! Between numbers, dates and times.

use super::{super::zone, How, made};
use crate::sql::types::name_of;
use arrow::{
    array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, PrimitiveArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    },
};
use datafusion_common::{Result, exec_err};
use jiff::tz::TimeZone;
use std::sync::Arc;

const SECOND: i64 = 1_000_000;

pub(super) fn cast(values: &ArrayRef, to: &DataType, how: &How) -> Result<ArrayRef> {
    match (values.data_type(), to) {
        (DataType::Timestamp(unit, zone), _) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            let values =
                if *unit == TimeUnit::Microsecond { values.clone() } else { arrows(values, &micros, how)? };
            of_times(&values, &zone_of(zone.is_some(), how), to, how)
        }
        (DataType::Date32, DataType::Timestamp(_, zone)) => {
            let zone = &zone_of(zone.is_some(), how);
            made::<Date32Type, TimestampMicrosecondType>(values, to, how, |days| {
                Some(zone::instant(zone::date(days)?.at(0, 0, 0, 0), zone))
            })
        }
        (DataType::Decimal128(_, scale), _) => {
            let one = 10_i128.pow(u32::from(scale.unsigned_abs()));
            made::<Decimal128Type, TimestampMicrosecondType>(values, to, how, |n| {
                i64::try_from(n.checked_mul(i128::from(SECOND))? / one).ok()
            })
        }
        (from, _) if from.is_floating() => {
            let seconds = arrows(values, &DataType::Float64, how)?;
            made::<Float64Type, TimestampMicrosecondType>(&seconds, to, how, |seconds| {
                let micros = seconds * SECOND as f64;
                (micros >= i64::MIN as f64 && micros < i64::MAX as f64).then_some(micros as i64)
            })
        }
        (from, _) if from.is_integer() => {
            let seconds = arrows(values, &DataType::Int64, how)?;
            made::<Int64Type, TimestampMicrosecondType>(&seconds, to, how, |n| Some(n.saturating_mul(SECOND)))
        }
        (from, to) => exec_err!("a value of type {} cannot be cast to {}", name_of(from), name_of(to)),
    }
}

/// The zone in which times are shown; those that have none are shown as they are.
fn zone_of(zoned: bool, how: &How) -> TimeZone {
    if zoned { how.zone.clone() } else { TimeZone::UTC }
}

/// From times in microseconds.
fn of_times(values: &ArrayRef, zone: &TimeZone, to: &DataType, how: &How) -> Result<ArrayRef> {
    match to {
        DataType::Date32 => made::<TimestampMicrosecondType, Date32Type>(values, to, how, |micros| {
            Some(zone::days(zone::local(micros, zone)?.date()))
        }),
        // What a clock shows, and the instant at which it shows that.
        DataType::Timestamp(_, None) => {
            made::<TimestampMicrosecondType, TimestampMicrosecondType>(values, to, how, |micros| {
                Some(zone::of_clock(zone::local(micros, zone)?))
            })
        }
        DataType::Timestamp(_, Some(_)) => {
            made::<TimestampMicrosecondType, TimestampMicrosecondType>(values, to, how, |micros| {
                Some(zone::instant(zone::local(micros, zone)?, &how.zone))
            })
        }
        DataType::Decimal128(_, scale) => {
            let one = 10_i128.checked_pow(u32::from(scale.unsigned_abs())).unwrap_or(1);
            let seconds = |micros: i64| i128::from(micros).checked_mul(one).map(|n| n / i128::from(SECOND));
            made::<TimestampMicrosecondType, Decimal128Type>(values, to, how, seconds)
        }
        DataType::Float32 | DataType::Float64 => {
            let times = values.as_primitive::<TimestampMicrosecondType>();
            let seconds: Float64Array = PrimitiveArray::unary(times, |micros| micros as f64 / SECOND as f64);
            arrows(&(Arc::new(seconds) as ArrayRef), to, how)
        }
        _ => {
            let seconds = unary::<Int64Type>(values, |micros| micros.div_euclid(SECOND));
            arrows(&seconds, to, how)
        }
    }
}

fn unary<T: ArrowPrimitiveType>(values: &ArrayRef, f: impl Fn(i64) -> T::Native) -> ArrayRef {
    let made: PrimitiveArray<T> = PrimitiveArray::unary(values.as_primitive::<TimestampMicrosecondType>(), f);
    Arc::new(made)
}

fn arrows(values: &ArrayRef, to: &DataType, how: &How) -> Result<ArrayRef> {
    Ok(cast_with_options(values, to, &CastOptions { safe: how.lenient, ..CastOptions::default() })?)
}
