//! The keys of a batch.

use std::collections::HashSet;

use streamhost::arrow::array::types::{Int32Type, Int64Type};
use streamhost::arrow::array::{Array, cast::AsArray};
use streamhost::{Error, Result};

/// Each row's key as text.
///
/// # Errors
/// If the column has another type.
pub(crate) fn of(column: &dyn Array, name: &str) -> Result<Vec<Option<String>>> {
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Ok(texts.iter().map(|text| text.map(str::to_owned)).collect());
    }
    if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        return Ok(numbers.iter().map(|number| number.map(|n| n.to_string())).collect());
    }
    if let Some(numbers) = column.as_primitive_opt::<Int32Type>() {
        return Ok(numbers.iter().map(|number| number.map(|n| n.to_string())).collect());
    }
    let has = column.data_type();
    Err(Error::invalid(format!("column `{name}` has type {has}; a key is a STRING, an INT or a BIGINT")))
}

/// Each of them once, in the order in which they come.
pub(crate) fn distinct(keys: &[Option<String>]) -> impl Iterator<Item = &str> {
    let mut seen = HashSet::new();
    keys.iter().flatten().map(String::as_str).filter(move |key| seen.insert(*key))
}
