#![doc = include_str!("../README.md")]

mod column;
mod value;

use streamhost::arrow::array::{Array, RecordBatchOptions};
use streamhost::arrow::datatypes::{Schema, SchemaRef};
use streamhost::prelude::*;
use streamhost::{ddl, serde_json};

use std::sync::Arc;

/// Which column is parsed, and into what.
#[streamhost::config]
pub struct Config {
    /// The column of JSON text.
    #[serde(default = "value")]
    column: String,
    /// The columns to take out of it, as in Spark: `user STRING, at TIMESTAMP, tags ARRAY<STRING>`.
    schema: Ddl,
}

fn value() -> String {
    "value".into()
}

/// A schema that was read from its text.
#[streamhost::config]
#[serde(try_from = "String")]
#[schemars(with = "String")]
struct Ddl(#[schemars(skip)] SchemaRef);

impl TryFrom<String> for Ddl {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        ddl::parse(&text).map(|schema: Schema| Self(Arc::new(schema)))
    }
}

fn reads(config: &Config) -> Vec<String> {
    vec![config.column.clone()]
}

/// Adds the columns. What the text has not is null; text that is null gives nulls.
///
/// A row is in error if its text is no JSON object, or if a value in it does not fit its column.
///
/// # Errors
/// If the column is no text.
#[streamhost::map(reads = reads)]
pub fn extract(batch: &RecordBatch, config: &Config, errors: &mut RowErrors) -> Result<RecordBatch> {
    let column = batch.column(0);
    let Some(text) = column.as_string_opt::<i32>() else {
        let (name, has) = (&config.column, column.data_type());
        return Err(Error::invalid(format!("column `{name}` has type {has}, which is no text to parse")));
    };
    let schema = &config.schema.0;
    let rows: Vec<serde_json::Value> = text
        .iter()
        .enumerate()
        .map(|(row, text)| {
            let parsed = text.map_or(Ok(serde_json::Value::Null), |text| parse(text, schema));
            errors.value(row, parsed).unwrap_or_default()
        })
        .collect();
    let columns = schema.fields().iter().map(|field| {
        let values: Vec<_> = rows.iter().map(|row| value::member(row, field.name())).collect();
        column::build(field.data_type(), &values)
    });
    let options = RecordBatchOptions::new().with_row_count(Some(text.len()));
    Ok(RecordBatch::try_new_with_options(nullable(schema), columns.collect::<Result<_>>()?, &options)?)
}

/// An object whose members fit.
fn parse(text: &str, schema: &Schema) -> Result<serde_json::Value> {
    let parsed: serde_json::Value =
        serde_json::from_str(text).map_err(|error| Error::permanent(format!("bad JSON: {error}")))?;
    if !parsed.is_object() {
        return Err(Error::permanent(format!("expected a JSON object, found {}", value::shown(&parsed))));
    }
    for field in schema.fields() {
        value::fits(value::member(&parsed, field.name()), field)
            .map_err(|error| error.context(field.name()))?;
    }
    Ok(parsed)
}

/// Rows in error have nulls everywhere.
fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamhost::testing;

    #[test]
    fn the_cases_pass() {
        testing::cases::<extract>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn a_bad_schema_is_shown_with_its_place() {
        let error = testing::bind::<extract>(r#"{"schema": "a TEXT"}"#, "value STRING").err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("config: schema, column 3: expected a type"), "{error}");
    }
}
