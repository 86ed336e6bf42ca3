use crate::{Epoch, Offset, QueryId, StepProgress, Timestamp};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// What one epoch did, in the shape of Spark's `StreamingQueryProgress`, with what each plugin did beside it.
/// One value per epoch feeds the progress output, metrics and the log.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The query.
    pub id: QueryId,
    /// This start of the query.
    pub run_id: String,
    /// The pipeline's name.
    pub name: String,
    /// When the epoch was triggered, ISO 8601.
    #[serde(serialize_with = "text")]
    pub timestamp: Timestamp,
    /// The epoch.
    pub batch_id: Epoch,
    /// Rows read.
    pub num_input_rows: u64,
    /// Rows read per second since the last epoch was triggered.
    pub input_rows_per_second: f64,
    /// Rows read per second of work on them.
    pub processed_rows_per_second: f64,
    /// Milliseconds by phase.
    pub duration_ms: Phases,
    /// Event-time statistics; empty for a query without a watermark.
    pub event_time: BTreeMap<String, String>,
    /// Operators with state; empty for a stateless query.
    pub state_operators: Vec<StateProgress>,
    /// Per source.
    pub sources: Vec<SourceProgress>,
    /// The first sink.
    pub sink: SinkProgress,
    /// Every sink.
    pub sinks: Vec<SinkProgress>,
    /// Per plugin: of a step by the step's name, of a sink by `sinks.<name>`.
    pub plugins: BTreeMap<String, StepProgress>,
    /// The versions of plugins that have any: `name@1.2.3`, by what runs them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<String, String>,
    /// What happened to plugins since the last epoch: a newer version that is used now, or one that is not, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// Milliseconds by phase, under Spark's names.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Phases {
    /// Asking the sources what is new.
    pub latest_offset: u64,
    /// Making steps and sinks for the columns of the epoch.
    pub query_planning: u64,
    /// Making the plan of the epoch durable.
    pub wal_commit: u64,
    /// Reading, steps, writing.
    pub add_batch: u64,
    /// Committing the sinks and making the commit durable.
    pub commit_offsets: u64,
    /// All of it.
    pub trigger_execution: u64,
}

/// What one epoch read of a source.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceProgress {
    /// `name: FileSource[data/input]`.
    pub description: String,
    /// Where it started.
    pub start_offset: Option<Offset>,
    /// Where it ended.
    pub end_offset: Option<Offset>,
    /// How far it could have been read when the epoch was planned: topics say it by partition. As with Spark's file source there is
    /// none where a source counts what waits behind the end, `backlog`, and not where that ends.
    pub latest_offset: Option<Offset>,
    /// How much is known to wait behind it, in the unit of the source's limit.
    pub backlog: u64,
    /// Rows read.
    pub num_input_rows: u64,
    /// Rows that did not fit the columns: left out, or read with NULLs and then among the rows read too.
    pub num_bad_rows: u64,
    /// Rows read per second since the last epoch was triggered.
    pub input_rows_per_second: f64,
    /// Rows read per second of work on them.
    pub processed_rows_per_second: f64,
}

/// The state of one operator after an epoch.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateProgress {
    /// Its name.
    pub operator_name: String,
    /// Entries in all.
    pub num_rows_total: u64,
    /// Bytes of memory.
    pub memory_used_bytes: u64,
    /// Rows of the epoch that came too late.
    pub num_rows_dropped_by_watermark: u64,
}

/// What one epoch wrote to a sink.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkProgress {
    /// `name: FileSink[out]`.
    pub description: String,
    /// Rows written; 0 if the epoch was stored already.
    pub num_output_rows: u64,
}

/// Rows per second, 0 for no time at all.
pub(crate) fn per_second(rows: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { rows as f64 / seconds } else { 0.0 }
}

fn text<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}
