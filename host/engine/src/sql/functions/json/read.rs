//! `from_json(text, schema[, options])`.
//!
//! What does not fit becomes NULL, and only that; the text of a row of which something did not fit goes to the field
//! `_corrupt_record`, if the schema has it. `map('mode', 'FAILFAST')` makes it an error.

use crate::sql::{
    functions::{cast, time::Pattern, zone},
    types::parse,
};
use arrow::{
    array::{
        Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, ListArray, MapArray,
        PrimitiveArray, StringArray, StructArray, new_null_array,
    },
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Field, FieldRef, Fields, Float32Type, Float64Type, Int8Type,
        Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    },
};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::sync::Arc;

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(FromJson { signature: Signature::user_defined(Volatility::Immutable) }))
}

const CORRUPT: &str = "_corrupt_record";

#[derive(Debug, PartialEq, Eq, Hash)]
struct FromJson {
    signature: Signature,
}

impl ScalarUDFImpl for FromJson {
    fn name(&self) -> &str {
        "from_json"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        match of {
            [_, _] => Ok(vec![DataType::Utf8; 2]),
            [_, _, options @ DataType::Map(..)] => Ok(vec![DataType::Utf8, DataType::Utf8, options.clone()]),
            _ => plan_err!("from_json(text, schema[, options]): the options are a map of texts"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("from_json() needs to know its schema")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.scalar_arguments.get(1) {
            Some(Some(ScalarValue::Utf8(Some(schema)))) => {
                Ok(Arc::new(Field::new("from_json", parse(schema)?, true)))
            }
            _ => plan_err!("from_json(text, schema): the schema is written down, such as 'a INT, b STRING'"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let [texts, _, options @ ..] = &args.args[..] else { return exec_err!("from_json(text, schema)") };
        let mut reading = Reading::new(zone::session(&args.config_options)?, rows);
        if let Some(options) = options.first() {
            reading.take_options(&options.to_array(1)?)?;
        }
        let texts = texts.to_array(rows)?;
        let read = reading.rows(texts.as_string(), args.return_field.data_type())?;
        match constant {
            true => Ok(ScalarValue::try_from_array(&read, 0)?.into()),
            false => Ok(read.into()),
        }
    }
}

/// A value and the row that it is of.
type Of<'v> = (usize, Option<&'v Value>);

/// How texts are read, and which of them did not fit.
struct Reading {
    zone: TimeZone,
    fail: bool,
    times: Option<Pattern>,
    dates: Option<Pattern>,
    bad: Vec<bool>,
}

impl Reading {
    fn new(zone: TimeZone, rows: usize) -> Self {
        Reading { zone, fail: false, times: None, dates: None, bad: vec![false; rows] }
    }

    fn take_options(&mut self, options: &ArrayRef) -> Result<()> {
        let options = options.as_map();
        let (Some(keys), Some(values)) =
            (options.keys().as_string_opt::<i32>(), options.values().as_string_opt::<i32>())
        else {
            return exec_err!("from_json(): the options are a map of texts");
        };
        for (key, value) in keys.iter().zip(values) {
            let (Some(key), Some(value)) = (key, value) else { continue };
            match (key.to_lowercase().as_str(), value.to_uppercase().as_str()) {
                ("mode", "FAILFAST") => self.fail = true,
                ("mode", "PERMISSIVE") => self.fail = false,
                ("timestampformat", _) => self.times = Some(Pattern::new(value)?),
                ("dateformat", _) => self.dates = Some(Pattern::new(value)?),
                _ => {
                    return exec_err!(
                        "from_json() has no option {key} = {value}; there are mode = PERMISSIVE or FAILFAST, timestampFormat and dateFormat"
                    );
                }
            }
        }
        Ok(())
    }

    fn rows(mut self, texts: &StringArray, of: &DataType) -> Result<ArrayRef> {
        let parsed: Vec<Option<Value>> =
            texts.iter().enumerate().map(|(row, text)| self.parsed(row, text?, of)).collect();
        let values: Vec<Of<'_>> =
            parsed.iter().enumerate().map(|(row, value)| (row, value.as_ref())).collect();
        let read = self.values(&values, of)?;
        if let (true, Some(row)) = (self.fail, self.bad.iter().position(|bad| *bad)) {
            return exec_err!(
                "{:?} is not of the schema; correct it, or leave out the mode FAILFAST to have NULL instead",
                texts.value(row)
            );
        }
        Ok(self.with_texts(read, texts))
    }

    /// The JSON of a text. Where a struct is wanted, what is none is an empty one.
    fn parsed(&mut self, row: usize, text: &str, of: &DataType) -> Option<Value> {
        if text.trim().is_empty() {
            return None;
        }
        let parsed = serde_json::from_str::<Value>(text).ok();
        let fits = matches!(
            (&parsed, of),
            (Some(Value::Object(_)), DataType::Struct(_) | DataType::Map(..))
                | (Some(Value::Array(_)), DataType::List(_))
        );
        if fits {
            return parsed;
        }
        self.is_bad(row);
        matches!(of, DataType::Struct(_)).then(|| Value::Object(serde_json::Map::new()))
    }

    fn is_bad(&mut self, row: usize) {
        if let Some(bad) = self.bad.get_mut(row) {
            *bad = true;
        }
    }

    /// Puts the texts of the rows that did not fit where the schema wants them.
    fn with_texts(&self, read: ArrayRef, texts: &StringArray) -> ArrayRef {
        let DataType::Struct(fields) = read.data_type() else { return read };
        let Some(at) = fields.iter().position(|field| field.name() == CORRUPT) else { return read };
        let corrupt = texts.iter().zip(&self.bad).map(|(text, bad)| text.filter(|_| *bad));
        let mut columns = read.as_struct().columns().to_vec();
        if let Some(column) = columns.get_mut(at) {
            *column = Arc::new(corrupt.collect::<StringArray>());
        }
        let made = StructArray::try_new(fields.clone(), columns, read.nulls().cloned());
        made.map_or(read, |made| Arc::new(made))
    }

    fn values(&mut self, values: &[Of<'_>], of: &DataType) -> Result<ArrayRef> {
        Ok(match of {
            DataType::Utf8 => Arc::new(values.iter().map(|(_, value)| text(*value)).collect::<StringArray>()),
            DataType::Boolean => {
                Arc::new(self.each(values, |_, value| value.as_bool()).into_iter().collect::<BooleanArray>())
            }
            DataType::Int8 => self.numbers::<Int8Type>(values, of, |_, value| whole(value)),
            DataType::Int16 => self.numbers::<Int16Type>(values, of, |_, value| whole(value)),
            DataType::Int32 => self.numbers::<Int32Type>(values, of, |_, value| whole(value)),
            DataType::Int64 => self.numbers::<Int64Type>(values, of, |_, value| whole(value)),
            DataType::Float32 => {
                self.numbers::<Float32Type>(values, of, |_, value| Some(double(value)? as f32))
            }
            DataType::Float64 => self.numbers::<Float64Type>(values, of, |_, value| double(value)),
            DataType::Decimal128(precision, scale) => {
                self.numbers::<Decimal128Type>(values, of, |_, value| {
                    cast::decimal(&text(Some(value))?, *precision, *scale)
                })
            }
            DataType::Date32 => {
                self.numbers::<Date32Type>(values, of, |reading, value| reading.day(value.as_str()?))
            }
            DataType::Timestamp(_, zoned) => {
                let zoned = zoned.is_some();
                self.numbers::<TimestampMicrosecondType>(values, of, |reading, value| {
                    reading.time(value, zoned)
                })
            }
            DataType::Binary => {
                let bytes = self.each(values, |_, value| super::unbase64(value.as_str()?));
                Arc::new(bytes.iter().map(Option::as_deref).collect::<BinaryArray>())
            }
            DataType::Struct(fields) => self.structs(values, fields)?,
            DataType::List(item) => self.lists(values, item)?,
            DataType::Map(entries, _) => self.maps(values, entries)?,
            other => return exec_err!("from_json() makes no {}", crate::sql::types::name_of(other)),
        })
    }

    fn structs(&mut self, values: &[Of<'_>], fields: &Fields) -> Result<ArrayRef> {
        let objects = self.each(values, |_, value| value.as_object());
        let columns = fields.iter().map(|field| {
            let rows = values.iter().zip(&objects);
            let values: Vec<Of<'_>> = rows
                .map(|((row, _), object)| (*row, object.and_then(|object| object.get(field.name()))))
                .collect();
            match field.name() == CORRUPT {
                true => Ok(new_null_array(field.data_type(), values.len())),
                false => self.values(&values, field.data_type()),
            }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let nulls = Some(there(&objects));
        Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, values.len())?))
    }

    fn lists(&mut self, values: &[Of<'_>], item: &FieldRef) -> Result<ArrayRef> {
        let lists = self.each(values, |_, value| value.as_array());
        let elements = values.iter().zip(&lists).flat_map(|((row, _), list)| {
            list.iter().flat_map(|list| list.iter()).map(|value| (*row, Some(value)))
        });
        let elements: Vec<Of<'_>> = elements.collect();
        let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.map_or(0, Vec::len)));
        let elements = self.values(&elements, item.data_type())?;
        Ok(Arc::new(ListArray::try_new(item.clone(), offsets, elements, Some(there(&lists)))?))
    }

    fn maps(&mut self, values: &[Of<'_>], entries: &FieldRef) -> Result<ArrayRef> {
        let DataType::Struct(pair) = entries.data_type() else {
            return exec_err!("a map has keys and values");
        };
        let [_, value] = &pair[..] else { return exec_err!("a map has keys and values") };
        let objects = self.each(values, |_, value| value.as_object());
        let all = values.iter().zip(&objects).flat_map(|((row, _), object)| {
            object.iter().flat_map(|object| object.iter()).map(|(key, value)| (key, (*row, Some(value))))
        });
        let (keys, elements): (Vec<&String>, Vec<Of<'_>>) = all.unzip();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from_iter_values(keys)), self.values(&elements, value.data_type())?];
        let offsets =
            OffsetBuffer::from_lengths(objects.iter().map(|object| object.map_or(0, serde_json::Map::len)));
        let pairs = StructArray::try_new(pair.clone(), columns, None)?;
        Ok(Arc::new(MapArray::try_new(entries.clone(), offsets, pairs, Some(there(&objects)), false)?))
    }

    fn numbers<T: ArrowPrimitiveType>(
        &mut self,
        values: &[Of<'_>],
        of: &DataType,
        number: impl Fn(&Reading, &Value) -> Option<T::Native>,
    ) -> ArrayRef {
        let numbers = self.each(values, number);
        Arc::new(numbers.into_iter().collect::<PrimitiveArray<T>>().with_data_type(of.clone()))
    }

    /// What comes of each value; what is there and comes to nothing did not fit.
    fn each<'v, V>(
        &mut self,
        values: &[Of<'v>],
        make: impl Fn(&Reading, &'v Value) -> Option<V>,
    ) -> Vec<Option<V>> {
        let mut made = Vec::with_capacity(values.len());
        for (row, value) in values {
            let value = value.filter(|value| !value.is_null());
            let fit = value.and_then(|value| make(self, value));
            if value.is_some() && fit.is_none() {
                self.is_bad(*row);
            }
            made.push(fit);
        }
        made
    }

    fn day(&self, text: &str) -> Option<i32> {
        let Some(pattern) = &self.dates else { return cast::day(text) };
        let shown = zone::local(pattern.read(text, &TimeZone::UTC)?, &TimeZone::UTC)?;
        Some(zone::days(shown.date()))
    }

    fn time(&self, value: &Value, zoned: bool) -> Option<i64> {
        let zone = if zoned { &self.zone } else { &TimeZone::UTC };
        match (value, &self.times) {
            (Value::String(text), Some(pattern)) => pattern.read(text, zone),
            (Value::String(text), None) if zoned => cast::time(text, zone),
            (Value::String(text), None) => cast::time_without_zone(text),
            // A number is of seconds.
            (Value::Number(seconds), _) => seconds.as_i64()?.checked_mul(1_000_000),
            _ => None,
        }
    }
}

fn there<T>(of: &[Option<T>]) -> NullBuffer {
    of.iter().map(Option::is_some).collect::<Vec<_>>().into()
}

fn whole<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    T::try_from(value.as_i64()?).ok()
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => ["NaN", "Infinity", "+INF", "INF", "-Infinity", "-INF"]
            .contains(&text.as_str())
            .then(|| text.parse().ok())?,
        value => value.as_f64(),
    }
}

/// A text as it is; anything else as JSON.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(super::print::compact(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_null_and_its_text_kept() {
        let texts = StringArray::from(vec![r#"{"a": 1, "b": ["x", null]}"#, r#"{"a": "1"}"#, "no"]);
        let of = parse("a INT, b ARRAY<STRING>, _corrupt_record STRING").unwrap();
        let read = Reading::new(TimeZone::UTC, 3).rows(&texts, &of).unwrap();
        let corrupt = read.as_struct().column(2).as_string::<i32>();
        assert_eq!(corrupt.iter().collect::<Vec<_>>(), [None, Some(r#"{"a": "1"}"#), Some("no")]);
        assert_eq!(read.as_struct().column(0).null_count(), 2);
        assert!(parse("a IT").is_err());
    }
}
