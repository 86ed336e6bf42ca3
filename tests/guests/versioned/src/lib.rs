//! A plugin of which tests make versions without building it again: they replace texts in its component by others of the same
//! length.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};
use streamhost::arrow::{
    array::StringArray,
    datatypes::{DataType, Field, Schema},
};
use streamhost::prelude::*;

/// What the pipeline may set.
#[streamhost::config]
#[serde(default)]
#[derive(Default)]
pub struct Config {
    /// What the version is written behind.
    prefix: String,
}

/// Ends with `sounds`, or of a version that is to fail with `ailing`.
static HEALTH: &str = "health: sounds";

/// Ends with `says`, or of a version that is not deterministic, as it says it is, with `lies`.
static HONESTY: &str = "honesty: says";

static CALLS: AtomicU32 = AtomicU32::new(0);

/// The name of the column that it adds.
static COLUMN: &str = "by_version";

/// The rows, and the version that they came through.
///
/// # Errors
/// In no case.
#[streamhost::transform]
pub fn versioned(batch: &RecordBatch, config: &Config) -> Result<RecordBatch> {
    assert!(!black_box(HEALTH).ends_with("ailing"), "this version is ailing");
    let mut said = format!("{}{}", config.prefix, black_box(env!("CARGO_PKG_VERSION")));
    if black_box(HONESTY).ends_with("lies") {
        said += &format!(" in call {}", CALLS.fetch_add(1, Relaxed));
    }
    let by = StringArray::from_iter_values(std::iter::repeat_n(said, batch.num_rows()));
    let new = Arc::new(Field::new(black_box(COLUMN), DataType::Utf8, false));
    let fields: Vec<_> = batch.schema_ref().fields().iter().cloned().chain([new]).collect();
    let columns = batch.columns().iter().cloned().chain([Arc::new(by) as ArrayRef]).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
