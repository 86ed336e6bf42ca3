//! `LIMIT`: so many rows, and no more.
//!
//! # Invariants
//!
//! - In append mode they are the first of the whole stream: how many have passed is in the state. In complete mode they are
//!   the first of each result.
//! - First is what is first in the order of partitions, and in a partition by position.

use super::{
    chain::Chain,
    layout::{Entries, Layout},
    one_shard::{KEY, ToOneShard},
};
use crate::{
    EpochContext, Error, Keyed, OneShard, Operator, OutputMode, Piece, Port, Result, Scatter, ShardState,
    StepFacts, Wanted,
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use std::sync::Arc;

/// Lets the first rows pass.
pub(crate) struct Limit {
    before: Arc<Chain>,
    most: u64,
    mode: OutputMode,
    ports: Vec<Port>,
}

impl Limit {
    /// The first `most` rows of what `before` makes of rows, which has the columns of `schema`.
    pub(crate) fn new(before: Chain, most: u64, mode: OutputMode, schema: SchemaRef) -> Self {
        let ports = vec![Port { name: String::new(), schema }];
        Limit { before: Arc::new(before), most, mode, ports }
    }
}

impl Keyed for Limit {
    fn facts(&self) -> StepFacts {
        let of = if self.mode == OutputMode::Complete { "of each result" } else { "of the whole stream" };
        StepFacts {
            description: format!("the first {} rows {of}", self.most),
            deterministic: true,
            digest: None,
            details: Vec::new(),
        }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn has_result(&self) -> bool {
        false
    }

    fn reads(&self, _: usize, _: &[Wanted]) -> Wanted {
        self.before.reads(Wanted::All)
    }

    fn layout(&self) -> Layout {
        let entries = if self.mode == OutputMode::Complete { Entries::Nothing } else { Entries::Count };
        Layout::new(false, entries)
    }

    fn scatter(&self, _: usize, cx: &EpochContext) -> Result<Box<dyn Scatter>> {
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        Ok(Box::new(ToOneShard::new(self.before.clone(), most, cx)))
    }

    fn shard(&self, _: &EpochContext) -> Result<OneShard> {
        Ok(Counting { most: self.most, mode: self.mode, rows: Vec::new() }.into())
    }
}

struct Counting {
    most: u64,
    mode: OutputMode,
    rows: Vec<RecordBatch>,
}

impl Counting {
    fn passed(&self, state: &ShardState<'_>) -> Result<u64> {
        if self.mode == OutputMode::Complete {
            return Ok(0);
        }
        let Some(stored) = state.get(crate::hash(KEY), KEY)? else { return Ok(0) };
        let stored = stored.try_into().map_err(|_| Error::internal("the count of a LIMIT has 8 bytes"))?;
        Ok(u64::from_le_bytes(stored))
    }
}

impl Operator for Counting {
    fn on_piece(&mut self, _: usize, piece: Piece) -> Result<()> {
        self.rows.push(piece.rows);
        Ok(())
    }

    fn on_epoch_end(
        &mut self,
        state: &mut ShardState<'_>,
        out: &mut Vec<(usize, RecordBatch)>,
    ) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut passed = self.passed(state)?;
        for rows in std::mem::take(&mut self.rows) {
            let left = self.most.saturating_sub(passed).min(rows.num_rows() as u64);
            passed += left;
            if left > 0 {
                out.push((0, rows.slice(0, left as usize)));
            }
        }
        match self.mode {
            OutputMode::Complete => Ok(()),
            _ => state.put(crate::hash(KEY), KEY, &passed.to_le_bytes(), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        OutputMode,
        operators::driver::{Driver, planned, row},
    };

    #[test]
    fn in_append_mode_the_first_rows_of_the_whole_stream_pass() {
        let mut step = Driver::of("SELECT k FROM rows WHERE v = 1 LIMIT 3");
        assert_eq!(step.partitions(&[&[row("a", 1)], &[row("b", 1)]]), [["a", "b"]]);
        assert_eq!(step.epoch(&[row("c", 1), row("d", 1)]), ["c"]);
        assert_eq!(step.epoch(&[row("e", 1)]), [""; 0]);
    }

    #[test]
    fn in_complete_mode_each_result_is_cut() {
        let flow =
            planned("SELECT k FROM rows ORDER BY k DESC LIMIT 2", true, &[OutputMode::Complete]).unwrap();
        let steps: Vec<_> = flow.keyed().map(|(_, name, step)| (name, step.facts().description)).collect();
        let limit = "the first 2 rows of each result".to_owned();
        assert_eq!(steps, [("step", "sort".to_owned()), ("step.2", limit)]);
        let limit = flow.keyed().nth(1).unwrap().2.clone();
        let schema = crate::operators::driver::schema(true);
        let mut step = Driver::new(limit, schema, 2);
        for _ in 0..2 {
            assert_eq!(step.epoch(&[row("c", 1), row("b", 1), row("a", 1)]).len(), 2);
        }
    }

    #[test]
    fn without_an_order_a_complete_result_is_sorted_by_all_columns_before_it_is_cut() {
        let flow = planned("SELECT k FROM rows LIMIT 2", true, &[OutputMode::Complete]).unwrap();
        let steps: Vec<_> = flow.keyed().map(|(_, _, step)| step.facts().description).collect();
        assert_eq!(steps, ["sort", "the first 2 rows of each result"]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_remedy() {
        let refused = |sql: &str, mode| planned(sql, true, &[mode]).err().unwrap().report();
        let update = refused("SELECT k FROM rows LIMIT 2", OutputMode::Update);
        assert!(update.contains("use mode = \"append\", or \"complete\" after an aggregation"), "{update}");
        let offset = refused("SELECT k FROM rows LIMIT 2 OFFSET 1", OutputMode::Append);
        assert!(offset.contains("OFFSET"), "{offset}");
    }
}
