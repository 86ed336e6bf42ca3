//! Gives every row back, of columns that are made anew.

use streamhost::arrow::array::RecordBatchOptions;
use streamhost::arrow::compute::take_rows;
use streamhost::prelude::*;

/// The same rows.
///
/// # Errors
/// If a column has a type that the contract leaves out.
#[streamhost::transform]
pub fn echo(batch: &RecordBatch) -> Result<RecordBatch> {
    let all: Vec<u32> = (0..batch.num_rows() as u32).collect();
    let columns = batch.columns().iter().map(|column| take_rows(column, &all));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns.collect::<Result<_>>()?, &options)?)
}
