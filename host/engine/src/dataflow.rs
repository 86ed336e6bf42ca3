//! Runs one epoch's rows through the plan.
//!
//! Every stateless step has one task per partition, joined by bounded channels; a partition's batches stay in order all
//! the way. A step's task hands batches to its lanes in turn and takes the answers back in the same order, so parallel
//! instances do not show. A keyed step has a task per partition of its inputs, and one per shard.

mod keyed;
mod stateless;

pub use self::keyed::Outbox;
pub(crate) use self::stateless::Lanes;

use self::keyed::Inboxes;
use crate::{
    Batch, BatchStream, EpochContext, EpochWriter, Kind, Partition, Result, ResultExt,
    checkpoint::Ranges,
    plan::{Dataflow, Input, NamedSource, Work},
    shards::States,
};
use futures::{StreamExt, stream};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{sync::mpsc, task::JoinSet};

/// Batches that may wait between two tasks. With one in each task's hands, this is what bounds memory.
const CHANNEL: usize = 2;

type Tasks = JoinSet<Result<()>>;

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
    pub(crate) states: &'a Arc<States>,
    /// Bytes of memory that all state together may take.
    pub(crate) max_state: u64,
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
        let inboxes = self.start_shards(&mut tasks)?;
        let mut counts = Vec::with_capacity(self.sources.len());
        for (index, source) in self.sources.iter().enumerate() {
            let count = Arc::new(AtomicU64::new(0));
            let partitions = self.read(source, ranges, &count).await;
            let partitions = partitions.map_err(|e| e.while_doing(format!("source `{}`", source.name)))?;
            // Fewer streams than partitions would leave cores idle: then each step gets several lanes.
            let lanes = (self.partitions as usize).div_ceil(partitions.len().max(1));
            for (partition, rows) in partitions.into_iter().enumerate() {
                let of = Of { input: Input::Source(index), partition: Partition(partition as u32), lanes };
                self.feed(&mut tasks, &inboxes, of, rows)?;
            }
            counts.push(count);
        }
        // The shards go on once no input can send any more.
        drop(inboxes);
        while let Some(ended) = tasks.join_next().await {
            // Dropping the set on the way out stops the other tasks.
            ended.doing(Kind::Internal, || "a task of the epoch panicked")??;
        }
        Ok(counts.iter().map(|count| count.load(Relaxed)).collect())
    }

    /// For each source, how many rows its ranges have; nothing is done with them. What is stored is no worse for not being counted: if
    /// the rows cannot be read any more, there are none.
    pub(crate) async fn count_or_warn(&self, ranges: &Ranges) -> Vec<u64> {
        self.count(ranges).await.unwrap_or_else(|error| {
            let epoch = self.context.epoch.0;
            tracing::warn!(
                epoch,
                error = error.report(),
                "the rows of an epoch that is stored are not counted"
            );
            vec![0; self.sources.len()]
        })
    }

    async fn count(&self, ranges: &Ranges) -> Result<Vec<u64>> {
        let mut counts = Vec::with_capacity(self.sources.len());
        for source in self.sources {
            let count = Arc::new(AtomicU64::new(0));
            let mut rows = stream::select_all(self.read(source, ranges, &count).await?);
            while let Some(batch) = rows.next().await {
                batch?;
            }
            counts.push(count.load(Relaxed));
        }
        Ok(counts)
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

    /// Starts the tasks that take the rows of `of`.
    fn feed(&self, tasks: &mut Tasks, inboxes: &Inboxes, of: Of, rows: BatchStream) -> Result<()> {
        let mut direct = Some(rows);
        let outlets = self.outlets(tasks, inboxes, of, &mut direct)?;
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
        Ok(())
    }

    /// Everything that takes rows of `of`. If that is one step alone, it takes `direct` itself and saves a task.
    fn outlets(
        &self,
        tasks: &mut Tasks,
        inboxes: &Inboxes,
        of: Of,
        direct: &mut Option<BatchStream>,
    ) -> Result<Vec<Outlet>> {
        let sinks = self.flow.sinks.iter().zip(&self.writing).filter(|(sink, _)| sink.input == of.input);
        let mut outlets: Vec<Outlet> = sinks
            .filter_map(|(sink, to)| {
                Some(Outlet::Sink { name: sink.name.clone(), partition: of.partition, to: to.clone()? })
            })
            .collect();
        let takers = self.takers(of.input);
        let alone = outlets.is_empty() && takers.len() == 1;
        for taker in takers {
            let rows = match direct.take_if(|_| alone) {
                Some(rows) => rows,
                None => {
                    let (sender, receiver) = mpsc::channel(CHANNEL);
                    outlets.push(Outlet::Step(sender));
                    stream::unfold(receiver, |mut r| async { Some((Ok(r.recv().await?), r)) }).boxed()
                }
            };
            self.start(tasks, inboxes, taker, of, rows)?;
        }
        Ok(outlets)
    }

    /// The steps that have `input` among theirs.
    fn takers(&self, input: Input) -> Vec<Taker> {
        let mut takers = Vec::new();
        for (step, named) in self.flow.steps.iter().enumerate() {
            let mut base = 0;
            for (place, of) in named.inputs.iter().enumerate() {
                if *of == input {
                    takers.push(Taker { step, place, base });
                }
                base += self.flow.width(*of, self.partitions);
            }
        }
        takers
    }

    fn start(
        &self,
        tasks: &mut Tasks,
        inboxes: &Inboxes,
        taker: Taker,
        of: Of,
        rows: BatchStream,
    ) -> Result<()> {
        let Some(named) = self.flow.steps.get(taker.step) else { return Ok(()) };
        let partition = Partition(taker.base + of.partition.0);
        match &named.work {
            Work::Stateless(step) => {
                let of = Of { partition, ..of };
                self.start_stateless(tasks, inboxes, (taker.step, &named.name, step), of, rows)
            }
            Work::Keyed(step) => {
                self.start_scatter(tasks, inboxes, (taker, &named.name, step), Of { partition, ..of }, rows)
            }
        }
    }

    /// The outlets of these ports of a step, for one partition.
    fn ports(
        &self,
        tasks: &mut Tasks,
        inboxes: &Inboxes,
        (step, ports): (usize, Range<usize>),
        partition: Partition,
        lanes: usize,
    ) -> Result<Vec<Vec<Outlet>>> {
        let of = |port| Of { input: Input::Step { step, port }, partition, lanes };
        ports.map(|port| self.outlets(tasks, inboxes, of(port), &mut None)).collect()
    }

    fn context_of(&self, step: usize, partition: Partition) -> EpochContext {
        let in_force = self.flow.in_force(step, self.context.in_force);
        EpochContext { partition, in_force, ..self.context.clone() }
    }
}

/// One partition of an output, and how many lanes a stateless step gets for it.
#[derive(Clone, Copy)]
struct Of {
    input: Input,
    partition: Partition,
    lanes: usize,
}

/// A step, which of its inputs is meant, and how many partitions the inputs before that one have.
#[derive(Clone, Copy)]
struct Taker {
    step: usize,
    place: usize,
    base: u32,
}

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
