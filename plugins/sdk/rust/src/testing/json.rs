//! Rows as JSON, in and out.

use arrow_array::RecordBatch;
use arrow_json::{LineDelimitedWriter, ReaderBuilder};
use arrow_schema::SchemaRef;
use serde_json::Value;

use crate::{Error, Result};

/// Reads rows, a JSON object a line.
pub(super) fn read(rows: &str, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut decoder =
        ReaderBuilder::new(schema.clone()).with_strict_mode(true).with_batch_size(1 << 20).build_decoder()?;
    decoder.decode(rows.as_bytes())?;
    let batch = decoder.flush().map_err(|error| Error::from(error).context("the input's rows"))?;
    Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(schema.clone())))
}

/// Writes rows as objects.
pub(super) fn write(batch: &RecordBatch) -> Result<Vec<Value>> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    lines(&String::from_utf8(writer.into_inner())?)
}

/// Reads a JSON value a line; nulls are left out of objects, so that both sides of a comparison may name them or not.
pub(super) fn lines(text: &str) -> Result<Vec<Value>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let value = |line: &str| {
        serde_json::from_str(line)
            .map(plain)
            .map_err(|error| Error::from(error).context(format_args!("`{line}`")))
    };
    lines.map(value).collect()
}

/// A row of one value.
pub(super) fn named(name: &str, value: Value) -> Value {
    plain(Value::Object([(name.to_owned(), value)].into_iter().collect()))
}

/// One row a line.
pub(super) fn print(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

/// Without null members, and with numbers in one form: 5 and 5.0 are the same.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(name, value)| (name, plain(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => Value::from(float as i64),
            _ => Value::Number(number),
        },
        other => other,
    }
}
