//! Runs one epoch's rows through the plan.
//!
//! Every step has one task per partition, joined by bounded channels; a partition's batches stay in order all the
//! way. A step's task hands batches to its lanes in turn and takes the answers back in the same order, so parallel
//! instances do not show.

use crate::{
    Batch, BatchStream, EpochContext, EpochWriter, Kind, Partition, Result, ResultExt, Step, Worker,
    checkpoint::Ranges,
    plan::{Dataflow, Input, NamedSource},
    rebatch::rebatch,
};
use futures::{StreamExt, stream};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

/// Batches that may wait between two tasks. With one in each task's hands, this is what bounds memory.
const CHANNEL: usize = 2;

/// A worker and whether it is there yet; empty again after it failed.
type Lane = Arc<AsyncMutex<Option<Box<dyn Worker>>>>;

/// The workers of a query, kept over epochs.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<HashMap<(usize, Partition, usize), Lane>>);

impl Lanes {
    fn of(&self, step: usize, partition: Partition, count: usize) -> Vec<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (0..count).map(|lane| lanes.entry((step, partition, lane)).or_default().clone()).collect()
    }
}

/// A sink's writer for one epoch, shared by its partitions, and the rows it was given.
#[derive(Clone)]
pub(crate) struct Writing {
    pub(crate) writer: Arc<Box<dyn EpochWriter>>,
    pub(crate) rows: Arc<AtomicU64>,
}

/// One epoch on its way.
pub(crate) struct EpochRun<'a> {
    pub(crate) sources: &'a [NamedSource],
    pub(crate) flow: &'a Dataflow,
    pub(crate) lanes: &'a Lanes,
    /// Its partition is overwritten for every task.
    pub(crate) context: EpochContext,
    pub(crate) partitions: u32,
    /// One for each sink; none where the epoch is stored already.
    pub(crate) writing: Vec<Option<Writing>>,
}

/// Where a task sends its batches.
enum Outlet {
    Sink { name: String, partition: Partition, to: Writing },
    Step(mpsc::Sender<Batch>),
}

impl Outlet {
    /// False if the receiver has failed: its own task says why.
    async fn send(&self, batch: Batch) -> Result<bool> {
        match self {
            Outlet::Step(to) => Ok(to.send(batch).await.is_ok()),
            Outlet::Sink { name, partition, to } => {
                to.rows.fetch_add(batch.len() as u64, Relaxed);
                let written = to.writer.write(*partition, batch.rows).await;
                written.map(|()| true).map_err(|e| e.while_doing(format!("sink `{name}`")))
            }
        }
    }
}

