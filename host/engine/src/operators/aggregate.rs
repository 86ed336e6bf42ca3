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
//! - Append emits a group when it leaves, update when it was touched, complete every one.

mod scatter;
mod shard;

use self::{scatter::GroupScatter, shard::GroupShard};
use super::{chain::Chain, rows::Codec};
use crate::{
    EpochContext, Error, Keyed, Kind, Operator, OutputMode, Port, Result, ResultExt, Scatter, StepFacts,
    sql::{Expression, Windows},
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_expr::GroupsAccumulator;
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::GroupsAccumulatorAdapter;
use datafusion_physical_expr::{PhysicalExpr, aggregate::AggregateFunctionExpr};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The name of the port of rows that came too late.
pub(crate) const LATE: &str = "late";

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
    /// Which key says when a group is final.
    pub(crate) time: Option<usize>,
    pub(crate) aggregates: Vec<Aggregation>,
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

impl Key {
    /// Its type in keys of state.
    pub(crate) fn stored(&self) -> &DataType {
        match self {
            Key::Plain(expression) => expression.data_type(),
            Key::Window { .. } => &DataType::Int64,
        }
    }
}

/// One aggregate function and what it is of.
pub(crate) struct Aggregation {
    /// As people write it.
    pub(crate) text: String,
    pub(crate) function: Arc<AggregateFunctionExpr>,
    pub(crate) arguments: Vec<Arc<dyn PhysicalExpr>>,
    pub(crate) filter: Option<Arc<dyn PhysicalExpr>>,
    /// The types of its state.
    pub(crate) state: Vec<DataType>,
}

impl Aggregation {
    pub(crate) fn new(
        text: String,
        function: Arc<AggregateFunctionExpr>,
        filter: Option<Arc<dyn PhysicalExpr>>,
    ) -> Result<Self> {
        let doing = || format!("SQL: {text} over a stream");
        let state = function.state_fields().doing(Kind::Invalid, doing)?;
        let state = state.iter().map(|field| field.data_type().clone()).collect();
        Ok(Aggregation { text, arguments: function.expressions(), function, filter, state })
    }

    fn accumulator(&self) -> Result<Box<dyn GroupsAccumulator>> {
        let doing = || self.text.clone();
        if self.function.groups_accumulator_supported() {
            return self.function.create_groups_accumulator().doing(Kind::Internal, doing);
        }
        let function = self.function.clone();
        Ok(Box::new(GroupsAccumulatorAdapter::new(move || function.create_accumulator())))
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

    fn state_codec(&self) -> Result<Codec> {
        Codec::new(self.aggregates.iter().flat_map(|aggregate| &aggregate.state))
    }

    fn accumulators(&self) -> Result<Vec<Box<dyn GroupsAccumulator>>> {
        self.aggregates.iter().map(Aggregation::accumulator).collect()
    }

    /// What a scatter sends: the key as bytes, then the states.
    fn pieces(&self) -> SchemaRef {
        let states = self.aggregates.iter().flat_map(|aggregate| &aggregate.state);
        let states = states.enumerate().map(|(i, of)| Field::new(format!("state{i}"), of.clone(), true));
        let key = Field::new("key", DataType::Binary, false);
        Arc::new(Schema::new([key].into_iter().chain(states).collect::<Vec<_>>()))
    }
}

impl Aggregate {
    /// `late` are the columns of the rows before they are grouped.
    pub(crate) fn new(plan: Plan, late: SchemaRef) -> Result<Self> {
        let main = plan.modes.iter().map(|mode| {
            let name = if Some(mode) == plan.modes.first() { String::new() } else { mode.to_string() };
            Port { name, schema: plan.schema.clone() }
        });
        let mut ports: Vec<Port> = main.collect();
        ports.push(Port { name: LATE.to_owned(), schema: late });
        plan.key_codec()?;
        plan.state_codec()?;
        Ok(Aggregate { plan: Arc::new(plan), ports })
    }
}

impl Keyed for Aggregate {
    fn facts(&self) -> StepFacts {
        let key = |key: &Key| match key {
            Key::Plain(expression) => expression.text().to_owned(),
            Key::Window { time, windows, .. } => {
                format!(
                    "windows of {} ms every {} ms of {}",
                    windows.size / 1000,
                    windows.slide / 1000,
                    time.text()
                )
            }
        };
        let keys: Vec<String> = self.plan.keys.iter().map(key).collect();
        let values: Vec<&str> = self.plan.aggregates.iter().map(|of| of.text.as_str()).collect();
        let leaves = match (self.plan.time, self.plan.timed()) {
            (Some(_), true) => "a group leaves state when the watermark has passed it",
            _ => "every group stays in state for ever",
        };
        StepFacts {
            description: format!("aggregate {}", values.join(", ")),
            deterministic: true,
            digest: None,
            details: vec![format!("by {}", keys.join(", ")), leaves.to_owned()],
        }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn shard_ports(&self) -> usize {
        self.plan.modes.len()
    }

    fn waits_for_watermark(&self) -> bool {
        self.plan.timed()
    }

    fn timed(&self) -> bool {
        self.plan.timed()
    }

    fn scatter(&self, _: usize, cx: &EpochContext) -> Result<Box<dyn Scatter>> {
        Ok(Box::new(GroupScatter::new(self.plan.clone(), cx)?))
    }

    fn operator(&self, cx: &EpochContext) -> Result<Box<dyn Operator>> {
        Ok(Box::new(GroupShard::new(self.plan.clone(), cx)?))
    }

    fn take_late(&self) -> u64 {
        self.plan.late.swap(0, Relaxed)
    }
}

/// An accumulator's failure: a sum that overflows is a row's fault.
fn accumulating<T>(answer: datafusion_common::Result<T>, of: &Aggregation) -> Result<T> {
    answer.map_err(|e| Error::new(Kind::Data, of.text.clone()).caused_by(e))
}
