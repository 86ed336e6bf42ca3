#![doc = include_str!("../README.md")]

use streamhost::arrow::compute::cmp;
use streamhost::arrow::array::Float64Array;
use streamhost::prelude::*;

/// What is compared with what.
#[streamhost::config]
#[serde(default)]
pub struct Config {
    /// The column.
    column: String,
    /// The number.
    threshold: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { column: "value".into(), threshold: 10.0 }
    }
}

fn reads(config: &Config) -> Vec<String> {
    vec![config.column.clone()]
}

/// Keeps the rows that pass.
#[streamhost::filter(reads = reads)]
pub fn keep(batch: &RecordBatch, config: &Config) -> Result<BooleanArray> {
    Ok(cmp::gt(batch.column(0), &Float64Array::new_scalar(config.threshold))?)
}
