//! The first row of each key of one shard.

use super::Plan;
use crate::{
    EpochContext, Kind, Operator, Piece, Result, ResultExt, ShardState, Timeline, event_time::Watermark,
    operators::chain::made,
};
use arrow::{
    array::{AsArray, RecordBatch, UInt32Array},
    compute::take_record_batch,
};
use std::sync::Arc;

pub(super) struct FirstOfAll {
    plan: Arc<Plan>,
    eviction: Watermark,
    pieces: Vec<Piece>,
}

impl FirstOfAll {
    pub(super) fn new(plan: Arc<Plan>, cx: &EpochContext) -> Self {
        FirstOfAll { plan, eviction: cx.in_force.eviction, pieces: Vec::new() }
    }

    /// The rows of a piece whose keys have no entry yet; now they have one.
    fn first(&self, state: &mut ShardState<'_>, piece: &Piece) -> Result<RecordBatch> {
        let keys = piece.rows.column(0).as_binary::<i32>();
        let columns = piece.rows.columns().get(1..).unwrap_or_default().to_vec();
        let rows = made(&self.plan.schema, columns, piece.rows.num_rows())?;
        let expiry = self.plan.expiry(&rows)?;
        let mut first = Vec::new();
        for (row, (hash, key)) in piece.hashes.iter().zip(keys.iter().flatten()).enumerate() {
            if state.get(*hash, key)?.is_none() {
                state.put(*hash, key, &[], expiry.as_ref().map(|at| at.value(row)))?;
                first.push(row as u32);
            }
        }
        if first.len() == rows.num_rows() {
            return Ok(rows);
        }
        take_record_batch(&rows, &UInt32Array::from(first)).doing(Kind::Internal, || "the first rows of keys")
    }
}

impl Operator for FirstOfAll {
    fn on_piece(&mut self, _: usize, piece: Piece) -> Result<()> {
        self.pieces.push(piece);
        Ok(())
    }

    fn on_epoch_end(
        &mut self,
        state: &mut ShardState<'_>,
        out: &mut Vec<(usize, RecordBatch)>,
    ) -> Result<()> {
        for piece in std::mem::take(&mut self.pieces) {
            out.push((0, self.first(state, &piece)?));
        }
        if self.plan.timed() {
            for (_, key) in state.take_due(Timeline::EventTime, self.eviction.micros())? {
                state.remove(crate::hash(&key), &key)?;
            }
        }
        Ok(())
    }
}
