//! What the attribute macros make of a function.

use arrow_array::{BooleanArray, RecordBatch};
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{Context, Result, RowErrors};

/// A stateless plugin. `#[streamhost::filter]`, `map` and `transform` implement it on a type named as their function.
pub trait Plugin: 'static {
    /// What the plugin says of itself.
    const MANIFEST: Manifest;
    /// What the pipeline's `config` is read into.
    type Config: DeserializeOwned + JsonSchema + 'static;

    /// The input's columns it reads, all if none. The host sends no other.
    fn reads(config: &Self::Config) -> Option<Vec<String>>;

    /// Processes one batch of the columns it reads.
    ///
    /// The output's kind, columns and side outputs depend on the input's schema and the configuration only, never on the
    /// rows: an empty batch tells them when the plugin is bound.
    fn process(
        config: &Self::Config,
        cx: &Context,
        batch: &RecordBatch,
        errors: &mut RowErrors,
    ) -> Result<Output>;
}

/// What a plugin says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Manifest {
    /// Its name in messages and in a registry.
    pub name: &'static str,
    /// Its version, as in semantic versioning.
    pub version: &'static str,
    /// One sentence for lists.
    pub summary: &'static str,
    /// Same input, same bytes out: lets a replay reproduce an epoch exactly.
    pub deterministic: bool,
    /// What it wants of the host beyond rows, `http` for one; it gets what the pipeline allows.
    pub asks: &'static [&'static str],
}

/// The configuration of a plugin whose function takes none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// What leaves a plugin for one batch.
#[derive(Debug)]
pub enum Output {
    /// The rows to keep; null keeps none.
    Keep(BooleanArray),
    /// Columns beside the input's, a row for each of its rows.
    Extend(RecordBatch),
    /// The rows to keep, and columns beside the input's with a row for each row kept.
    KeepExtend(BooleanArray, RecordBatch),
    /// New rows, and rows for named side outputs.
    Replace(RecordBatch, Vec<Side>),
}

/// Rows for the side output of this name.
pub type Side = (&'static str, RecordBatch);

/// What a `map` over batches may return.
pub trait Columns {
    /// As the plugin's output.
    fn into_output(self) -> Output;
}

impl Columns for RecordBatch {
    fn into_output(self) -> Output {
        Output::Extend(self)
    }
}

/// The rows to keep, and the columns for these only.
impl Columns for (BooleanArray, RecordBatch) {
    fn into_output(self) -> Output {
        Output::KeepExtend(self.0, self.1)
    }
}

/// What a `transform` over batches may return.
pub trait Batches {
    /// As the plugin's output.
    ///
    /// # Errors
    /// If several batches differ in schema.
    fn into_output(self) -> Result<Output>;
}

impl Batches for RecordBatch {
    fn into_output(self) -> Result<Output> {
        Ok(Output::Replace(self, Vec::new()))
    }
}

/// The main output, then the side outputs by name.
impl<const N: usize> Batches for (RecordBatch, [Side; N]) {
    fn into_output(self) -> Result<Output> {
        Ok(Output::Replace(self.0, self.1.into()))
    }
}
