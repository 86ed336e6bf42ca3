//! One value as text, as Spark's CAST to STRING writes it.

use arrow::{
    array::{Array, ArrayAccessor, AsArray},
    datatypes::{
        ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    },
    util::display::{ArrayFormatter, FormatOptions},
};
use engine::{Kind, Result, ResultExt};
use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{self, DateTime},
    tz::{Offset, TimeZone},
};
use std::{
    fmt::{Debug, LowerExp, Write},
    ops::Range,
};

/// Appends the value of a row to the text. What it appends for a NULL is unspecified: ask the column first.
pub type Cell<'a> = Box<dyn Fn(usize, &mut String) + 'a>;

/// How values are shown where there is a choice.
#[derive(Clone, Debug)]
pub struct Style {
    /// The zone that times with a zone are shown in.
    pub zone: TimeZone,
    /// Times as `2025-01-01T00:00:00.000Z` if true, as `2025-01-01 00:00:00` if not.
    pub iso: bool,
}

/// The values of a column as text.
///
/// # Errors
///
/// [`Kind::Data`] if the column's type has no text.
pub fn cells<'a>(column: &'a dyn Array, style: &Style) -> Result<Cell<'a>> {
    Ok(match column.data_type() {
        DataType::Utf8 => strings(column.as_string::<i32>()),
        DataType::LargeUtf8 => strings(column.as_string::<i64>()),
        DataType::Utf8View => strings(column.as_string_view()),
        DataType::Float64 => primitives::<Float64Type>(column, |v, out| java_number(v, v, out)),
        DataType::Float32 => primitives::<Float32Type>(column, |v, out| java_number(v, v.into(), out)),
        DataType::Date32 => primitives::<Date32Type>(column, date),
        DataType::Decimal128(..) => {
            let values = column.as_primitive::<Decimal128Type>();
            Box::new(|row, out| out.push_str(&values.value_as_string(row)))
        }
        DataType::Timestamp(_, zone) => timestamps(column, zone.is_some(), style),
        DataType::Binary => {
            let values = column.as_binary::<i32>();
            Box::new(|row, out| hex(values.value(row), out))
        }
        DataType::List(_) | DataType::Struct(_) | DataType::Map(..) | DataType::Dictionary(..) => {
            nested(column, style)?
        }
        _ => other(column)?,
    })
}

fn nested<'a>(column: &'a dyn Array, style: &Style) -> Result<Cell<'a>> {
    if let Some(lists) = column.as_list_opt::<i32>() {
        let item = or_null(lists.values(), style)?;
        return Ok(Box::new(move |row, out| {
            bracketed("[]", span(lists.value_offsets(), row), out, |i, out| item(i, out));
        }));
    }
    if let Some(fields) = column.as_struct_opt() {
        let fields = fields.columns().iter().map(|f| or_null(f, style)).collect::<Result<Vec<_>>>()?;
        return Ok(Box::new(move |row, out| {
            bracketed("{}", fields.iter(), out, |field, out| field(row, out))
        }));
    }
    if let Some(maps) = column.as_map_opt() {
        let (key, value) = (or_null(maps.keys(), style)?, or_null(maps.values(), style)?);
        return Ok(Box::new(move |row, out| {
            bracketed("{}", span(maps.value_offsets(), row), out, |i, out| {
                key(i, out);
                out.push_str(" -> ");
                value(i, out);
            });
        }));
    }
    let dictionary = column.as_any_dictionary();
    let (keys, value) = (dictionary.normalized_keys(), cells(dictionary.values(), style)?);
    Ok(Box::new(move |row, out| keys.get(row).into_iter().for_each(|key| value(*key, out))))
}

fn other(column: &dyn Array) -> Result<Cell<'_>> {
    const OPTIONS: FormatOptions<'static> = FormatOptions::new();
    let values = ArrayFormatter::try_new(column, &OPTIONS)
        .doing(Kind::Data, || format!("a column of type {} cannot be shown as text", column.data_type()))?;
    Ok(Box::new(move |row, out| {
        let _ = write!(out, "{}", values.value(row));
    }))
}

fn strings<'a>(column: impl ArrayAccessor<Item = &'a str> + 'a) -> Cell<'a> {
    Box::new(move |row, out| out.push_str(column.value(row)))
}

fn primitives<'a, T: ArrowPrimitiveType>(
    column: &'a dyn Array,
    show: impl Fn(T::Native, &mut String) + 'a,
) -> Cell<'a> {
    let values = column.as_primitive::<T>();
    Box::new(move |row, out| show(values.value(row), out))
}

fn or_null<'a>(column: &'a dyn Array, style: &Style) -> Result<Cell<'a>> {
    let value = cells(column, style)?;
    Ok(Box::new(move |row, out| match column.is_null(row) {
        true => out.push_str("NULL"),
        false => value(row, out),
    }))
}

