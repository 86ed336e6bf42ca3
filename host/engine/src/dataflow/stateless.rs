//! Stateless steps: a task per partition, and lanes in it.

use super::{EpochRun, Of, Outlet, Tasks, keyed::Inboxes, send_all};
use crate::{
    Batch, BatchStream, EpochContext, Kind, Partition, Result, ResultExt, Step, Worker, rebatch::rebatch,
};
use futures::StreamExt;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::task::AbortOnDropHandle;

/// A worker and whether it is there yet; empty again after it failed.
type Lane = Arc<AsyncMutex<Option<Box<dyn Worker>>>>;

/// The workers of a query, kept over epochs.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<HashMap<(usize, Partition, usize), Lane>>);

impl Lanes {
    /// Lets the workers of a step go: the next ones are of another version of it.
    pub(crate) fn forget(&self, step: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, ..), _| *of != step);
    }

    fn of(&self, step: usize, partition: Partition, count: usize) -> Vec<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (0..count).map(|lane| lanes.entry((step, partition, lane)).or_default().clone()).collect()
    }
}

impl EpochRun<'_> {
    pub(super) fn start_stateless(
        &self,
        tasks: &mut Tasks,
        inboxes: &Inboxes,
        (index, name, step): (usize, &str, &Arc<dyn Step>),
        of: Of,
        rows: BatchStream,
    ) -> Result<()> {
        let task = StepTask {
            step: step.clone(),
            lanes: self.lanes.of(index, of.partition, of.lanes),
            context: Arc::new(self.context_of(index, of.partition)),
            ports: self.ports(tasks, inboxes, (index, 0..step.ports().len()), of.partition, of.lanes)?,
        };
        let name = name.to_owned();
        tasks.spawn(async move { task.run(rows).await.map_err(|e| e.while_doing(format!("step `{name}`"))) });
        Ok(())
    }
}

struct StepTask {
    step: Arc<dyn Step>,
    lanes: Vec<Lane>,
    context: Arc<EpochContext>,
    /// Outlets by port.
    ports: Vec<Vec<Outlet>>,
}

impl StepTask {
    async fn run(self, rows: BatchStream) -> Result<()> {
        let mut lanes = self.lanes.iter().cycle().cloned();
        let work = rebatch(rows, self.step.batching()).map(|batch| {
            let (step, context, lane) =
                (self.step.clone(), self.context.clone(), lanes.next().unwrap_or_default());
            async move {
                let work = process(step, lane, context, batch?);
                AbortOnDropHandle::new(tokio::spawn(work))
                    .await
                    .doing(Kind::Internal, || "a worker panicked")?
            }
        });
        // One more than there are lanes, so that a lane works while an answer is being written.
        let mut answers = Box::pin(work.buffered(self.lanes.len() + 1));
        while let Some(answer) = answers.next().await {
            for (port, batch) in answer? {
                let outlets = self.ports.get(port).map_or(&[][..], |outlets| outlets);
                if !send_all(outlets, batch).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Lets the lane's worker process a batch; a worker that fails is dropped.
async fn process(
    step: Arc<dyn Step>,
    lane: Lane,
    context: Arc<EpochContext>,
    batch: Batch,
) -> Result<Vec<(usize, Batch)>> {
    let mut lane = lane.lock().await;
    let mut worker = match lane.take() {
        Some(worker) => worker,
        None => step.worker().await?,
    };
    let mut out = Vec::with_capacity(1);
    worker.process(&context, batch, &mut out).await?;
    *lane = Some(worker);
    Ok(out)
}
