//! A sink that drops everything, to run a query for its own sake.

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use engine::{Begin, Begun, EpochWriter, Guarantee, OutputMode, Partition, QueryId, Result, Sink, Token};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[sinks.<name>.noop]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an empty table")]
pub struct NoopSettings {}

/// Drops every row.
#[derive(Debug)]
pub struct NoopSink;

impl NoopSink {
    /// There is nothing to set.
    pub fn new(_: NoopSettings) -> Self {
        NoopSink
    }
}

#[async_trait]
impl Sink for NoopSink {
    fn accepts(&self, _: OutputMode, _: &SchemaRef) -> Result<Guarantee> {
        Ok(Guarantee::BestEffort)
    }

    async fn open(&self, _: &QueryId, _: &str) -> Result<()> {
        Ok(())
    }

    async fn begin(&self, _: &Begin) -> Result<Begun> {
        Ok(Begun::Writer(Box::new(NoopSink)))
    }
}

#[async_trait]
impl EpochWriter for NoopSink {
    async fn write(&self, _: Partition, _: RecordBatch) -> Result<()> {
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        Ok(Token::default())
    }
}
