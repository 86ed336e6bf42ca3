use crate::{
    Epoch, EpochContext, Error, Partition, QueryId, Result, StepFacts, StepProgress, Timestamp,
    event_time::InForce,
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A place for output.
///
/// # Life
///
/// `accepts` while the pipeline is checked, `recall` and `open` once before the first epoch, then `begin` per epoch.
///
/// # Duties
///
/// A sink that promises [`Guarantee::ExactlyOnce`] is idempotent in (query id, sink name, epoch): an epoch that it
/// has stored already is answered with [`Begun::Stored`], and of two hosts that write the same epoch at the same
/// time only one's rows are ever seen.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Whether rows of this schema can be written in this mode, and what is promised. An error says what would work.
    fn accepts(&self, mode: OutputMode, schema: &SchemaRef) -> Result<Guarantee>;

    /// What this sink answered for the newest epoch that is committed; told before `open`, if there is such an epoch. A sink that keeps a
    /// mark of its own can tell by it whether the mark was lost.
    fn recall(&self, _committed: &Token) {}

    /// Finishes what a crashed process of this query left behind, and removes its leavings.
    async fn open(&self, query: &QueryId, name: &str) -> Result<()>;

    /// Starts to write an epoch.
    async fn begin(&self, epoch: &Begin) -> Result<Begun>;

    /// Of a sink that runs a plugin: for the plan, `explain` and the offset record.
    fn facts(&self) -> Option<StepFacts> {
        None
    }

    /// Of a sink that runs a plugin: what happened since the last call; the engine asks once an epoch.
    fn progress(&self) -> Option<StepProgress> {
        None
    }
}

/// What an epoch is, to a sink.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The query.
    pub query: QueryId,
    /// The sink's name in the pipeline.
    pub sink: String,
    /// The epoch.
    pub epoch: Epoch,
    /// Partitions are numbered below this.
    pub partitions: u32,
    /// The columns that will come.
    pub schema: SchemaRef,
    /// False under the continuous trigger: batches of one epoch come in several `begin`s, none may be answered with
    /// [`Begun::Stored`], and at-least-once is all that is promised.
    pub marked: bool,
    /// 0 on the first try of this epoch, higher on a replay.
    pub attempt: u32,
    /// The watermarks of the epoch; 0 without any.
    pub in_force: InForce,
    /// The epoch's processing time, the same on a replay.
    pub now: Timestamp,
}

impl Begin {
    /// The first try of an epoch of one partition at time 0: for writing to a sink outside a query, as tests do it.
    pub fn of(query: &str, sink: &str, epoch: u64, schema: SchemaRef) -> Self {
        Begin {
            query: QueryId(query.into()),
            sink: sink.into(),
            epoch: Epoch(epoch),
            partitions: 1,
            schema,
            marked: true,
            attempt: 0,
            in_force: InForce::default(),
            now: Timestamp(0),
        }
    }

    /// What a plugin may know of the epoch.
    pub fn context(&self) -> EpochContext {
        EpochContext {
            query: self.query.clone(),
            epoch: self.epoch,
            partition: Partition(0),
            attempt: self.attempt,
            in_force: self.in_force,
            now: self.now,
        }
    }
}

/// An answer of [`Sink::begin`].
pub enum Begun {
    /// This epoch is there already; nothing needs to be written.
    Stored(Token),
    /// Write to this.
    Writer(Box<dyn EpochWriter>),
}

/// Takes the rows of one epoch. Dropping it without `commit` abandons them: no reader ever sees one.
#[async_trait]
pub trait EpochWriter: Send + Sync {
    /// Takes rows of one partition, in order. Partitions are written at the same time, each by one caller.
    async fn write(&self, partition: Partition, rows: RecordBatch) -> Result<()>;

    /// Runs a statement once for each row of `parameters`, behind what was written and executed before and in the same
    /// transaction. `$1` stands for the first column, `$2` for the second. Answers how many rows that changed in all.
    async fn execute(&self, _statement: &str, _parameters: RecordBatch) -> Result<u64> {
        Err(Error::invalid("this output takes no statements; use an SQL output"))
    }

    /// Publishes everything written, durably. If another host has stored this epoch meanwhile, what was written is discarded
    /// and the other's token returned.
    async fn commit(self: Box<Self>) -> Result<Token>;
}

/// What a sink wants to have in the commit record of an epoch, in its own JSON: for people, and for a later start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub Value);

/// What a sink promises after crashes. A stronger promise is the greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarantee {
    /// Nothing.
    BestEffort,
    /// Every row, some perhaps more than once.
    AtLeastOnce,
    /// Every row once.
    ExactlyOnce,
}

/// Spark's output modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputMode {
    /// Only rows that will never change.
    #[default]
    Append,
    /// Rows that are new or have changed.
    Update,
    /// The whole result.
    Complete,
}

impl fmt::Display for OutputMode {
    /// As the pipeline file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OutputMode::Append => "append",
            OutputMode::Update => "update",
            OutputMode::Complete => "complete",
        })
    }
}