fn span(offsets: &[i32], row: usize) -> Range<usize> {
    let at = |row: usize| offsets.get(row).map_or(0, |o| *o as usize);
    at(row)..at(row + 1)
}

fn bracketed<T>(
    brackets: &str,
    items: impl Iterator<Item = T>,
    out: &mut String,
    show: impl Fn(T, &mut String),
) {
    let (open, close) = brackets.split_at(1);
    out.push_str(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        show(item, out);
    }
    out.push_str(close);
}

/// As Java's `Double.toString`: the shortest digits that read back the same, with an exponent outside 0.001 to 10⁷.
fn java_number<T: Debug + LowerExp>(value: T, size: f64, out: &mut String) {
    let _ = match size.abs() {
        infinite if infinite.is_infinite() => write!(out, "{}Infinity", if size < 0.0 { "-" } else { "" }),
        plain if plain == 0.0 || plain.is_nan() || (1e-3..1e7).contains(&plain) => write!(out, "{value:?}"),
        _ => {
            let text = format!("{value:e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            write!(out, "{digits}{}E{exponent}", if digits.contains('.') { "" } else { ".0" })
        }
    };
}

fn hex(bytes: &[u8], out: &mut String) {
    out.push('[');
    for (i, byte) in bytes.iter().enumerate() {
        let _ = write!(out, "{}{byte:02X}", if i > 0 { " " } else { "" });
    }
    out.push(']');
}

fn date(days: i32, out: &mut String) {
    // A date may be up to 9999-12-31, one more than a point in time.
    let since = Span::new().try_days(days).and_then(|days| civil::date(1970, 1, 1).checked_add(days));
    match since {
        Ok(date) => push_date(date.to_datetime(civil::Time::midnight()), out),
        Err(_) => out.push_str(&days.to_string()),
    }
}

fn timestamps<'a>(column: &'a dyn Array, zoned: bool, style: &Style) -> Cell<'a> {
    let style = style.clone();
    let show = move |micros, out: &mut String| timestamp(micros, zoned, &style, out);
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            primitives::<TimestampSecondType>(column, move |v, out| show(v.saturating_mul(1_000_000), out))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            primitives::<TimestampMillisecondType>(column, move |v, out| show(v.saturating_mul(1_000), out))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitives::<TimestampNanosecondType>(column, move |v, out| show(v.div_euclid(1_000), out))
        }
        _ => primitives::<TimestampMicrosecondType>(column, show),
    }
}

/// A point in time; one without a zone is shown as it stands. Outside the years −9999 to 9999: its microseconds.
fn timestamp(micros: i64, zoned: bool, style: &Style, out: &mut String) {
    let offset_at = |instant| if zoned { style.zone.to_offset(instant) } else { Offset::UTC };
    let (at, offset) = match Timestamp::from_microsecond(micros) {
        Ok(instant) => (offset_at(instant).to_datetime(instant), offset_at(instant)),
        // A `Timestamp` ends some hours before the year 9999 does, and the end of that year often stands for never.
        Err(_) => {
            let offset = offset_at(if micros > 0 { Timestamp::MAX } else { Timestamp::MIN });
            let since =
                SignedDuration::from_micros(micros) + SignedDuration::from_secs(offset.seconds().into());
            match civil::datetime(1970, 1, 1, 0, 0, 0, 0).checked_add(since) {
                Ok(at) => (at, offset),
                Err(_) => return out.push_str(&micros.to_string()),
            }
        }
    };
    push_date(at, out);
    out.push(if style.iso { 'T' } else { ' ' });
    push_time(at, out);
    push_fraction(micros.rem_euclid(1_000_000), style.iso, out);
    if style.iso && zoned {
        push_offset(offset, out);
    }
}

fn push_date(at: impl Into<jiff::civil::Date>, out: &mut String) {
    let at = at.into();
    if at.year() < 0 {
        out.push('-');
    }
    push_digits(at.year().unsigned_abs().into(), 4, out);
    out.push('-');
    push_digits(at.month().unsigned_abs().into(), 2, out);
    out.push('-');
    push_digits(at.day().unsigned_abs().into(), 2, out);
}

fn push_time(at: DateTime, out: &mut String) {
    push_digits(at.hour().unsigned_abs().into(), 2, out);
    out.push(':');
    push_digits(at.minute().unsigned_abs().into(), 2, out);
    out.push(':');
    push_digits(at.second().unsigned_abs().into(), 2, out);
}

/// ISO: three digits, six if they say more. Otherwise without trailing zeros, and nothing for a whole second.
fn push_fraction(micros: i64, iso: bool, out: &mut String) {
    let micros = micros.unsigned_abs();
    if iso && micros.is_multiple_of(1_000) {
        out.push('.');
        push_digits(micros / 1_000, 3, out);
    } else if micros != 0 {
        out.push('.');
        push_digits(micros, 6, out);
        let end = if iso { out.len() } else { out.trim_end_matches('0').len() };
        out.truncate(end);
    }
}

