//! States of groups of one shard: what is stored, and what the epoch adds.

use super::{Key, Plan, scatter::ends};
use crate::{
    EpochContext, Error, Kind, Operator, OutputMode, Piece, Result, ResultExt, ShardState, Timeline,
    event_time::InForce,
    operators::{chain::made, keys::KeyIndex, rows::Codec},
    sql::windows,
};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use std::sync::Arc;

/// Groups that are turned into rows at once.
const CHUNK: usize = 8192;

pub(super) struct GroupShard {
    plan: Arc<Plan>,
    in_force: InForce,
    keys: Codec,
    states: Codec,
    pieces: Vec<Piece>,
}

impl GroupShard {
    pub(super) fn new(plan: Arc<Plan>, cx: &EpochContext) -> Result<Self> {
        let (keys, states) = (plan.key_codec()?, plan.aggregates.codec()?);
        Ok(GroupShard { plan, in_force: cx.in_force, keys, states, pieces: Vec::new() })
    }

    /// Brings the touched groups up to date, and emits them in update mode.
    fn update(&self, state: &mut ShardState<'_>, out: &mut Vec<(usize, RecordBatch)>) -> Result<()> {
        let mut touched = KeyIndex::default();
        let mut of_rows = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let keys = piece.rows.column(0).as_binary::<i32>();
            let groups = piece.hashes.iter().zip(keys.iter().flatten());
            of_rows.push(groups.map(|(hash, key)| touched.number(*hash, key)).collect::<Vec<usize>>());
        }
        let groups = touched.into_keys();
        if groups.is_empty() {
            return Ok(());
        }
        let (mut of, stored) = self.stored(state, &groups)?;
        of.extend(of_rows.iter().flatten());
        let added = self.pieces.iter().map(|piece| piece.rows.columns().get(1..).unwrap_or_default());
        let states: Vec<&[ArrayRef]> = stored.as_deref().into_iter().chain(added).collect();
        let mut accumulators = self.plan.aggregates.accumulators()?;
        accumulators.merge(&states, &of, groups.len())?;
        let merged = accumulators.take_states()?;
        self.store(state, &groups, &merged)?;
        if let Some(port) = self.port(OutputMode::Update) {
            out.push((port, self.rows(groups.iter().map(|(_, key)| *key), &merged)?));
        }
        Ok(())
    }

    fn port(&self, mode: OutputMode) -> Option<usize> {
        self.plan.modes.iter().position(|of| *of == mode)
    }

    /// What is stored of groups: whose it is, and the states, if there are any.
    fn stored(
        &self,
        state: &ShardState<'_>,
        groups: &[(u64, &[u8])],
    ) -> Result<(Vec<usize>, Option<Vec<ArrayRef>>)> {
        let (mut of, mut stored) = (Vec::new(), Vec::new());
        for (at, (hash, key)) in groups.iter().enumerate() {
            if let Some(value) = state.get(*hash, key)? {
                of.push(at);
                stored.push(value);
            }
        }
        let states = (!of.is_empty()).then(|| self.states.decode(stored)).transpose()?;
        Ok((of, states))
    }

    fn store(&self, state: &mut ShardState<'_>, groups: &[(u64, &[u8])], states: &[ArrayRef]) -> Result<()> {
        let times = match self.plan.timed() {
            true => Some(self.times(&self.keys.decode(groups.iter().map(|(_, key)| *key))?)?),
            false => None,
        };
        let rows = self.states.encode(states)?;
        for (at, ((hash, key), row)) in groups.iter().zip(&rows).enumerate() {
            let time = times.as_ref().map(|times| if times.is_null(at) { i64::MAX } else { times.value(at) });
            state.put(*hash, key, row.data(), time)?;
        }
        Ok(())
    }

    fn times(&self, keys: &[ArrayRef]) -> Result<Int64Array> {
        let at = self.plan.time.unwrap_or_default();
        match (self.plan.keys.get(at), keys.get(at)) {
            (Some(key), Some(values)) => ends(key, values),
            _ => Err(Error::internal("a group has no time")),
        }
    }

    /// Lets go of the groups that are final, and emits them in append mode.
    fn evict(&self, state: &mut ShardState<'_>, out: &mut Vec<(usize, RecordBatch)>) -> Result<()> {
        let due = state.take_due(Timeline::EventTime, self.in_force.eviction.micros())?;
        for due in due.chunks(CHUNK) {
            let keys: Vec<(u64, &[u8])> = due.iter().map(|(_, key)| (crate::hash(key), &**key)).collect();
            if let Some(port) = self.port(OutputMode::Append) {
                let mut stored = Vec::with_capacity(keys.len());
                for (hash, key) in &keys {
                    stored.extend(state.get(*hash, key)?);
                }
                let states = self.states.decode(stored)?;
                out.push((port, self.rows(keys.iter().map(|(_, key)| *key), &states)?));
            }
            for (hash, key) in keys {
                state.remove(hash, key)?;
            }
        }
        Ok(())
    }

    fn everything(&self, state: &ShardState<'_>, out: &mut Vec<(usize, RecordBatch)>) -> Result<()> {
        let Some(port) = self.port(OutputMode::Complete) else { return Ok(()) };
        let mut entries: Vec<(&[u8], &[u8])> = state.scan().collect::<Result<_>>()?;
        entries.sort_unstable();
        for entries in entries.chunks(CHUNK) {
            let states = self.states.decode(entries.iter().map(|(_, value)| *value))?;
            out.push((port, self.rows(entries.iter().map(|(key, _)| *key), &states)?));
        }
        Ok(())
    }

    /// The rows that groups with these keys and states come to.
    fn rows<'k>(&self, keys: impl Iterator<Item = &'k [u8]>, states: &[ArrayRef]) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.plan.schema.fields().len());
        let keys = self.keys.decode(keys)?;
        let groups = keys.first().map_or(0, |key| key.len());
        for (key, values) in self.plan.keys.iter().zip(keys) {
            columns.push(match key {
                Key::Plain(_) => values,
                Key::Window { of, windows: fixed, .. } => {
                    let starts = values.as_primitive::<arrow::datatypes::Int64Type>();
                    let starts = starts.reinterpret_cast::<arrow::datatypes::TimestampMicrosecondType>();
                    let ends = arrow::compute::unary(&starts, |start: i64| start.saturating_add(fixed.size));
                    windows(of, starts, ends).doing(Kind::Internal, || "windows")?
                }
            });
        }
        let mut accumulators = self.plan.aggregates.accumulators()?;
        accumulators.merge(&[states], &(0..groups).collect::<Vec<_>>(), groups)?;
        columns.extend(accumulators.values()?);
        made(&self.plan.schema, columns, groups)
    }

    /// An aggregate over everything has a row even before there is any input, and is touched in every epoch.
    fn one_group_of_all(&mut self, state: &ShardState<'_>) -> Result<()> {
        if !self.plan.keys.is_empty() {
            return Ok(());
        }
        let all: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        let key = self.keys.encode(&[all])?;
        let key = key.row(0);
        let hash = crate::hash(key.data());
        if !state.owns(hash) || !self.pieces.is_empty() {
            return Ok(());
        }
        let states = self.plan.aggregates.accumulators()?.nothing()?;
        let key = Arc::new(arrow::array::BinaryArray::from(vec![key.data()])) as ArrayRef;
        let columns = [key].into_iter().chain(states).collect();
        self.pieces.push(Piece::new(made(&self.plan.pieces(), columns, 1)?, vec![hash]));
        Ok(())
    }
}

impl Operator for GroupShard {
    fn on_piece(&mut self, _: usize, piece: Piece) -> Result<()> {
        self.pieces.push(piece);
        Ok(())
    }

    fn on_epoch_end(
        &mut self,
        state: &mut ShardState<'_>,
        out: &mut Vec<(usize, RecordBatch)>,
    ) -> Result<()> {
        self.one_group_of_all(state)?;
        self.update(state, out)?;
        if self.plan.timed() {
            self.evict(state, out)?;
        }
        self.everything(state, out)
    }
}
