//! Stores every row, of columns that are made anew.

use streamhost::arrow::compute::take_rows;
use streamhost::arrow::datatypes::Schema;
use streamhost::{NoConfig, OutputColumns, prelude::*};

fn outputs(_: &NoConfig, input: &Schema) -> Result<Vec<OutputColumns>> {
    Ok(vec![("rows".into(), input.clone())])
}

/// Writes each batch to the output `rows`.
///
/// # Errors
/// If a column has a type that the contract leaves out, or the output does not take the rows.
#[streamhost::batch_sink(outputs = outputs)]
pub fn store(rows: Rows, outputs: &Outputs) -> Result<()> {
    for batch in rows {
        let batch = batch?;
        let all: Vec<u32> = (0..batch.num_rows() as u32).collect();
        let columns = batch.columns().iter().map(|column| take_rows(column, &all));
        outputs.write("rows", &RecordBatch::try_new(batch.schema(), columns.collect::<Result<_>>()?)?)?;
    }
    Ok(())
}
