//! `drop-duplicates = { keys }` and `SELECT DISTINCT`: of the rows with the same key, the first one passes.
//!
//! # Invariants
//!
//! - The first row of a key is the first in the order of partitions, and in its partition the first by position. What
//!   passed in an earlier epoch was before all of them.
//! - With an event time among the keys an entry leaves once the *eviction* watermark covers that. Within the watermark it
//!   leaves once that covers the event time of the row that passed, plus the delay; no later row renews it, and it stops
//!   other rows until it has left. Else an entry stays for ever.
//! - Where rows have a watermark, one that the *late* watermark covers never passes, whatever the keys are.
//! - In keys NULLs are equal. A row without event time is not late; its entry stays for ever, or, within the watermark, as
//!   if its time were 1970-01-01 00:00:00. So has Spark it.

mod scatter;
mod shard;
#[cfg(test)]
mod tests;

use self::{scatter::FirstOfPartition, shard::FirstOfAll};
use super::{
    chain::Chain,
    keys::final_at,
    late,
    layout::{Entries, Layout, column as field},
    rows::{Codec, column},
};
use crate::{
    EpochContext, Error, Keyed, OneShard, Port, Result, Scatter, StepFacts, Wanted,
    event_time::{Watermark, span},
    sql,
};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The index of the port of rows that came too late.
const LATE_PORT: usize = 1;

/// Lets the first row of each key pass.
pub struct DropDuplicates {
    plan: Arc<Plan>,
    ports: Vec<Port>,
}

/// What scatters and shards share.
struct Plan {
    /// What happens to rows before.
    before: Chain,
    /// The columns of the key.
    keys: Vec<usize>,
    /// The column of event time by which a row is late.
    time: Option<usize>,
    leaves: Leaves,
    schema: SchemaRef,
    late: AtomicU64,
}

/// When an entry leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    Never,
    /// When its event time is final.
    AtTime,
    /// So many microseconds after its event time.
    After(i64),
}

impl DropDuplicates {
    /// Of rows of `schema`. Duplicates agree in the columns `keys`, or in all columns if none are named.
    /// `within_watermark`: duplicates that come at most the watermark's delay after the first are dropped, and that is how
    /// long a key is remembered. [`Kind::Invalid`](crate::Kind::Invalid) if a column is not there, or the watermark.
    pub fn new(schema: &SchemaRef, keys: Option<&[String]>, within_watermark: bool) -> Result<Self> {
        let keys = match keys {
            None => (0..schema.fields().len()).collect(),
            Some([]) => {
                return Err(Error::invalid("keys is empty; name columns, or leave it out for all columns"));
            }
            Some(names) => names.iter().map(|name| column(schema, name)).collect::<Result<_>>()?,
        };
        DropDuplicates::after(Chain { parts: Vec::new() }, schema, keys, within_watermark)
    }

    /// Of what `before` makes of rows.
    pub(crate) fn after(
        before: Chain,
        schema: &SchemaRef,
        keys: Vec<usize>,
        within_watermark: bool,
    ) -> Result<Self> {
        for field in keys.iter().filter_map(|key| schema.fields().get(*key)) {
            Codec::new([field.data_type()])
                .map_err(|e| e.while_doing(format!("column `{}`", field.name())))?;
        }
        let (time, leaves) = event_time(schema, &keys, within_watermark)?;
        let ports = vec![Port { name: String::new(), schema: schema.clone() }, late::port(schema.clone())];
        let late = AtomicU64::new(0);
        Ok(DropDuplicates {
            plan: Arc::new(Plan { before, keys, time, leaves, schema: schema.clone(), late }),
            ports,
        })
    }
}

/// The column of event time, and when an entry leaves.
fn event_time(schema: &Schema, keys: &[usize], within_watermark: bool) -> Result<(Option<usize>, Leaves)> {
    let delay = |at: usize| schema.fields().get(at).and_then(|field| sql::delay(field));
    let is_time = |at: &usize| schema.fields().get(*at).is_some_and(|field| sql::is_event_time(field));
    let first = |mut of: std::ops::Range<usize>| of.find(is_time);
    let any = first(0..schema.fields().len());
    if within_watermark {
        let of = any.and_then(|at| Some((at, delay(at)?)));
        let (time, delay) = of.ok_or_else(|| {
            Error::invalid(
                "within-watermark needs a watermark; add watermark = { column = \"…\", delay = \"10 minutes\" } to this step, or to a source or step above it",
            )
        })?;
        return Ok((Some(time), Leaves::After(delay.saturating_mul(1000))));
    }
    match keys.iter().copied().find(is_time) {
        Some(key) => Ok((Some(key), Leaves::AtTime)),
        None => Ok((any, Leaves::Never)),
    }
}

