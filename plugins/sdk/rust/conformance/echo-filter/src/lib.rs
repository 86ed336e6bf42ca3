//! Keeps the rows whose first column is not null.

use streamhost::arrow::array::Array;
use streamhost::prelude::*;

/// A bit for each row whose first column has a value.
///
/// # Errors
/// If there is no column.
#[streamhost::filter]
pub fn keep(batch: &RecordBatch) -> Result<BooleanArray> {
    let first = batch.columns().first().ok_or_else(|| Error::invalid("there is no column"))?;
    let nulls = first.logical_nulls();
    let is_there = |row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    Ok((0..batch.num_rows()).map(|row| Some(is_there(row))).collect())
}
