//! Adds each column once more, made anew.

use std::sync::Arc;

use streamhost::arrow::array::RecordBatchOptions;
use streamhost::arrow::compute::take_rows;
use streamhost::arrow::datatypes::{Field, Schema};
use streamhost::prelude::*;

/// For each column one of the same values, with `_again` behind its name.
///
/// # Errors
/// If a column has a type that the contract leaves out.
#[streamhost::map]
pub fn again(batch: &RecordBatch) -> Result<RecordBatch> {
    let all: Vec<u32> = (0..batch.num_rows() as u32).collect();
    let schema = batch.schema();
    let named = |field: &Arc<Field>| field.as_ref().clone().with_name(format!("{}_again", field.name()));
    let fields: Vec<Field> = schema.fields().iter().map(named).collect();
    let columns = batch.columns().iter().map(|column| take_rows(column, &all));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = columns.collect::<Result<_>>()?;
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}
