//! `JOIN` of two streams: rows of each side wait in state for those of the other.
//!
//! # Invariants
//!
//! - Rows of the left are matched with what is stored of the right, and stored; then rows of the right with what is stored
//!   of the left. So each pair is seen exactly once, whichever of the two comes first.
//! - A row leaves state once the *eviction* watermark says that nothing can come any more that would match it: `Due` has
//!   how that follows from the condition. Rows are stored with the watermark at which they leave, not with their own time.
//! - A row of an outer side that never matched comes out with NULLs when it leaves, and not before; one for which the
//!   condition cannot hold, whatever the other side has, comes out at once.
//! - A row whose own time the *late* watermark covers is dropped on the way in.
//! - NULL is equal to nothing, unless the condition is `<=>`.

mod scatter;
mod shard;
pub(super) mod store;
#[cfg(test)]
mod tests;

use self::{scatter::SideScatter, shard::JoinShard};
use super::{
    chain::Chain,
    late,
    layout::{Entries, Layout, column_of},
    rows::Codec,
};
use crate::{
    EpochContext, Keyed, OneShard, Port, Result, Scatter, StepFacts, Wanted,
    event_time::{Watermark, span},
    sql::Expression,
};
use arrow::datatypes::SchemaRef;
use datafusion_common::JoinType;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// A join of two streams.
pub(crate) struct StreamJoin {
    plan: Arc<Plan>,
    ports: Vec<Port>,
}

/// What scatters and shards of a join share.
pub(crate) struct Plan {
    /// Inner, left, right or full outer, or left semi.
    pub(crate) kind: JoinType,
    pub(crate) left: Side,
    pub(crate) right: Side,
    /// How many of the step's inputs are the left side's; the others are the right's.
    pub(crate) left_inputs: usize,
    /// Whether a NULL among the keys is equal to a NULL.
    pub(crate) null_safe: bool,
    /// What must hold beside the keys, over `pairs`.
    pub(crate) filter: Option<Expression>,
    /// The columns of the left, then those of the right.
    pub(crate) pairs: SchemaRef,
    /// What comes out.
    pub(crate) schema: SchemaRef,
    /// The columns of both sides for rows that come too late, which have NULLs for the other side.
    pub(crate) late_rows: SchemaRef,
    pub(crate) late: AtomicU64,
}

/// One side of a join.
pub(crate) struct Side {
    /// What happens to its rows before they are joined.
    pub(crate) before: Chain,
    /// Their columns then.
    pub(crate) schema: SchemaRef,
    /// What is to be equal to the other side's keys.
    pub(crate) keys: Vec<Expression>,
    /// The part of the condition that is about this side alone.
    pub(crate) own: Option<Expression>,
    /// The column that says whether a row is late.
    pub(crate) time: Option<usize>,
    /// When its rows leave state; never, if there is none.
    pub(crate) due: Option<Due>,
}

/// When a row leaves state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The key of this index is event time, or a window: once the watermark covers it.
    Key(usize),
    /// Once the watermark is so many milliseconds past the row's own time.
    After(i64),
}

impl Due {
    /// The largest event time that rows of its side can no longer have, at a watermark.
    fn state_watermark(self, input: Watermark) -> Watermark {
        match self {
            Due::Key(_) => input,
            Due::After(millis) => Watermark(input.0.saturating_sub(millis)),
        }
    }
}

/// Left or right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Left,
    Right,
}

impl Which {
    fn other(self) -> Which {
        match self {
            Which::Left => Which::Right,
            Which::Right => Which::Left,
        }
    }
}

impl Plan {
    fn side(&self, which: Which) -> &Side {
        match which {
            Which::Left => &self.left,
            Which::Right => &self.right,
        }
    }

    /// The side that an input of the step is of.
    fn of_input(&self, input: usize) -> Which {
        if input < self.left_inputs { Which::Left } else { Which::Right }
    }

