//! Rows in PostgreSQL's binary COPY format: for each row the number of its columns, then for each value its length, -1 for
//! NULL, and its bytes, all in network order.

use super::types::PgType;
use crate::sql::connected::{
    cells::{Cells, Kind, days, micros, misfit, shown},
    database::Column,
};
use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{Decimal128Type, Float32Type, Float64Type, Int64Type},
};
use engine::{Error, Result};
use jiff::{Timestamp, tz::TimeZone};

/// What a COPY begins with: the signature, no flags, no extension.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What it ends with.
pub(super) const TRAILER: &[u8] = &(-1i16).to_be_bytes();

/// PostgreSQL counts days and microseconds from the first of January 2000.
const DAYS_TO_2000: i32 = 10_957;
const MICROS_TO_2000: i64 = 946_684_800_000_000;

/// The first day that PostgreSQL knows, 4714-11-24 BC, from 2000 on; the last is beyond what Arrow's times reach.
const FIRST_DAY: i64 = -2_451_545;
const MICROS_A_DAY: i64 = 86_400_000_000;

/// Appends the bytes of a row's value, which is not NULL; the error says why it cannot be stored.
type Put<'a> = Box<dyn Fn(usize, &mut Vec<u8>) -> Result<(), String> + 'a>;

/// Puts a value that can always be stored.
fn always<'a>(put: impl Fn(usize, &mut Vec<u8>) + 'a) -> Put<'a> {
    Box::new(move |row, out| {
        put(row, out);
        Ok(())
    })
}

/// All rows, without header and trailer.
pub(super) fn encode(into: &[Column], cells: &Cells, zone: &TimeZone) -> Result<Vec<u8>> {
    let puts = cells.columns.iter().zip(into).map(|((kind, values), column)| {
        let put = put(*kind, values, PgType::parse(&column.kind), zone);
        put.ok_or_else(|| no_way(*kind, column))
    });
    let puts: Vec<Put<'_>> = puts.collect::<Result<_>>()?;
    let count = (puts.len() as i16).to_be_bytes();
    let mut out = Vec::with_capacity(cells.rows * (2 + 16 * puts.len()));
    for row in 0..cells.rows {
        out.extend_from_slice(&count);
        for ((put, (_, values)), column) in puts.iter().zip(&cells.columns).zip(into) {
            if values.is_null(row) {
                out.extend_from_slice(&(-1i32).to_be_bytes());
                continue;
            }
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            put(row, &mut out).map_err(|why| misfit(&column.name, &why))?;
            let length = (out.len() - at - 4) as i32;
            if let Some(place) = out.get_mut(at..at + 4) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
    }
    Ok(out)
}

/// Whether values of a kind are stored in a column of this type.
pub(super) fn fits(kind: Kind, column: &Column) -> Result<()> {
    let of = PgType::parse(&column.kind);
    let fits = match (kind, of) {
        (Kind::Boolean, PgType::Boolean) | (Kind::Bytes, PgType::Bytes) | (Kind::Date, PgType::Date) => true,
        (Kind::Integer(_), PgType::Integer(_) | PgType::Float8 | PgType::Numeric(_)) => true,
        (Kind::Float32, PgType::Float4 | PgType::Float8) | (Kind::Float64, PgType::Float8) => true,
        // The server rounds what has more digits behind the point than the column, and says nothing.
        (Kind::Decimal(_, scale), PgType::Numeric(most)) => most.is_none_or(|most| scale <= most),
        (Kind::Text, PgType::Text(_) | PgType::Json | PgType::Jsonb | PgType::Uuid) => true,
        (Kind::Json, PgType::Text(None) | PgType::Json | PgType::Jsonb) => true,
        (Kind::Instant | Kind::Wall, PgType::Timestamp | PgType::Timestamptz) => true,
        _ => false,
    };
    if fits { Ok(()) } else { Err(no_way(kind, column)) }
}

fn no_way(kind: Kind, column: &Column) -> Error {
    Error::invalid(format!(
        "column {} has type {} in the table, where {} is not stored; change its type to {}, or convert the value in a step before",
        column.name,
        column.kind,
        super::types::words(kind),
        super::types::column_type(kind)
    ))
}

fn put<'a>(kind: Kind, values: &'a ArrayRef, into: PgType, zone: &TimeZone) -> Option<Put<'a>> {
    Some(match (kind, into) {
        (Kind::Boolean, PgType::Boolean) => {
            let values = values.as_boolean();
            always(|row, out| out.push(values.value(row).into()))
        }
        (Kind::Integer(_), _) => integers(values, into)?,
        (Kind::Float32 | Kind::Float64, _) => floats(kind, values, into)?,
        (Kind::Decimal(_, scale), PgType::Numeric(_)) => {
            let values = values.as_primitive::<Decimal128Type>();
            always(move |row, out| numeric(values.value(row), scale, out))
        }
        (Kind::Text | Kind::Json, _) => texts(values, into)?,
        (Kind::Bytes, PgType::Bytes) => {
            let values = values.as_binary::<i32>();
            always(|row, out| out.extend_from_slice(values.value(row)))
        }
        (Kind::Date, PgType::Date) => {
            let values = days(values);
            Box::new(|row, out| date(values.value(row), out))
        }
        (Kind::Instant | Kind::Wall, _) => times(kind, values, into, zone)?,
        _ => return None,
    })
}

