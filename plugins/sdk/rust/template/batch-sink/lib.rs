//! Stores the rows of each epoch in one output, and a row about the epoch in another.

use streamhost::arrow::datatypes::Schema;
use streamhost::prelude::*;
use streamhost::{NoConfig, OutputColumns, sink};

/// What is told of an epoch.
#[derive(Row)]
pub struct Audit {
    epoch: i64,
    rows: i64,
}

/// `rows` gets the columns that come in.
fn outputs(_: &NoConfig, input: &Schema) -> Result<Vec<OutputColumns>> {
    Ok(vec![("rows".into(), input.clone()), ("audit".into(), sink::columns::<Audit>())])
}

/// Stores an epoch.
///
/// # Errors
/// If the host cannot take the rows.
#[streamhost::batch_sink(outputs = outputs)]
pub fn store(rows: Rows, outputs: &Outputs, cx: &Context) -> Result<()> {
    let mut count = 0;
    for batch in rows {
        let batch = batch?;
        count += batch.num_rows() as i64;
        outputs.write("rows", &batch)?;
    }
    outputs.write_rows("audit", [Audit { epoch: cx.epoch as i64, rows: count }])
}

#[test]
fn the_cases_pass() {
    streamhost::testing::sink_cases::<store>(env!("CARGO_MANIFEST_DIR"));
}