async fn send_all(outlets: &[Outlet], batch: Batch) -> Result<bool> {
    if batch.is_empty() {
        return Ok(true);
    }
    for outlet in outlets {
        if !outlet.send(batch.clone()).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl EpochRun<'_> {
    /// Reads all ranges and returns, for each source, the rows read. On an error every task is stopped.
    pub(crate) async fn run(&self, ranges: &Ranges) -> Result<Vec<u64>> {
        let mut tasks = JoinSet::new();
        let mut counts = Vec::with_capacity(self.sources.len());
        for (index, source) in self.sources.iter().enumerate() {
            let count = Arc::new(AtomicU64::new(0));
            let partitions = self.read(source, ranges, &count).await;
            let partitions = partitions.map_err(|e| e.while_doing(format!("source `{}`", source.name)))?;
            // Fewer streams than partitions would leave cores idle: then each step gets several lanes.
            let lanes = (self.partitions as usize).div_ceil(partitions.len().max(1));
            for (partition, rows) in partitions.into_iter().enumerate() {
                self.feed(&mut tasks, Input::Source(index), Partition(partition as u32), lanes, rows);
            }
            counts.push(count);
        }
        while let Some(ended) = tasks.join_next().await {
            // Dropping the set on the way out stops the other tasks.
            ended.doing(Kind::Internal, || "a task of the epoch panicked")??;
        }
        Ok(counts.iter().map(|count| count.load(Relaxed)).collect())
    }

    /// The rows of all of a source's ranges, by partition.
    async fn read(
        &self,
        source: &NamedSource,
        ranges: &Ranges,
        count: &Arc<AtomicU64>,
    ) -> Result<Vec<BatchStream>> {
        let mut partitions: Vec<Vec<BatchStream>> = Vec::new();
        for range in ranges.get(&source.name).into_iter().flatten() {
            let mut parts = source.source.read(range, self.partitions as usize).await?.into_iter();
            partitions.iter_mut().zip(&mut parts).for_each(|(partition, part)| partition.push(part));
            partitions.extend(parts.map(|part| vec![part]));
        }
        Ok(partitions.into_iter().map(|parts| counted(parts, &source.name, count.clone())).collect())
    }

    /// Starts the tasks that take the rows of `input`.
    fn feed(&self, tasks: &mut Tasks, input: Input, partition: Partition, lanes: usize, rows: BatchStream) {
        let mut direct = Some(rows);
        let outlets = self.outlets(tasks, input, partition, lanes, &mut direct);
        if let Some(mut rows) = direct {
            tasks.spawn(async move {
                while let Some(batch) = rows.next().await {
                    if !send_all(&outlets, batch?).await? {
                        break;
                    }
                }
                Ok(())
            });
        }
    }

    /// Everything that takes rows of `input`. If that is one step alone, it takes `direct` itself and saves a task.
    fn outlets(
        &self,
        tasks: &mut Tasks,
        input: Input,
        partition: Partition,
        lanes: usize,
        direct: &mut Option<BatchStream>,
    ) -> Vec<Outlet> {
        let sinks = self.flow.sinks.iter().zip(&self.writing).filter(|(sink, _)| sink.input == input);
        let mut outlets: Vec<Outlet> = sinks
            .filter_map(|(sink, to)| {
                Some(Outlet::Sink { name: sink.name.clone(), partition, to: to.clone()? })
            })
            .collect();
        let steps: Vec<usize> =
            self.flow.steps.iter().enumerate().filter(|(_, s)| s.input == input).map(|(i, _)| i).collect();
        let alone = outlets.is_empty() && steps.len() == 1;
        for step in steps {
            let rows = match direct.take_if(|_| alone) {
                Some(rows) => rows,
                None => {
                    let (sender, receiver) = mpsc::channel(CHANNEL);
                    outlets.push(Outlet::Step(sender));
                    stream::unfold(receiver, |mut r| async { Some((Ok(r.recv().await?), r)) }).boxed()
                }
            };
            self.start_step(tasks, step, partition, lanes, rows);
        }
        outlets
    }

    fn start_step(
        &self,
        tasks: &mut Tasks,
        index: usize,
        partition: Partition,
        lanes: usize,
        rows: BatchStream,
    ) {
        let Some(named) = self.flow.steps.get(index) else { return };
        let ports = (0..named.step.ports().len())
            .map(|port| self.outlets(tasks, Input::Step { step: index, port }, partition, lanes, &mut None))
            .collect();
        let task = StepTask {
            step: named.step.clone(),
            lanes: self.lanes.of(index, partition, lanes),
            context: Arc::new(EpochContext { partition, ..self.context.clone() }),
            ports,
        };
        let name = named.name.clone();
        tasks.spawn(async move { task.run(rows).await.map_err(|e| e.while_doing(format!("step `{name}`"))) });
    }
}

type Tasks = JoinSet<Result<()>>;

/// The streams one after the other; their rows are counted, their errors say which source they are from.
fn counted(parts: Vec<BatchStream>, source: &str, count: Arc<AtomicU64>) -> BatchStream {
    let doing = format!("source `{source}`");
    let rows = stream::iter(parts).flatten().map(move |batch| {
        let batch = batch.map_err(|e| e.while_doing(doing.clone()))?;
        count.fetch_add(batch.len() as u64, Relaxed);
        Ok(batch)
    });
    rows.boxed()
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
