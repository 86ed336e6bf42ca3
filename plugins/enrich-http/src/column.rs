//! From answers to columns.

use std::sync::Arc;

use streamhost::arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray};
use streamhost::arrow::datatypes::{DataType, Field, Schema};
use streamhost::serde_json::Value;
use streamhost::{Error, Result, ddl};

/// The longest piece of an answer that a message shows.
const SHOWN: usize = 40;

/// Refuses columns of types that an answer cannot have.
///
/// # Errors
/// If there is one.
pub(crate) fn check(schema: &Schema) -> Result<()> {
    let other = schema.fields().iter().find(|field| empty(field.data_type()).is_err());
    match other {
        Some(field) => {
            let (name, has) = (field.name(), ddl::type_name(field.data_type()));
            Err(Error::invalid(format!(
                "column `{name}` is {has}; a service answers with BOOLEAN, INT, BIGINT, DOUBLE and STRING"
            )))
        }
        None => Ok(()),
    }
}

/// Whether an answer is an object whose members fit their columns.
///
/// # Errors
/// If it is not.
pub(crate) fn fits(answer: &Value, schema: &Schema) -> Result<()> {
    if !answer.is_object() && !answer.is_null() {
        return Err(Error::permanent(format!("expected a JSON object, found {}", shown(answer))));
    }
    for field in schema.fields() {
        let value = member(answer, field);
        if !value.is_null() && !is(value, field.data_type()) {
            let (name, wanted) = (field.name(), ddl::type_name(field.data_type()));
            return Err(Error::permanent(format!("{name}: expected {wanted}, found {}", shown(value))));
        }
    }
    Ok(())
}

/// The column of a field; a row for each answer.
///
/// # Errors
/// None for the types that [`check`] lets through.
pub(crate) fn build(field: &Field, answers: &[Value]) -> Result<ArrayRef> {
    column(field.data_type(), answers.iter().map(|answer| member(answer, field)))
}

fn empty(kind: &DataType) -> Result<ArrayRef> {
    column(kind, std::iter::empty())
}

fn column<'v>(kind: &DataType, values: impl Iterator<Item = &'v Value>) -> Result<ArrayRef> {
    Ok(match kind {
        DataType::Boolean => Arc::new(values.map(Value::as_bool).collect::<BooleanArray>()),
        DataType::Int32 => Arc::new(values.map(narrow).collect::<Int32Array>()),
        DataType::Int64 => Arc::new(values.map(Value::as_i64).collect::<Int64Array>()),
        DataType::Float64 => Arc::new(values.map(Value::as_f64).collect::<Float64Array>()),
        DataType::Utf8 => Arc::new(values.map(Value::as_str).collect::<StringArray>()),
        other => return Err(Error::invalid(format!("there is no column of {other} in an answer"))),
    })
}

fn is(value: &Value, kind: &DataType) -> bool {
    match kind {
        DataType::Boolean => value.is_boolean(),
        DataType::Int32 => narrow(value).is_some(),
        DataType::Int64 => value.is_i64(),
        DataType::Float64 => value.is_number(),
        _ => value.is_string(),
    }
}

fn narrow(value: &Value) -> Option<i32> {
    value.as_i64().and_then(|number| i32::try_from(number).ok())
}

fn member<'v>(answer: &'v Value, field: &Field) -> &'v Value {
    answer.get(field.name()).unwrap_or(&Value::Null)
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}
