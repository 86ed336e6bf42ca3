//! What a query is made of.

use crate::{OutputMode, Result, Sink, Source, Step};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use std::sync::Arc;

/// Makes a query's parts. Asked again after an `Unavailable` error, so that a restart begins with fresh connections,
/// and when a source's schema has evolved.
#[async_trait]
pub trait Planner: Send + Sync {
    /// The sources, always the same names in the same order.
    async fn sources(&self) -> Result<Vec<NamedSource>>;

    /// The steps and sinks for sources of these schemas, one for each source.
    async fn dataflow(&self, schemas: &[SchemaRef]) -> Result<Dataflow>;
}

/// A source and its name in the pipeline.
#[derive(Clone)]
pub struct NamedSource {
    /// Its name.
    pub name: String,
    /// The source.
    pub source: Arc<dyn Source>,
}

/// Everything behind the sources: a forest, as every step and sink has one input.
///
/// Invariant: a step's input is a source or an **earlier** step.
#[derive(Default)]
pub struct Dataflow {
    /// The steps, inputs first.
    pub steps: Vec<NamedStep>,
    /// The sinks.
    pub sinks: Vec<NamedSink>,
}

/// A step and where its rows come from.
pub struct NamedStep {
    /// Its name in the pipeline.
    pub name: String,
    /// Where its rows come from.
    pub input: Input,
    /// The step.
    pub step: Arc<dyn Step>,
}

/// A sink and where its rows come from.
pub struct NamedSink {
    /// Its name in the pipeline.
    pub name: String,
    /// What it is, for people: `FileSink[out]`.
    pub description: String,
    /// Where its rows come from.
    pub input: Input,
    /// Their columns.
    pub schema: SchemaRef,
    /// What it is asked to store.
    pub mode: OutputMode,
    /// The sink.
    pub sink: Arc<dyn Sink>,
}

/// Where rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The source of this index.
    Source(usize),
    /// A port of the step of this index.
    Step {
        /// Index in [`Dataflow::steps`].
        step: usize,
        /// Index in [`Step::ports`].
        port: usize,
    },
}
