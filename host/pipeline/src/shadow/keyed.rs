//! Looking at a step with state, a shard and an epoch after the other. What is beside it begins each epoch with a copy of the step's
//! own state: so a difference is of the epoch in which it is shown, and does not go on in those behind it.

use super::{Rows, Watch};
use async_trait::async_trait;
use engine::{
    EpochContext, Keyed, OneShard, Outbox, Partition, Piece, Port, Result, Scatter, ShardEntries,
    ShardWorker, StepFacts, StepProgress, Timeline, Wanted, operators::Layout,
};
use plugin::KeyedPlugin;
use std::sync::Arc;

/// A step, and perhaps another one beside it.
pub(super) struct Watched {
    step: Arc<KeyedPlugin>,
    beside: Option<Arc<KeyedPlugin>>,
    watch: Watch,
}

impl Watched {
    pub(super) fn new(step: Arc<KeyedPlugin>, beside: Option<Arc<KeyedPlugin>>, watch: Watch) -> Self {
        Watched { step, beside, watch }
    }
}

impl Keyed for Watched {
    fn facts(&self) -> StepFacts {
        self.step.facts()
    }

    fn ports(&self) -> &[Port] {
        self.step.ports()
    }

    fn timed(&self) -> bool {
        self.step.timed()
    }

    fn timeline(&self) -> fn(&[u8]) -> Timeline {
        self.step.timeline()
    }

    fn identity(&self) -> String {
        self.step.identity()
    }

    fn continues(&self, identity: &str) -> Result<bool> {
        self.step.continues(identity)
    }

    fn reads(&self, input: usize, wanted: &[Wanted]) -> Wanted {
        let reads = |step: &KeyedPlugin| Keyed::reads(step, input, wanted);
        let ours = reads(&self.step);
        self.beside.iter().map(|beside| reads(beside)).fold(ours, Wanted::and)
    }

    fn layout(&self) -> Layout {
        self.step.layout()
    }

    fn scatter(&self, input: usize, cx: &EpochContext) -> Result<Box<dyn Scatter>> {
        self.step.scatter(input, cx)
    }

    fn shard(&self, cx: &EpochContext) -> Result<OneShard> {
        let beside = match &self.beside {
            // Its copy of the state has to be migrated in every epoch anew.
            Some(beside) if beside.continues(&self.step.identity())? => {
                Some(Beside::Works(beside.worker(cx)))
            }
            _ => None,
        };
        Ok(OneShard::Waiting(Box::new(Shard {
            step: self.step.worker(cx),
            beside,
            rows: 0,
            cx: cx.clone(),
            watch: self.watch.clone(),
        })))
    }

    fn progress(&self) -> Option<StepProgress> {
        let ours = Keyed::progress(&*self.step);
        let others = self.beside.as_ref().and_then(|beside| Keyed::progress(&**beside));
        self.watch.shadow.progress([ours.as_ref(), others.as_ref()]);
        ours
    }

    fn fingerprint(&self) -> Option<u64> {
        self.step.fingerprint()
    }

    fn take_late(&self) -> u64 {
        self.step.take_late()
    }
}

struct Shard {
    step: Box<dyn ShardWorker>,
    beside: Option<Beside>,
    /// That came in.
    rows: usize,
    cx: EpochContext,
    watch: Watch,
}

enum Beside {
    Works(Box<dyn ShardWorker>),
    Failed(engine::Error),
}

impl Beside {
    async fn on_piece(&mut self, input: usize, partition: Partition, piece: Piece) {
        if let Beside::Works(worker) = self
            && let Err(error) = worker.on_piece(input, partition, piece).await
        {
            *self = Beside::Failed(error);
        }
    }

    async fn on_epoch_end(self, entries: ShardEntries) -> Result<Vec<Rows>> {
        match self {
            Beside::Works(mut worker) => left(&mut *worker, entries).await,
            Beside::Failed(error) => Err(error),
        }
    }
}

async fn left(worker: &mut dyn ShardWorker, entries: ShardEntries) -> Result<Vec<Rows>> {
    let mut out = Outbox::keeping();
    worker.on_epoch_end(entries, &mut out).await?;
    Ok(out.into_kept())
}

#[async_trait]
impl ShardWorker for Shard {
    async fn on_piece(&mut self, input: usize, partition: Partition, piece: Piece) -> Result<()> {
        self.rows += piece.rows.num_rows();
        if let Some(beside) = &mut self.beside {
            beside.on_piece(input, partition, piece.clone()).await;
        }
        self.step.on_piece(input, partition, piece).await
    }

    async fn on_epoch_end(&mut self, entries: ShardEntries, out: &mut Outbox) -> Result<()> {
        let clock = &self.watch.clock;
        let copied = |beside| entries.copy().map(|copy| (beside, copy));
        let beside = self.beside.take().map(copied).transpose()?;
        let started = clock.monotonic();
        let ours = left(&mut *self.step, entries).await?;
        let between = clock.monotonic();
        match beside {
            None => self.watch.alone(&ours)?,
            Some((beside, copy)) => {
                let others = beside.on_epoch_end(copy).await;
                let times = [between - started, clock.monotonic() - between];
                self.watch.both(&self.cx, self.rows, times, &ours, others)?;
            }
        }
        for (port, rows) in ours {
            if !out.send(port, rows).await? {
                break;
            }
        }
        Ok(())
    }
}
