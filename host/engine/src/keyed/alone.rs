//! A keyed step by itself, epoch after epoch: for tests of plugins.

use crate::{
    Batch, EpochContext, Error, Keyed, OneShard, Outbox, Partition, Piece, Place, Result, Scattered,
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
    /// The identity of the step that committed last.
    of: Option<String>,
    /// Bytes of state that it may have.
    most: u64,
}

impl Alone {
    /// A step that remembers nothing yet.
    pub fn new(step: Arc<dyn Keyed>) -> Self {
        let named = NamedStep { name: STEP.into(), inputs: Vec::new(), work: Work::Keyed(step.clone()) };
        let flow = Dataflow { steps: vec![named], ..Dataflow::default() };
        let states = Arc::new(States::empty(&flow, KeyGroups::new(GROUPS)));
        let (store, committed) = (MemoryStore::default(), BTreeMap::new());
        Alone { step, flow, states, store, committed, of: None, most: MAX_STATE }
    }

    /// With no more than so many bytes of state.
    #[must_use]
    pub fn with_max_state(self, most: u64) -> Self {
        Alone { most, ..self }
    }

    /// Goes on with another version of the step on what this one has kept, as a query does when it starts again. An error says why
    /// it cannot be done.
    pub async fn goes_on_with(self, step: Arc<dyn Keyed>) -> Result<Self> {
        if let Some(of) = &self.of
            && !step.continues(of)?
        {
            let now = step.identity();
            return Err(Error::invalid(format!("its state is of {of}, and the step is now {now}")));
        }
        let Alone { store, committed, of, most, .. } = self;
        let next = Alone { store, committed, of, most, ..Alone::new(step) };
        let states = next.restored().await?;
        Ok(Alone { states, ..next })
    }

    async fn restored(&self) -> Result<Arc<States>> {
        let groups = KeyGroups::new(GROUPS);
        let states = States::restore(&self.flow, groups, &self.store, &self.committed).await?;
        Ok(Arc::new(states))
    }

    /// What leaves in an epoch with these rows, each with the index of its port. After an error everything is as it was before.
    pub async fn epoch(
        &mut self,
        cx: &EpochContext,
        rows: &RecordBatch,
    ) -> Result<Vec<(usize, RecordBatch)>> {
        let left = self.run(cx, rows).await;
        match left {
            Ok(_) => {
                self.committed = self.states.commit(&self.store, cx.epoch, "alone").await?;
                self.of = Some(self.step.identity());
            }
            Err(_) => self.states = self.restored().await?,
        }
        left
    }

    async fn run(&self, cx: &EpochContext, rows: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>> {
        let mut sent = Scattered::default();
        let mut scatter = self.step.scatter(0, cx)?;
        let place = Place::At { of: "input".into(), unit: "row", first: 0 };
        scatter.on_batch(&Batch::read(rows.clone(), place), &mut sent)?;
        scatter.on_end(&mut sent)?;
        let Scattered { pieces, mut side } = sent;
        let entries = ShardEntries::new(self.states.clone(), STEP, Shard { index: 0, of: 1 }, self.most)?;
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