fn integers<'a>(values: &'a ArrayRef, into: PgType) -> Option<Put<'a>> {
    let values = values.as_primitive::<Int64Type>();
    Some(match into {
        PgType::Integer(2) => {
            Box::new(|row, out| narrow::<i16>(values.value(row), "smallint", |v| out.extend(v.to_be_bytes())))
        }
        PgType::Integer(4) => {
            Box::new(|row, out| narrow::<i32>(values.value(row), "integer", |v| out.extend(v.to_be_bytes())))
        }
        PgType::Integer(_) => always(|row, out| out.extend(values.value(row).to_be_bytes())),
        PgType::Float8 => always(|row, out| out.extend((values.value(row) as f64).to_be_bytes())),
        PgType::Numeric(_) => always(|row, out| numeric(values.value(row).into(), 0, out)),
        _ => return None,
    })
}

fn narrow<T: TryFrom<i64>>(value: i64, of: &str, put: impl FnOnce(T)) -> Result<(), String> {
    match T::try_from(value) {
        Ok(value) => put(value),
        Err(_) => return Err(format!("{value}, which is too large for {of}; make the column a bigint")),
    }
    Ok(())
}

fn floats<'a>(kind: Kind, values: &'a ArrayRef, into: PgType) -> Option<Put<'a>> {
    Some(match (kind, into) {
        (Kind::Float32, PgType::Float4) => {
            let values = values.as_primitive::<Float32Type>();
            always(|row, out| out.extend(values.value(row).to_be_bytes()))
        }
        (Kind::Float32, PgType::Float8) => {
            let values = values.as_primitive::<Float32Type>();
            always(|row, out| out.extend(f64::from(values.value(row)).to_be_bytes()))
        }
        (Kind::Float64, PgType::Float8) => {
            let values = values.as_primitive::<Float64Type>();
            always(|row, out| out.extend(values.value(row).to_be_bytes()))
        }
        _ => return None,
    })
}

fn texts<'a>(values: &'a ArrayRef, into: PgType) -> Option<Put<'a>> {
    let values = values.as_string::<i32>();
    Some(match into {
        PgType::Text(None) => Box::new(|row, out| text(values.value(row), out)),
        PgType::Text(Some(most)) => Box::new(move |row, out| {
            let value = values.value(row);
            if value.len() > most && value.chars().count() > most {
                return Err(format!(
                    "{}, which is longer than {most} characters; make the column text",
                    shown(value)
                ));
            }
            text(value, out)
        }),
        PgType::Json => Box::new(|row, out| text(values.value(row), out)),
        PgType::Jsonb => Box::new(|row, out| {
            // The version of the format.
            out.push(1);
            text(values.value(row), out)
        }),
        PgType::Uuid => Box::new(|row, out| {
            let value = values.value(row);
            let uuid = uuid::Uuid::try_parse(value);
            let uuid = uuid.map_err(|_| format!("{}, which is no UUID", shown(value)))?;
            out.extend_from_slice(uuid.as_bytes());
            Ok(())
        }),
        _ => return None,
    })
}

fn text(value: &str, out: &mut Vec<u8>) -> Result<(), String> {
    if memchr::memchr(0, value.as_bytes()).is_some() {
        let remedy = "remove it in a step before, with replace(…, char(0), '')";
        return Err(format!(
            "{} with a character 0, which PostgreSQL does not store; {remedy}",
            shown(value)
        ));
    }
    out.extend_from_slice(value.as_bytes());
    Ok(())
}

fn date(days: i32, out: &mut Vec<u8>) -> Result<(), String> {
    let days = i64::from(days) - i64::from(DAYS_TO_2000);
    match i32::try_from(days) {
        Ok(days) if i64::from(days) >= FIRST_DAY => out.extend(days.to_be_bytes()),
        _ => return Err(format!("{days} days from 2000-01-01, which PostgreSQL does not know")),
    }
    Ok(())
}

/// A point in time, or the time of a clock on the wall. A column of the other sort gets what a clock in `zone` shows, or what is
/// meant by it there.
fn times<'a>(kind: Kind, values: &'a ArrayRef, into: PgType, zone: &TimeZone) -> Option<Put<'a>> {
    let values = micros(values);
    let zone = zone.clone();
    Some(match (kind, into) {
        (Kind::Instant, PgType::Timestamptz) | (Kind::Wall, PgType::Timestamp) => {
            Box::new(|row, out| time(values.value(row), out))
        }
        (Kind::Instant, PgType::Timestamp) => {
            Box::new(move |row, out| time(on_the_wall(values.value(row), &zone)?, out))
        }
        (Kind::Wall, PgType::Timestamptz) => {
            Box::new(move |row, out| time(in_utc(values.value(row), &zone)?, out))
        }
        _ => return None,
    })
}

