//! Looking at a step without state, a batch after the other.

use super::{Rows, Watch};
use async_trait::async_trait;
use engine::{Batch, Batching, EpochContext, Port, Result, Step, StepFacts, StepProgress, Wanted, Worker};
use plugin::PluginStep;
use std::sync::Arc;

/// A step, and perhaps another one beside it.
pub(super) struct Watched {
    step: Arc<PluginStep>,
    beside: Option<Arc<PluginStep>>,
    watch: Watch,
}

impl Watched {
    pub(super) fn new(step: Arc<PluginStep>, beside: Option<Arc<PluginStep>>, watch: Watch) -> Self {
        Watched { step, beside, watch }
    }
}

#[async_trait]
impl Step for Watched {
    fn facts(&self) -> StepFacts {
        self.step.facts()
    }

    fn ports(&self) -> &[Port] {
        self.step.ports()
    }

    fn reads(&self, wanted: &[Wanted]) -> Wanted {
        let reads = |step: &PluginStep| Step::reads(step, wanted);
        let ours = reads(&self.step);
        self.beside.iter().map(|beside| reads(beside)).fold(ours, Wanted::and)
    }

    fn batching(&self) -> Batching {
        self.step.batching()
    }

    async fn worker(&self) -> Result<Box<dyn Worker>> {
        let step = self.step.worker().await?;
        let beside = self.beside.clone().map(|step| Beside { step, worker: None });
        Ok(Box::new(Lane { step, beside, watch: self.watch.clone() }))
    }

    fn fingerprint(&self) -> Option<u64> {
        self.step.fingerprint()
    }

    fn progress(&self) -> StepProgress {
        let ours = self.step.progress();
        let others = self.beside.as_ref().map(|beside| beside.progress());
        self.watch.shadow.progress([Some(&ours), others.as_ref()]);
        ours
    }
}

struct Lane {
    step: Box<dyn Worker>,
    beside: Option<Beside>,
    watch: Watch,
}

struct Beside {
    step: Arc<PluginStep>,
    /// None at first, and after a failure.
    worker: Option<Box<dyn Worker>>,
}

type Out = Vec<(usize, Batch)>;

#[async_trait]
impl Worker for Lane {
    async fn process(&mut self, cx: &EpochContext, batch: Batch, out: &mut Out) -> Result<()> {
        let (before, clock) = (out.len(), &self.watch.clock);
        let started = clock.monotonic();
        self.step.process(cx, batch.clone(), out).await?;
        let between = clock.monotonic();
        let ours = rows(out.get(before..).unwrap_or_default());
        let Some(beside) = &mut self.beside else { return self.watch.alone(&ours) };
        let rows_in = batch.len();
        let others = beside.process(cx, batch).await;
        let times = [between - started, clock.monotonic() - between];
        self.watch.both(cx, rows_in, times, &ours, others)
    }
}

impl Beside {
    async fn process(&mut self, cx: &EpochContext, batch: Batch) -> Result<Vec<Rows>> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.step.worker().await?,
        };
        let mut out = Out::new();
        worker.process(cx, batch, &mut out).await?;
        self.worker = Some(worker);
        Ok(rows(&out))
    }
}

fn rows(out: &[(usize, Batch)]) -> Vec<Rows> {
    out.iter().map(|(port, batch)| (*port, batch.rows.clone())).collect()
}
