//! `GROUP BY session_window(time, gap)`: rows of a key that follow each other closely.
//!
//! # Invariants
//!
//! - A row alone is a session from its time to its time plus the gap. Two sessions of a key are one if they overlap **or
//!   touch**: a row at the very end of a session belongs to it. The end of the whole is the latest end of its parts, so with
//!   a gap of its own a row may be without influence on the end.
//! - A row without a time is in no session, nor one whose gap is not above zero, is NULL, or is no length of time.
//! - A row is late by the end of the session that it alone would be, even if one is open that it would join; in complete mode
//!   too, unlike rows in other groups. So has Spark it.
//! - The state of a key is the list of its sessions by time, none of which touches another; the time of its entry is the end
//!   of the first. A session leaves, and in append mode is emitted, once the *eviction* watermark covers its end.

mod scatter;
mod shard;
pub(super) mod spans;
#[cfg(test)]
mod tests;

use self::{scatter::SessionScatter, shard::SessionShard, spans::Span};
use super::{
    aggregate::Aggregations,
    chain::Chain,
    late,
    layout::{Entries, Layout, column, column_of},
    rows::Codec,
};
use crate::{
    EpochContext, Error, Keyed, OneShard, OutputMode, Port, Result, Scatter, StepFacts, Wanted,
    event_time::span,
    sql::{Expression, length_of_time},
};
use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The index of the port of rows that came too late.
const LATE_PORT: usize = 1;

/// An aggregation by session.
pub(crate) struct Sessions {
    plan: Arc<Plan>,
    ports: Vec<Port>,
}

/// What scatters and shards share.
pub(crate) struct Plan {
    /// What happens to rows before they are grouped.
    pub(crate) before: Chain,
    /// What else is grouped by.
    pub(crate) keys: Vec<Expression>,
    /// Before which of the keys the session comes out.
    pub(crate) place: usize,
    pub(crate) time: Expression,
    pub(crate) gap: Gap,
    /// The type of a session.
    pub(crate) of: DataType,
    pub(crate) aggregates: Aggregations,
    /// Whether there is a watermark.
    pub(crate) watermark: bool,
    /// Append or complete.
    pub(crate) mode: OutputMode,
    pub(crate) schema: SchemaRef,
    pub(crate) late: AtomicU64,
}

/// How long after a row its session ends.
pub(crate) enum Gap {
    /// So many microseconds.
    Fixed(i64),
    /// A text of its own for each row.
    OfRow(Expression),
}

impl Gap {
    /// The gap of each row, in microseconds; none where the row is in no session.
    fn micros(&self, rows: &RecordBatch) -> Result<Int64Array> {
        match self {
            Gap::Fixed(micros) => Ok(Int64Array::from(vec![*micros; rows.num_rows()])),
            Gap::OfRow(expression) => {
                let texts = expression.evaluate(rows)?;
                let texts = texts.as_string_opt::<i32>();
                let texts = texts.ok_or_else(|| Error::internal("the gap of a session is a text"))?;
                let micros = |text: Option<&str>| {
                    let micros = text.map(length_of_time).transpose()?.flatten();
                    Ok(micros.filter(|micros| *micros > 0))
                };
                texts.iter().map(micros).collect()
            }
        }
    }
}

impl Plan {
    /// Whether sessions leave.
    fn timed(&self) -> bool {
        self.mode == OutputMode::Append
    }

    fn key_codec(&self) -> Result<Codec> {
        match self.keys.is_empty() {
            // All rows have one key: the one value of this type.
            true => Codec::new([&DataType::Boolean]),
            false => Codec::new(self.keys.iter().map(Expression::data_type)),
        }
    }

    fn key_columns(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        if self.keys.is_empty() {
            return Ok(vec![Arc::new(BooleanArray::from(vec![true; rows.num_rows()]))]);
        }
        self.keys.iter().map(|key| key.evaluate(rows)).collect()
    }

    /// What a scatter sends: the key as bytes, the session, then the states.
    fn pieces(&self) -> SchemaRef {
        let own = [("key", DataType::Binary), ("start", DataType::Int64), ("end", DataType::Int64)];
        let own = own.map(|(name, of)| Arc::new(Field::new(name, of, false)));
        Arc::new(Schema::new(own.into_iter().chain(self.aggregates.fields()).collect::<Vec<_>>()))
    }
}

impl Sessions {
    /// `rows` are the columns of the rows before they are grouped.
    pub(crate) fn new(plan: Plan, rows: SchemaRef) -> Result<Self> {
        plan.key_codec()?;
        plan.aggregates.codec()?;
        let ports = vec![Port { name: String::new(), schema: plan.schema.clone() }, late::port(rows)];
        Ok(Sessions { plan: Arc::new(plan), ports })
    }
}

impl Keyed for Sessions {
    fn facts(&self) -> StepFacts {
        let gap = match &self.plan.gap {
            Gap::Fixed(micros) => span(*micros),
            Gap::OfRow(expression) => expression.exact().to_owned(),
        };
        let keys: Vec<&str> = self.plan.keys.iter().map(Expression::exact).collect();
        let leaves = match self.plan.timed() {
            true => "a session leaves state when the watermark has passed its end",
            false => "every session stays in state for ever",
        };
        StepFacts {
            description: format!("aggregate {}", self.plan.aggregates.names()),
            deterministic: true,
            digest: None,
            details: vec![
                format!("by sessions of {} with a gap of {gap}", self.plan.time.exact()),
                format!("by {}", if keys.is_empty() { "nothing else".into() } else { keys.join(", ") }),
                leaves.to_owned(),
            ],
        }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn timed(&self) -> bool {
        self.plan.timed()
    }

    fn reads(&self, _: usize, _: &[Wanted]) -> Wanted {
        self.plan.before.reads(Wanted::All)
    }

    fn layout(&self) -> Layout {
        let key = match self.plan.keys.is_empty() {
            true => vec![column("all", &DataType::Boolean)],
            false => self.plan.keys.iter().map(column_of).collect(),
        };
        let entries = Entries::Sessions { key, value: self.plan.aggregates.readable() };
        Layout::new(self.timed(), entries)
    }

    fn scatter(&self, _: usize, cx: &EpochContext) -> Result<Box<dyn Scatter>> {
        Ok(Box::new(SessionScatter::new(self.plan.clone(), cx)?))
    }

    fn shard(&self, cx: &EpochContext) -> Result<OneShard> {
        Ok(SessionShard::new(self.plan.clone(), cx)?.into())
    }

    fn take_late(&self) -> u64 {
        self.plan.late.swap(0, Relaxed)
    }
}
