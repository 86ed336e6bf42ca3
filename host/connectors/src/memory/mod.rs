//! A table in memory that can be asked while the query runs.

mod table;

pub use self::table::{LiveTable, LiveTables, Snapshot};

use crate::units::ByteSize;
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use engine::{
    Begin, Begun, Epoch, EpochWriter, Error, Guarantee, OutputMode, Partition, QueryId, Result, Sink, Token,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};

/// `[sinks.<name>.memory]`: a table of the sink's name, which `streamhost query` asks while the query runs.
///
/// It is gone when the process ends. The next one begins with an empty table: in mode `complete` its first epoch brings the
/// whole result back, in the other modes the table has what came since. What `restart` starts again in the same process
/// goes on with the table that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table such as { max-size = \"256MiB\" }"
)]
pub struct MemorySettings {
    /// The query ends with an error once the table is larger. Default: 256 MiB.
    pub max_size: ByteSize,
    /// For `mode = "update"`: the columns by which a row replaces an older one. Default: none, and each change is a row of
    /// its own.
    pub keys: Vec<String>,
}

impl Default for MemorySettings {
    fn default() -> Self {
        MemorySettings { max_size: ByteSize(256 << 20), keys: Vec::new() }
    }
}

/// Keeps the rows of a query in a [`LiveTable`], where a reader sees whole epochs.
pub struct MemorySink {
    settings: MemorySettings,
    mode: OutputMode,
    table: Arc<LiveTable>,
}

impl MemorySink {
    /// Writes to `table`. [`engine::Kind::Invalid`] if rows would be replaced in a mode other than update.
    pub fn new(settings: MemorySettings, mode: OutputMode, table: Arc<LiveTable>) -> Result<Self> {
        if !settings.keys.is_empty() && mode != OutputMode::Update {
            return Err(Error::invalid(format!(
                "keys: rows replace older ones in mode = \"update\" alone, and the mode is \"{mode}\"; leave `keys` out"
            )));
        }
        Ok(MemorySink { settings, mode, table })
    }
}

#[async_trait]
impl Sink for MemorySink {
    fn accepts(&self, _: OutputMode, schema: &SchemaRef) -> Result<Guarantee> {
        table::key_columns(schema, &self.settings.keys)?;
        self.table.prepare(schema);
        Ok(Guarantee::BestEffort)
    }

    async fn open(&self, _: &QueryId, _: &str) -> Result<()> {
        Ok(())
    }

    async fn begin(&self, begin: &Begin) -> Result<Begun> {
        if begin.marked && self.table.has(begin.epoch) {
            return Ok(Begun::Stored(Token::default()));
        }
        Ok(Begun::Writer(Box::new(MemoryEpoch {
            epoch: begin.epoch,
            schema: begin.schema.clone(),
            partitions: (0..begin.partitions).map(|_| Mutex::default()).collect(),
            settings: self.settings.clone(),
            mode: self.mode,
            table: self.table.clone(),
        })))
    }
}

struct MemoryEpoch {
    epoch: Epoch,
    schema: SchemaRef,
    partitions: Vec<Mutex<Vec<RecordBatch>>>,
    settings: MemorySettings,
    mode: OutputMode,
    table: Arc<LiveTable>,
}

#[async_trait]
impl EpochWriter for MemoryEpoch {
    async fn write(&self, partition: Partition, rows: RecordBatch) -> Result<()> {
        let batches = self.partitions.get(partition.index()).ok_or_else(|| {
            Error::internal(format!("partition {partition} of {} was written", self.partitions.len()))
        })?;
        batches.lock().unwrap_or_else(PoisonError::into_inner).push(rows);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let MemoryEpoch { epoch, schema, partitions, settings, mode, table } = *self;
        let batches =
            partitions.into_iter().flat_map(|rows| rows.into_inner().unwrap_or_else(PoisonError::into_inner));
        let batches: Vec<RecordBatch> = batches.filter(|rows| rows.num_rows() > 0).collect();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        table.store(epoch, schema, batches, mode, &settings)?;
        Ok(Token(json!({ "rows": rows })))
    }
}

#[cfg(test)]
mod tests;
