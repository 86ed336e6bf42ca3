//! What a query is, how it advances, and how it commits.
//!
//! A query runs in **epochs**. For each one the engine plans a range of every source, makes the plan of the
//! epoch durable, lets the batches of the range flow through the steps to the sinks, commits the sinks, and
//! makes the commit durable. After a crash the same epoch runs again over the same range.
//!
//! # Invariants
//!
//! - The engine knows Arrow, and nothing of Wasm, brokers, HTTP or formats: those arrive behind [`Source`],
//!   [`Step`] and [`Sink`].
//! - It touches no file but through [`CheckpointStore`] and asks no clock but [`Clock`].
//! - What a replay needs to repeat epoch *n* is in `offsets/n`, written before the first row of *n* is read.
//! - Memory is bounded by the batches in flight, never by the size of an epoch.

mod audit;
mod batch;
pub mod checkpoint;
mod clock;
mod dataflow;
mod error;
pub mod event_time;
mod function;
mod ids;
pub mod keyed;
pub mod operators;
pub mod plan;
mod progress;
mod query;
mod rebatch;
mod release;
mod run;
mod shards;
#[cfg(test)]
mod simulation;
mod sink;
mod source;
pub mod sql;
pub mod state;
mod step;
mod table;
mod trigger;
mod wanted;

pub use audit::{Audit, EpochOutcome};
pub use batch::{Batch, Origin, Place, Position};
pub use checkpoint::{CheckpointStore, Created};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use dataflow::Outbox;
pub use error::{Error, Kind, Result, ResultExt};
pub use function::{Argument, Function, FunctionSignature, LiveFunctions, NamedFunction};
pub use ids::{Epoch, Partition, QueryId};
pub use keyed::{Keyed, OneShard, Operator, Piece, Scatter, Scattered, ShardWorker};
pub use progress::{Phases, Progress, SinkProgress, SourceProgress, StateProgress};
pub use query::{MAX_STATE, Observer, Query, QuerySettings, Restart, Step as CommitStep, Stop};
pub use release::{Release, Releases};
pub use shards::{ShardEntries, ShardState, Timeline, hash};
pub use sink::{Begin, Begun, EpochWriter, Guarantee, OutputMode, Sink, Token};
pub use source::{BadRows, BatchStream, History, Offset, Planned, Range, Reach, Source, SourceFacts};
pub use step::{Batching, EpochContext, Port, Step, StepFacts, StepProgress, Worker};
pub use table::{Table, TableRows};
pub use trigger::Trigger;
pub use wanted::Wanted;