    /// Whether rows of this side come out even if they match nothing.
    fn outer(&self, which: Which) -> bool {
        match which {
            Which::Left => matches!(self.kind, JoinType::Left | JoinType::Full),
            Which::Right => matches!(self.kind, JoinType::Right | JoinType::Full),
        }
    }

    fn semi(&self) -> bool {
        self.kind == JoinType::LeftSemi
    }

    /// Whether any row ever leaves state.
    fn timed(&self) -> bool {
        self.left.due.is_some() || self.right.due.is_some()
    }
}

impl Side {
    fn codec(&self) -> Result<Codec> {
        Codec::new(self.schema.fields().iter().map(|field| field.data_type()))
    }

    fn key_codec(&self) -> Result<Codec> {
        Codec::new(self.keys.iter().map(Expression::data_type))
    }

    fn leaves(&self) -> String {
        match self.due {
            None => "stay in state for ever".into(),
            Some(Due::Key(_)) => "leave state when the watermark has passed the time in their key".into(),
            Some(Due::After(millis)) => {
                format!(
                    "leave state when the watermark is {} past their time",
                    span(millis.saturating_mul(1000))
                )
            }
        }
    }
}

impl StreamJoin {
    pub(crate) fn new(plan: Plan) -> Result<Self> {
        for side in [&plan.left, &plan.right] {
            side.codec()?;
            side.key_codec()?;
        }
        let late = late::port(plan.late_rows.clone());
        let ports = vec![Port { name: String::new(), schema: plan.schema.clone() }, late];
        Ok(StreamJoin { plan: Arc::new(plan), ports })
    }
}

impl Keyed for StreamJoin {
    fn facts(&self) -> StepFacts {
        let kind = match self.plan.kind {
            JoinType::Left => "left outer join",
            JoinType::Right => "right outer join",
            JoinType::Full => "full outer join",
            JoinType::LeftSemi => "left semi join",
            _ => "inner join",
        };
        let (left, right) = (&self.plan.left, &self.plan.right);
        let keys = left.keys.iter().zip(&right.keys).map(|(l, r)| format!("{} = {}", l.exact(), r.exact()));
        let mut details = vec![format!("on {}", keys.collect::<Vec<_>>().join(" and "))];
        let conditions = [&left.own, &right.own, &self.plan.filter];
        details.extend(conditions.into_iter().flatten().map(|of| format!("where {}", of.text())));
        details.push(format!("rows of the left {}", left.leaves()));
        details.push(format!("rows of the right {}", right.leaves()));
        StepFacts { description: kind.into(), deterministic: true, digest: None, details }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn timed(&self) -> bool {
        self.plan.timed()
    }

    fn output_watermark(&self, input: Watermark) -> Watermark {
        // Rows that come out have the times of rows that waited.
        let sides = [&self.plan.left, &self.plan.right];
        let states = sides.into_iter().filter_map(|side| Some(side.due?.state_watermark(input)));
        states.fold(input, Watermark::min)
    }

    fn reads(&self, input: usize, _: &[Wanted]) -> Wanted {
        self.plan.side(self.plan.of_input(input)).before.reads(Wanted::All)
    }

    fn layout(&self) -> Layout {
        let Plan { left, right, .. } = &*self.plan;
        let key = left.keys.iter().map(column_of).collect();
        let fields = |side: &Side| side.schema.fields().to_vec();
        Layout::new(self.timed(), Entries::Joined { key, left: fields(left), right: fields(right) })
    }

    fn scatter(&self, input: usize, cx: &EpochContext) -> Result<Box<dyn Scatter>> {
        Ok(Box::new(SideScatter::new(self.plan.clone(), self.plan.of_input(input), cx)?))
    }

    fn shard(&self, cx: &EpochContext) -> Result<OneShard> {
        Ok(JoinShard::new(self.plan.clone(), cx)?.into())
    }

    fn take_late(&self) -> u64 {
        self.plan.late.swap(0, Relaxed)
    }
}