fn time(micros: i64, out: &mut Vec<u8>) -> Result<(), String> {
    match micros.checked_sub(MICROS_TO_2000) {
        // The largest and the smallest number stand for infinity.
        Some(since) if since >= FIRST_DAY * MICROS_A_DAY => out.extend(since.to_be_bytes()),
        _ => {
            return Err(format!(
                "{micros} microseconds from 1970, which is before the year 4714 BC, where PostgreSQL's time begins"
            ));
        }
    }
    Ok(())
}

fn instant(micros: i64) -> Result<Timestamp, String> {
    Timestamp::from_microsecond(micros).map_err(|_| {
        format!("{micros} microseconds from 1970, which is beyond the year 9999, where time zones end")
    })
}

fn on_the_wall(micros: i64, zone: &TimeZone) -> Result<i64, String> {
    let offset = zone.to_offset(instant(micros)?);
    Ok(micros + i64::from(offset.seconds()) * 1_000_000)
}

fn in_utc(micros: i64, zone: &TimeZone) -> Result<i64, String> {
    let wall = TimeZone::UTC.to_datetime(instant(micros)?);
    let at = zone
        .to_timestamp(wall)
        .map_err(|_| format!("{wall}, which is no time in the pipeline's `time-zone`"))?;
    Ok(at.as_microsecond())
}

/// A number of units of 10^-scale in groups of four decimal digits: how many groups, the weight of the first, sign, digits behind
/// the point, groups.
fn numeric(value: i128, scale: i8, out: &mut Vec<u8>) {
    let sign: i16 = if value < 0 { 0x4000 } else { 0 };
    let mut units = value.unsigned_abs();
    // The point lies between two groups, so the last group may have fewer digits of the number than four. It is taken first:
    // filled up with zeros, 38 digits would be more than the number's type holds.
    let digits = i32::from(scale).rem_euclid(4) as u32;
    let (mut base, mut fill) =
        if digits == 0 { (10_000, 1) } else { (10_u128.pow(digits), 10_u128.pow(4 - digits)) };
    let (mut groups, mut behind) = ([0i16; 12], i32::from(scale).div_euclid(4) + i32::from(digits > 0));
    let mut count = 0;
    while units > 0 {
        let group = (units % base * fill) as i16;
        units /= base;
        (base, fill) = (10_000, 1);
        if count == 0 && group == 0 {
            behind -= 1;
            continue;
        }
        if let Some(place) = groups.get_mut(count) {
            *place = group;
        }
        count += 1;
    }
    let weight = count as i32 - behind - 1;
    for number in [count as i16, if count == 0 { 0 } else { weight as i16 }, sign, i16::from(scale.max(0))] {
        out.extend(number.to_be_bytes());
    }
    for group in groups.iter().take(count).rev() {
        out.extend(group.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a numeric as text, read as PostgreSQL reads it.
    fn read(value: i128, scale: i8) -> String {
        let mut bytes = Vec::new();
        numeric(value, scale, &mut bytes);
        let words: Vec<i16> = bytes.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
        let [count, weight, sign, scale] = words[..4] else { panic!() };
        assert_eq!(words.len(), 4 + count as usize);
        assert!(words[4..].iter().all(|group| (0..10_000).contains(group)));
        let group =
            |at: i16| words.get((4 + weight - at) as usize).filter(|_| at <= weight).copied().unwrap_or(0);
        let whole: String = (0..=weight.max(0)).rev().map(|at| format!("{:04}", group(at))).collect();
        let fraction: String = (1..=(scale + 3) / 4).map(|at| format!("{:04}", group(-at))).collect();
        let whole = whole.trim_start_matches('0');
        let sign = if sign == 0 { "" } else { "-" };
        let point = if scale > 0 { "." } else { "" };
        format!("{sign}{}{point}{}", if whole.is_empty() { "0" } else { whole }, &fraction[..scale as usize])
    }

    #[test]
    fn a_decimal_has_the_same_digits_in_groups_of_four() {
        for (value, scale, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (1, 0, "1"),
            (-12_345, 2, "-123.45"),
            (1, 10, "0.0000000001"),
            (100_000_000, 0, "100000000"),
            (1_000_000_050_000, 4, "100000005.0000"),
            (10_000, 4, "1.0000"),
            (99_999_999, 7, "9.9999999"),
            (i128::pow(10, 38) - 1, 0, "99999999999999999999999999999999999999"),
            (-(i128::pow(10, 38) - 1), 37, "-9.9999999999999999999999999999999999999"),
            (i128::pow(10, 38) - 1, 38, "0.99999999999999999999999999999999999999"),
        ] {
            assert_eq!(read(value, scale), text);
        }
    }
}
