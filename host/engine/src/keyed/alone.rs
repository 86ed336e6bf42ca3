//! A keyed step by itself, epoch after epoch: for tests of plugins.

use crate::{
    EpochContext, Keyed, OneShard, Outbox, Partition, Piece, Result, Scattered,
    checkpoint::MemoryStore,
    plan::{Dataflow, NamedStep, Work},
    query::MAX_STATE,
    shards::{Shard, ShardEntries, States},
    state::{KeyGroups, StateFiles},
};
use arrow::array::RecordBatch;
use std::{collections::BTreeMap, num::NonZeroU16, sync::Arc};

const STEP: &str = "step";
const GROUPS: NonZeroU16 = NonZeroU16::MIN;

/// Drives a keyed step as a query would, with one partition, one shard and no sink.
pub struct Alone {
    step: Arc<dyn Keyed>,
    flow: Dataflow,
    states: Arc<States>,
    store: MemoryStore,
    committed: BTreeMap<String, StateFiles>,
}

impl Alone {
    /// A step that remembers nothing yet.
    pub fn new(step: Arc<dyn Keyed>) -> Self {
        let named = NamedStep { name: STEP.into(), inputs: Vec::new(), work: Work::Keyed(step.clone()) };
        let flow = Dataflow { steps: vec![named], ..Dataflow::default() };
        let states = Arc::new(States::empty(&flow, KeyGroups::new(GROUPS)));
        Alone { step, flow, states, store: MemoryStore::default(), committed: BTreeMap::new() }
    }

    /// What leaves in an epoch with these rows, each with the index of its port. After an error everything is as it was before.
    pub async fn epoch(
        &mut self,
        cx: &EpochContext,
        rows: &RecordBatch,
    ) -> Result<Vec<(usize, RecordBatch)>> {
        let left = self.run(cx, rows).await;
        match left {
            Ok(_) => self.committed = self.states.commit(&self.store, cx.epoch, "alone").await?,
            Err(_) => {
                let groups = KeyGroups::new(GROUPS);
                self.states =
                    Arc::new(States::restore(&self.flow, groups, &self.store, &self.committed).await?);
            }
        }
        left
    }

    async fn run(&self, cx: &EpochContext, rows: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>> {
        let mut sent = Scattered::default();
        let mut scatter = self.step.scatter(0, cx)?;
        scatter.on_batch(rows, &mut sent)?;
        scatter.on_end(&mut sent)?;
        let Scattered { pieces, mut side } = sent;
        let entries = ShardEntries::new(self.states.clone(), STEP, Shard { index: 0, of: 1 }, MAX_STATE)?;
        side.extend(shard(self.step.shard(cx)?, pieces, entries).await?);
        Ok(side)
    }
}

async fn shard(
    shard: OneShard,
    pieces: Vec<Piece>,
    entries: ShardEntries,
) -> Result<Vec<(usize, RecordBatch)>> {
    match shard {
        OneShard::Operator(mut operator) => {
            pieces.into_iter().try_for_each(|piece| operator.on_piece(0, piece))?;
            let mut out = Vec::new();
            operator.on_epoch_end(&mut entries.open()?, &mut out)?;
            Ok(out)
        }
        OneShard::Waiting(mut worker) => {
            for piece in pieces {
                worker.on_piece(0, Partition(0), piece).await?;
            }
            let mut out = Outbox::keeping();
            worker.on_epoch_end(entries, &mut out).await?;
            Ok(out.into_kept())
        }
    }
}
