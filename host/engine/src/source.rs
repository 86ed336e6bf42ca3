use crate::{Batch, Position, Result, Wanted};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::pin::Pin;

/// A replayable input.
///
/// # Life
///
/// `restore` once, then any number of: `wait` → `latest` → (the engine writes `offsets/n`) → `read` → (commit) →
/// `release`. After a crash, `read` is called for a range of an earlier process without `latest` before it, and
/// must yield the same rows in the same batches: **what `read` yields follows from its range, its partition count
/// and the data alone.**
///
/// # Failure
///
/// `Unavailable` is retried as the pipeline's `restart` says; anything else ends the query. Data that was in the
/// range and is gone is an error, never fewer rows.
#[async_trait]
pub trait Source: Send + Sync {
    /// What does not change while the query runs.
    fn facts(&self) -> SourceFacts;

    /// The columns of the batches of `range`; of the next range to be planned if none. They differ only where a
    /// source lets its schema evolve.
    fn schema(&self, range: Option<&Range>) -> Result<SchemaRef>;

    /// Takes back what the checkpoint knows of this source, before anything else is called.
    async fn restore(&self, history: History, reach: Reach) -> Result<()>;

    /// Plans the next range, from `start` (none: from the very beginning) on, as long as the limits of the source
    /// allow; none if nothing is new. Does not change what the next call answers: only `release` does.
    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>>;

    /// Returns when `latest` may have something new to say. May return early, must not return late by more than a
    /// few seconds. Cancelled by dropping it.
    async fn wait(&self);

    /// The rows of a range in at most `partitions` streams, each in order. Streams of one range are read at the
    /// same time.
    async fn read(&self, range: &Range, partitions: usize) -> Result<Vec<BatchStream>>;

    /// The epoch of `range` is committed for good: its input may be archived or deleted, its offset told to others.
    /// Called again after a restart for the last committed range, so it must be idempotent.
    ///
    /// Now and then, when it is worth it, answers everything that [`History::snapshot`] needs to hold; the engine
    /// keeps it, and drops the ranges before it.
    async fn release(&self, range: &Range) -> Result<Option<Bytes>>;

    /// Which of its columns anything behind it looks at; the engine says it each time that it has made the plan. In the
    /// others a source may put NULLs and save the work of reading them.
    fn want(&self, _columns: Wanted) {}

    /// The rows read since the last call that did not fit and were let through or left out, as the pipeline says; the
    /// engine asks once an epoch.
    fn bad_rows(&self) -> BadRows {
        BadRows::default()
    }

    /// How far it could have been read when the last range was planned, if the source knows that beside its backlog.
    fn newest(&self) -> Option<Offset> {
        None
    }

    /// Whether nothing can ever come behind what has been released: a query ends once this is so of all its sources.
    async fn has_ended(&self) -> bool {
        false
    }
}

/// Rows that did not fit the columns of their source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadRows {
    /// How many.
    pub count: u64,
    /// Where the first of them was, by file and position.
    pub first: Option<Position>,
}

impl BadRows {
    /// One of them, and where it was.
    pub fn one(at: Position) -> Self {
        BadRows { count: 1, first: Some(at) }
    }

    /// These and others. Partitions are read at the same time, so the first is the one that sorts first.
    pub fn add(&mut self, other: BadRows) {
        self.count += other.count;
        let both = self.first.take().into_iter().chain(other.first);
        self.first = both.min_by(|a, b| (&a.of, a.first).cmp(&(&b.of, b.first)));
    }
}

/// What a plan needs to know of a source.
#[derive(Clone, Debug)]
pub struct SourceFacts {
    /// For people and the progress: `FileSource[data/input]`.
    pub description: String,
    /// What its offsets are positions in, wherever the process was started. The checkpoint keeps it, and refuses another.
    pub identity: String,
    /// Whether the same range can be read again after a crash. Not so for a socket or standard input.
    pub replayable: bool,
    /// Whether `restore` needs every range since the newest snapshot, and not just the newest range. Then the
    /// engine keeps old offset records until a snapshot covers them.
    pub needs_history: bool,
    /// Whether `release` takes the input away, archived or deleted, so that its range cannot be read again.
    pub consumes: bool,
}

/// The batches of one partition.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<Batch>> + Send>>;

/// A position in a source, in the source's own JSON. Where one range ends the next one starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub Value);

/// What one epoch reads of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Where it starts; none for the very beginning.
    pub start: Option<Offset>,
    /// Where it ends, exclusive.
    pub end: Offset,
    /// Whatever else `read` needs to repeat it, such as the files it consists of.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

/// An answer of [`Source::latest`].
#[derive(Clone, Debug)]
pub struct Planned {
    /// What to read now.
    pub range: Range,
    /// How much is known to wait behind it, in the unit of the source's limit (files, bytes, rows).
    pub backlog: u64,
}

/// What the checkpoint knows of a source at the start.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The newest answer of `release`.
    pub snapshot: Option<Bytes>,
    /// Every range planned after it, in order, the ones not yet committed included.
    pub ranges: Vec<Range>,
}

/// How far a source may read, and whether its limits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// For ever, within the limits.
    Endless,
    /// What is there when the query starts, within the limits: `available-now`.
    AvailableNow,
    /// What is there when the query starts, in one range: `once`.
    Once,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bad_row_is_the_first_by_file_and_line_whoever_met_it_first() {
        let at = |of: &str, line| Position { of: Some(of.into()), unit: "line", first: line, last: line };
        let mut all = BadRows::default();
        for (of, line) in [("b.json", 1), ("a.json", 30), ("a.json", 4), ("c.json", 2)] {
            all.add(BadRows::one(at(of, line)));
        }
        all.add(BadRows::default());
        assert_eq!(all, BadRows { count: 4, first: Some(at("a.json", 4)) });
    }
}
