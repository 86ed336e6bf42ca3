//! Writes JSON lines.

use crate::formats::encode::{
    EncodeRows,
    cell::{Cell, Style, cells},
};
use arrow::{
    array::{Array, AsArray, BinaryArray, RecordBatch},
    datatypes::{DataType, FieldRef, Float32Type, Float64Type, Schema},
    error::ArrowError,
    json::{
        Encoder, EncoderFactory, EncoderOptions, WriterBuilder,
        writer::{LineDelimited, NullableEncoder},
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use engine::{Error, Kind, Result, ResultExt};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How JSON is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table such as { ignore-null-fields = false }"
)]
pub struct JsonOutput {
    /// Leave out a field that is NULL (default), or write it as `null`.
    pub ignore_null_fields: bool,
}

impl Default for JsonOutput {
    fn default() -> Self {
        JsonOutput { ignore_null_fields: true }
    }
}

/// Writes one JSON object a line. Where JSON leaves a choice it is Spark's: times in ISO 8601, binary in base64, and
/// numbers that JSON has no word for as the strings `NaN`, `Infinity` and `-Infinity`.
#[derive(Debug)]
pub struct JsonRows(WriterBuilder);

impl JsonRows {
    /// Times are shown in `zone`.
    pub fn new(options: &JsonOutput, zone: TimeZone) -> Self {
        let spark = SparkJson(Style { zone, iso: true });
        JsonRows(
            WriterBuilder::new()
                .with_explicit_nulls(!options.ignore_null_fields)
                .with_encoder_factory(Arc::new(spark)),
        )
    }
}

/// [`Kind::Invalid`] if a column cannot be JSON: an object's keys are strings.
pub(crate) fn accepts(schema: &Schema) -> Result<()> {
    match schema.fields().iter().find(|f| has_other_keys(f.data_type())) {
        Some(field) => Err(Error::invalid(format!(
            "column {} is a MAP whose keys are no STRINGs, which JSON cannot hold; convert the keys, or write parquet",
            field.name()
        ))),
        None => Ok(()),
    }
}

fn has_other_keys(of: &DataType) -> bool {
    match of {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(parts) => {
                parts.first().is_some_and(|key| *key.data_type() != DataType::Utf8)
                    || parts.iter().any(|f| has_other_keys(f.data_type()))
            }
            _ => true,
        },
        DataType::List(item) | DataType::LargeList(item) => has_other_keys(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|f| has_other_keys(f.data_type())),
        _ => false,
    }
}

impl EncodeRows for JsonRows {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let mut writer = self.0.clone().build::<_, LineDelimited>(out);
        writer.write(rows).and_then(|()| writer.finish()).doing(Kind::Data, || "writing rows as JSON")
    }
}

/// The types that Spark writes differently from Arrow.
#[derive(Debug)]
struct SparkJson(Style);

impl EncoderFactory for SparkJson {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Timestamp(..) => self.quoted_if(array, |_| true)?,
            DataType::Float64
                if !array.as_primitive::<Float64Type>().values().iter().all(|v| v.is_finite()) =>
            {
                let values = array.as_primitive::<Float64Type>();
                self.quoted_if(array, |row| !values.value(row).is_finite())?
            }
            DataType::Float32
                if !array.as_primitive::<Float32Type>().values().iter().all(|v| v.is_finite()) =>
            {
                let values = array.as_primitive::<Float32Type>();
                self.quoted_if(array, |row| !values.value(row).is_finite())?
            }
            DataType::Binary => Box::new(Base64(array.as_binary())),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

impl SparkJson {
    fn quoted_if<'a>(
        &self,
        array: &'a dyn Array,
        quoted: impl Fn(usize) -> bool + 'a,
    ) -> Result<Box<dyn Encoder + 'a>, ArrowError> {
        let cell = cells(array, &self.0).map_err(|e| ArrowError::ExternalError(e.into()))?;
        Ok(Box::new(Text { cell, quoted, text: String::new() }))
    }
}

/// A value by its text, which needs no escaping, in quotes where JSON has no other word for it.
struct Text<'a, Q> {
    cell: Cell<'a>,
    quoted: Q,
    text: String,
}

impl<Q: Fn(usize) -> bool> Encoder for Text<'_, Q> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        self.text.clear();
        (self.cell)(row, &mut self.text);
        let quote: &[u8] = if (self.quoted)(row) { b"\"" } else { b"" };
        out.extend_from_slice(quote);
        out.extend_from_slice(self.text.as_bytes());
        out.extend_from_slice(quote);
    }
}

struct Base64<'a>(&'a BinaryArray);

impl Encoder for Base64<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(BASE64_STANDARD.encode(self.0.value(row)).as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::{
            ArrayRef, Float64Array, Int64Array, MapBuilder, StringArray, StringBuilder,
            TimestampMicrosecondArray,
        },
        datatypes::Field,
    };

    fn written(columns: Vec<(&str, ArrayRef)>, options: &JsonOutput) -> String {
        let mut out = Vec::new();
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        JsonRows::new(options, TimeZone::UTC).encode(&rows, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_null_field_is_left_out_unless_asked_for() {
        let columns = || -> Vec<(&str, ArrayRef)> {
            vec![
                ("a", Arc::new(Int64Array::from(vec![Some(1), None]))),
                ("b", Arc::new(StringArray::from(vec![None, Some("x\"\n")]))),
            ]
        };
        assert_eq!(written(columns(), &JsonOutput::default()), "{\"a\":1}\n{\"b\":\"x\\\"\\n\"}\n");
        let explicit = written(columns(), &JsonOutput { ignore_null_fields: false });
        assert!(explicit.starts_with("{\"a\":1,\"b\":null}\n"));
    }

    #[test]
    fn times_binaries_and_infinite_numbers_are_written_as_spark_writes_them() {
        let times =
            TimestampMicrosecondArray::from(vec![Some(1_735_689_600_000_000), None]).with_timezone("UTC");
        let text = written(
            vec![
                ("t", Arc::new(times)),
                ("f", Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NEG_INFINITY)]))),
                ("b", Arc::new(BinaryArray::from(vec![Some(&b"hi"[..]), None]))),
            ],
            &JsonOutput::default(),
        );
        let expected =
            "{\"t\":\"2025-01-01T00:00:00.000Z\",\"f\":0.5,\"b\":\"aGk=\"}\n{\"f\":\"-Infinity\"}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_map_with_numbers_as_keys_is_refused() {
        let mut map = MapBuilder::new(None, arrow::array::Int32Builder::new(), StringBuilder::new());
        let column = map.finish();
        let schema = Schema::new(vec![Field::new("m", column.data_type().clone(), true)]);
        assert!(accepts(&schema).unwrap_err().to_string().starts_with("column m"));
    }
}
