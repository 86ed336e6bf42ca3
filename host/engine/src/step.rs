use crate::{
    Batch, Epoch, Partition, QueryId, Result, Timestamp, Wanted,
    event_time::{InForce, Times},
};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

/// Stateless work on batches that may have to wait: a plugin.
///
/// The engine asks for a [`Worker`] per lane, keeps workers over epochs, and hands each batch to one worker at a
/// time. Several lanes of one partition run in parallel; the engine puts their answers back in order.
#[async_trait]
pub trait Step: Send + Sync {
    /// For the plan and `explain`.
    fn facts(&self) -> StepFacts;

    /// What leaves: the main output first, then side outputs by name.
    fn ports(&self) -> &[Port];

    /// Which columns of what comes in it has to see, if those are wanted that are given for each port.
    fn reads(&self, _wanted: &[Wanted]) -> Wanted {
        Wanted::All
    }

    /// How large the batches should be that come in.
    fn batching(&self) -> Batching;

    /// A new worker; called as often as there are lanes, and again after a worker has failed.
    async fn worker(&self) -> Result<Box<dyn Worker>>;

    /// What happened since the last call; the engine asks once an epoch.
    fn progress(&self) -> StepProgress;

    /// A hash of what it put out since the last call, if it promises the same output for the same input; the engine asks once an epoch.
    fn fingerprint(&self) -> Option<u64> {
        None
    }

    /// If it has a watermark: how far, in milliseconds, that stays behind, and the event times since the last call.
    fn event_time(&self) -> Option<(i64, Option<Times>)> {
        None
    }
}

/// One lane of a [`Step`].
#[async_trait]
pub trait Worker: Send {
    /// Works on one batch and appends what leaves, each with the index of its port. An error fails the epoch; the worker
    /// is then dropped.
    async fn process(&mut self, cx: &EpochContext, batch: Batch, out: &mut Vec<(usize, Batch)>)
    -> Result<()>;
}

/// One output of a step.
#[derive(Clone, Debug)]
pub struct Port {
    /// Empty for the main output; otherwise `from = "step.<name>"`.
    pub name: String,
    /// The columns of its batches.
    pub schema: SchemaRef,
}

/// What a plan needs to know of a step.
#[derive(Clone, Debug)]
pub struct StepFacts {
    /// For people: `plugin filter-threshold 0.1.0 (sha256:…)`.
    pub description: String,
    /// Whether the same input gives the same output bytes, so that several sinks agree after a replay.
    pub deterministic: bool,
    /// Digest of the code, recorded in the offset log.
    pub digest: Option<String>,
    /// Further lines for `explain`: columns read, grants, limits.
    pub details: Vec<String>,
}

/// How large batches should be. Smaller ones are joined while more input is at hand, larger ones are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Aim for this many rows.
    pub target_rows: usize,
    /// Never more than this many rows.
    pub max_rows: usize,
    /// Never more than this many bytes, unless a single row has more.
    pub max_bytes: usize,
}

/// What a step may know of the epoch it works in.
#[derive(Clone, Debug)]
pub struct EpochContext {
    /// The query.
    pub query: QueryId,
    /// The epoch.
    pub epoch: Epoch,
    /// The partition the batch belongs to.
    pub partition: Partition,
    /// 0 on the first try of this epoch, higher on a replay.
    pub attempt: u32,
    /// The watermarks of the epoch; 0 without any.
    pub in_force: InForce,
    /// The epoch's processing time, the same on a replay.
    pub now: Timestamp,
}

impl EpochContext {
    /// The first try of epoch 0 at time 0: for work on batches outside a query, as tests and measurements of a step do it.
    pub fn alone(query: &str) -> Self {
        EpochContext {
            query: QueryId(query.into()),
            epoch: Epoch(0),
            partition: Partition(0),
            attempt: 0,
            in_force: InForce::default(),
            now: Timestamp(0),
        }
    }
}

/// What a step did in one epoch.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepProgress {
    /// Calls into the plugin.
    pub calls: u64,
    /// Rows in.
    pub rows_in: u64,
    /// Rows out, all ports but dead letters.
    pub rows_out: u64,
    /// Rows in error.
    pub rows_error: u64,
    /// Microseconds in calls, summed over lanes.
    pub micros: u64,
    /// Bytes copied to the plugin.
    pub bytes_in: u64,
    /// Bytes copied from the plugin.
    pub bytes_out: u64,
    /// Largest memory of one instance, in bytes.
    pub peak_memory: u64,
    /// Counters and gauges that the plugin itself reported, by name.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub metrics: serde_json::Map<String, Value>,
}