impl Plan {
    fn timed(&self) -> bool {
        self.leaves != Leaves::Never
    }

    fn codec(&self) -> Result<Codec> {
        let field = |key: &usize| self.schema.fields().get(*key).map(|field| field.data_type());
        match self.keys.is_empty() {
            // Rows without columns are all the same.
            true => Codec::new([&DataType::Boolean]),
            false => Codec::new(self.keys.iter().filter_map(field)),
        }
    }

    fn key_columns<'r>(&self, rows: &'r RecordBatch) -> impl Iterator<Item = ArrayRef> + use<'_, 'r> {
        let all = self
            .keys
            .is_empty()
            .then(|| Arc::new(arrow::array::BooleanArray::from(vec![true; rows.num_rows()])) as ArrayRef);
        self.keys.iter().map(|key| rows.column(*key).clone()).chain(all)
    }

    /// What a scatter sends: the key as bytes, then the row.
    fn pieces(&self) -> SchemaRef {
        let key = Arc::new(Field::new("key", DataType::Binary, false));
        Arc::new(Schema::new(
            [key].into_iter().chain(self.schema.fields().iter().cloned()).collect::<Vec<_>>(),
        ))
    }

    /// The rows in time, and those that are late, if there are any.
    fn in_time(&self, rows: &RecordBatch, late: Watermark) -> Result<Option<(RecordBatch, RecordBatch)>> {
        let Some(time) = self.time else { return Ok(None) };
        let split = late::split(rows, &final_at(rows.column(time))?, late)?;
        if let Some((_, late)) = &split {
            self.late.fetch_add(late.num_rows() as u64, Relaxed);
        }
        Ok(split)
    }

    /// When the entries of these rows leave; none if they never do.
    fn expiry(&self, rows: &RecordBatch) -> Result<Option<Int64Array>> {
        let Some(time) = self.time.filter(|_| self.timed()) else { return Ok(None) };
        let times = final_at(rows.column(time))?;
        let at = times.iter().map(|time| match (self.leaves, time) {
            (Leaves::After(delay), time) => time.unwrap_or(0).saturating_add(delay),
            (_, time) => time.unwrap_or(i64::MAX),
        });
        Ok(Some(Int64Array::from_iter_values(at)))
    }
}

impl Keyed for DropDuplicates {
    fn facts(&self) -> StepFacts {
        let keys = self.plan.keys.iter().filter_map(|key| self.plan.schema.fields().get(*key));
        let keys: Vec<&str> = keys.map(|field| field.name().as_str()).collect();
        let leaves = match self.plan.leaves {
            Leaves::Never => "every key stays in state for ever".to_owned(),
            Leaves::AtTime => "a key leaves state when the watermark has passed it".to_owned(),
            Leaves::After(delay) => {
                format!("a key leaves state {} after its first row, by the watermark", span(delay))
            }
        };
        StepFacts {
            description: "drop duplicates".into(),
            deterministic: true,
            digest: None,
            details: vec![format!("by {}", keys.join(", ")), leaves],
        }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn timed(&self) -> bool {
        self.plan.timed()
    }

    fn reads(&self, _: usize, wanted: &[Wanted]) -> Wanted {
        let own = self.plan.keys.iter().copied().chain(self.plan.time).collect();
        self.plan.before.reads(wanted.iter().cloned().fold(own, Wanted::and))
    }

    fn layout(&self) -> Layout {
        let key = match self.plan.keys.is_empty() {
            true => vec![field("all", &DataType::Boolean)],
            false => {
                self.plan.keys.iter().filter_map(|key| self.plan.schema.fields().get(*key).cloned()).collect()
            }
        };
        Layout::new(self.timed(), Entries::Keys { key, value: Vec::new() })
    }

    fn scatter(&self, _: usize, cx: &EpochContext) -> Result<Box<dyn Scatter>> {
        Ok(Box::new(FirstOfPartition::new(self.plan.clone(), cx)?))
    }

    fn shard(&self, cx: &EpochContext) -> Result<OneShard> {
        Ok(FirstOfAll::new(self.plan.clone(), cx).into())
    }

    fn take_late(&self) -> u64 {
        self.plan.late.swap(0, Relaxed)
    }
}
