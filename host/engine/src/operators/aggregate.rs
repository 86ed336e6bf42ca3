//! `GROUP BY`: a state for each group.
//!
//! # Invariants
//!
//! - What a scatter sends is a row a group and no more, however many rows it saw: key and state of each aggregate. So a
//!   group's state is read, merged and written once an epoch.
//! - States are merged in a fixed order: what is stored, then the partitions one after the other.
//! - A group with an event time, which is a window's end or a time itself, is dropped on the way in if the *late* watermark
//!   covers that, and leaves once the *eviction* watermark does. Without event time in the key, and in complete mode,
//!   nothing is late and nothing leaves.
//! - With GROUPING SETS a row is in a group of each set: the keys that the set lacks are NULL there, and the set's number is
//!   the last key.
//! - Append emits a group when it leaves, update when it was touched, complete every one.

mod accumulators;
mod scatter;
mod shard;

pub(crate) use self::accumulators::{Accumulators, Aggregation, Aggregations};

use self::{scatter::GroupScatter, shard::GroupShard};
use super::{
    chain::Chain,
    late,
    layout::{Entries, Layout, column, column_of, instant},
    rows::Codec,
};
use crate::{
    EpochContext, Keyed, Kind, OneShard, OutputMode, Port, Result, ResultExt, Scatter, StepFacts, Wanted,
    event_time::span,
    sql::{Expression, Windows},
};
use arrow::{
    array::{ArrayRef, new_null_array},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
};
use datafusion_common::ScalarValue;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// An aggregation by key.
pub(crate) struct Aggregate {
    plan: Arc<Plan>,
    ports: Vec<Port>,
}

/// What scatters and shards of an aggregation share.
pub(crate) struct Plan {
    /// What happens to rows before they are grouped.
    pub(crate) before: Chain,
    pub(crate) keys: Vec<Key>,
    /// The sets of keys that rows are grouped by; none for all keys together.
    pub(crate) sets: Vec<KeySet>,
    /// Which key says when a group is final.
    pub(crate) time: Option<usize>,
    pub(crate) aggregates: Aggregations,
    /// What comes out of the ports of the shards, in this order.
    pub(crate) modes: Vec<OutputMode>,
    pub(crate) schema: SchemaRef,
    pub(crate) late: AtomicU64,
}

/// One column to group by.
pub(crate) enum Key {
    /// As it is.
    Plain(Expression),
    /// The windows of a time. In keys of state it is the window's start.
    Window { time: Expression, windows: Windows, of: DataType },
}

/// Some of the keys.
pub(crate) struct KeySet {
    /// Whether it has a key, for each of them but the last.
    pub(crate) has: Vec<bool>,
    /// Its number, which is the value of the last key: a bit for each key, 1 for one that it lacks.
    pub(crate) id: ScalarValue,
}

impl KeySet {
    /// The values to group by, of rows whose keys are `keys`.
    fn keys(&self, keys: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let rows = keys.first().map_or(0, |key| key.len());
        let own = keys.iter().zip(&self.has).map(|(key, has)| match has {
            true => key.clone(),
            false => new_null_array(key.data_type(), rows),
        });
        let id = self.id.to_array_of_size(rows).doing(Kind::Internal, || "the number of a set of keys")?;
        Ok(own.chain([id]).collect())
    }
}

impl Key {
    /// As a column of state. A window is known by its start.
    fn readable(&self) -> FieldRef {
        match self {
            Key::Plain(expression) => column_of(expression),
            Key::Window { .. } => column("window_start", &instant()),
        }
    }

    /// Its type in keys of state.
    pub(crate) fn stored(&self) -> &DataType {
        match self {
            Key::Plain(expression) => expression.data_type(),
            Key::Window { .. } => &DataType::Int64,
        }
    }
}

impl Plan {
    /// Whether groups become final.
    pub(crate) fn timed(&self) -> bool {
        self.time.is_some() && !self.modes.contains(&OutputMode::Complete)
    }

    /// For what is grouped by: the key as bytes.
    fn key_codec(&self) -> Result<Codec> {
        match self.keys.is_empty() {
            // All rows are one group: its key is the one value of this type.
            true => Codec::new([&DataType::Boolean]),
            false => Codec::new(self.keys.iter().map(Key::stored)),
        }
    }

    /// What a scatter sends: the key as bytes, then the states.
    fn pieces(&self) -> SchemaRef {
        let key = Arc::new(Field::new("key", DataType::Binary, false));
        Arc::new(Schema::new([key].into_iter().chain(self.aggregates.fields()).collect::<Vec<_>>()))
    }
}

impl Aggregate {
    /// `rows` are the columns of the rows before they are grouped.
    pub(crate) fn new(plan: Plan, rows: SchemaRef) -> Result<Self> {
        let main = plan.modes.iter().map(|mode| {
            let name = if Some(mode) == plan.modes.first() { String::new() } else { mode.to_string() };
            Port { name, schema: plan.schema.clone() }
        });
        let mut ports: Vec<Port> = main.collect();
        ports.push(late::port(rows));
        plan.key_codec()?;
        plan.aggregates.codec()?;
        Ok(Aggregate { plan: Arc::new(plan), ports })
    }
}

impl Keyed for Aggregate {
    fn facts(&self) -> StepFacts {
        let key = |key: &Key| match key {
            Key::Plain(expression) => expression.exact().to_owned(),
            Key::Window { time, windows, .. } => {
                let every = match windows.tumbling() {
                    true => String::new(),
                    false => format!(" every {}", span(windows.slide)),
                };
                format!("windows of {}{every} of {}", span(windows.size), time.exact())
            }
        };
        let keys: Vec<String> = self.plan.keys.iter().map(key).collect();
        let leaves = match (self.plan.time, self.plan.timed()) {
            (Some(_), true) => "a group leaves state when the watermark has passed it",
            _ => "every group stays in state for ever",
        };
        let sets = self.plan.sets.iter().map(|set| set.id.to_string()).collect::<Vec<_>>().join(", ");
        let sets = (!sets.is_empty()).then(|| format!("for each of the grouping sets {sets}"));
        StepFacts {
            description: format!("aggregate {}", self.plan.aggregates.names()),
            deterministic: true,
            digest: None,
            details: [format!("by {}", keys.join(", "))]
                .into_iter()
                .chain(sets)
                .chain([leaves.to_owned()])
                .collect(),
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
            false => self.plan.keys.iter().map(Key::readable).collect(),
        };
        let entries = Entries::Keys { key, value: self.plan.aggregates.readable() };
        Layout::new(self.timed(), entries)
    }

    fn scatter(&self, _: usize, cx: &EpochContext) -> Result<Box<dyn Scatter>> {
        Ok(Box::new(GroupScatter::new(self.plan.clone(), cx)?))
    }

    fn shard(&self, cx: &EpochContext) -> Result<OneShard> {
        Ok(GroupShard::new(self.plan.clone(), cx)?.into())
    }

    fn take_late(&self) -> u64 {
        self.plan.late.swap(0, Relaxed)
    }
}