fn push_offset(offset: Offset, out: &mut String) {
    let minutes = offset.seconds() / 60;
    if minutes == 0 {
        return out.push('Z');
    }
    out.push(if minutes < 0 { '-' } else { '+' });
    push_digits(u64::from(minutes.unsigned_abs() / 60), 2, out);
    out.push(':');
    push_digits(u64::from(minutes.unsigned_abs() % 60), 2, out);
}

/// By hand, because this is most of what a JSON encoder does with a timestamp and `write!` takes ten times as long.
fn push_digits(value: u64, width: u32, out: &mut String) {
    for place in (0..width).rev() {
        let digit = value / 10_u64.pow(place) % 10;
        out.push(char::from(b'0' + digit as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        ArrayRef, BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Builder,
        Int64Array, ListArray, MapBuilder, StringBuilder, StructArray, TimestampMicrosecondArray,
    };
    use std::sync::Arc;

    fn shown(column: impl Array, iso: bool) -> Vec<String> {
        let style = Style { zone: TimeZone::UTC, iso };
        shown_in(&column, &style)
    }

    fn shown_in(column: &dyn Array, style: &Style) -> Vec<String> {
        let cell = or_null(column, style).unwrap();
        (0..column.len())
            .map(|row| {
                let mut text = String::new();
                cell(row, &mut text);
                text
            })
            .collect()
    }

    #[test]
    fn numbers_are_shown_as_java_shows_them() {
        let doubles = Float64Array::from(vec![
            1.0,
            63.95,
            -0.0,
            1e7,
            9_999_999.5,
            1.25e-4,
            0.001,
            1e300,
            f64::NAN,
            f64::NEG_INFINITY,
        ]);
        let expected =
            ["1.0", "63.95", "-0.0", "1.0E7", "9999999.5", "1.25E-4", "0.001", "1.0E300", "NaN", "-Infinity"];
        assert_eq!(shown(doubles, false), expected);
        assert_eq!(shown(Float32Array::from(vec![0.1, 3e10]), false), ["0.1", "3.0E10"]);
        assert_eq!(shown(Int64Array::from(vec![Some(-5), None]), false), ["-5", "NULL"]);
        let money = Decimal128Array::from(vec![150, -1]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(shown(money, false), ["1.50", "-0.01"]);
    }

    #[test]
    fn times_are_shown_plain_or_as_iso_8601() {
        let micros = vec![
            0,
            1_735_689_600_000_000,
            1_735_689_600_120_000,
            1_735_689_600_000_001,
            -1,
            253_402_300_799_999_999,
            i64::MAX,
        ];
        let naive = TimestampMicrosecondArray::from(micros.clone());
        let utc = TimestampMicrosecondArray::from(micros).with_timezone("UTC");
        let plain = [
            "1970-01-01 00:00:00",
            "2025-01-01 00:00:00",
            "2025-01-01 00:00:00.12",
            "2025-01-01 00:00:00.000001",
            "1969-12-31 23:59:59.999999",
            "9999-12-31 23:59:59.999999",
            "9223372036854775807",
        ];
        assert_eq!(shown(utc.clone(), false), plain);
        let iso = shown(utc.clone(), true);
        assert_eq!(
            iso[1..4],
            ["2025-01-01T00:00:00.000Z", "2025-01-01T00:00:00.120Z", "2025-01-01T00:00:00.000001Z"]
        );
        assert_eq!(shown(naive, true)[1], "2025-01-01T00:00:00.000");
        let kolkata = Style { zone: TimeZone::fixed(Offset::from_seconds(19_800).unwrap()), iso: true };
        assert_eq!(shown_in(&utc, &kolkata)[1], "2025-01-01T05:30:00.000+05:30");
        assert_eq!(
            shown(Date32Array::from(vec![0, 20_089, -719_529]), false)[..2],
            ["1970-01-01", "2025-01-01"]
        );
    }

    #[test]
    fn nested_values_are_shown_as_spark_shows_them() {
        let list = ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>([
            Some(vec![Some(1), None]),
            Some(vec![]),
        ]);
        assert_eq!(shown(list, false), ["[1, NULL]", "[]"]);
        let word: ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["a"]));
        let field = Arc::new(arrow::datatypes::Field::new("w", DataType::Utf8, true));
        assert_eq!(shown(StructArray::from(vec![(field, word)]), false), ["{a}"]);
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        map.keys().append_value("k");
        map.values().append_value(1);
        map.append(true).unwrap();
        assert_eq!(shown(map.finish(), false), ["{k -> 1}"]);
        assert_eq!(shown(BinaryArray::from(vec![&b"Hi"[..]]), false), ["[48 69]"]);
        let words: arrow::array::DictionaryArray<arrow::datatypes::Int32Type> =
            [Some("x"), None, Some("x")].into_iter().collect();
        assert_eq!(shown(words, false), ["x", "NULL", "x"]);
    }
}
