//! A query in memory: numbers as input, a sink that keeps every epoch once, and crashes wherever a test wants them.

mod recovery;
mod releases;
mod seeded;
mod triggers;

use crate::{
    Batch, BatchStream, Batching, Begin, Begun, CheckpointStore, Clock, CommitStep, Created, Epoch,
    EpochContext, EpochWriter, Error, Guarantee, History, Kind, ManualClock, Observer, Offset, OutputMode,
    Partition, Place, Planned, Port, Progress, Query, QueryId, QuerySettings, Range, Reach, Restart, Result,
    Sink, Source, SourceFacts, Step, StepFacts, StepProgress, Stop, Timestamp, Token, Trigger, Worker,
    checkpoint::{Checkpoint, MemoryStore, Resume},
    plan::{Dataflow, Input, NamedSink, NamedSource, NamedStep, Planner, Work},
};
use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch},
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
};
use async_trait::async_trait;
use futures::{FutureExt, StreamExt, stream};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

/// The numbers below `total`, at most `limit` of them a range, in batches of 3.
struct Numbers {
    total: u64,
    limit: u64,
    /// From this number on the columns are called by another version.
    renewed: u64,
    consumes: bool,
    /// All of a range comes in one stream, however many are asked for.
    whole: bool,
    /// No number comes behind the last.
    ends: bool,
    released: Arc<AtomicU64>,
}

#[async_trait]
impl Source for Numbers {
    fn facts(&self) -> SourceFacts {
        SourceFacts {
            description: "numbers".into(),
            identity: "numbers".into(),
            replayable: true,
            needs_history: false,
            consumes: self.consumes,
        }
    }

    fn schema(&self, range: Option<&Range>) -> Result<SchemaRef> {
        let start = range.and_then(|r| r.start.as_ref()?.0.as_u64()).unwrap_or(0);
        let version = u64::from(start >= self.renewed).to_string();
        let version = [("version".to_owned(), version)].into();
        Ok(Arc::new(schema().as_ref().clone().with_metadata(version)))
    }

    async fn restore(&self, _: History, _: Reach) -> Result<()> {
        Ok(())
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let from = start.and_then(|o| o.0.as_u64()).unwrap_or(0);
        let to = self.total.min(from + self.limit);
        let range = Range { start: start.cloned(), end: Offset(json!(to)), detail: Value::Null };
        Ok((to > from).then_some(Planned { range, backlog: self.total - to }))
    }

    async fn wait(&self) {
        std::future::pending().await
    }

    async fn read(&self, range: &Range, partitions: usize) -> Result<Vec<BatchStream>> {
        let from = range.start.as_ref().and_then(|o| o.0.as_u64()).unwrap_or(0);
        let numbers: Vec<i64> = (from as i64..range.end.0.as_u64().unwrap() as i64).collect();
        let partitions = if self.whole { 1 } else { partitions };
        let parts = numbers.chunks(numbers.len().div_ceil(partitions)).map(|part| {
            let batches: Vec<_> =
                part.chunks(3).map(|batch| Ok(Batch::read(rows(batch), at(batch[0])))).collect();
            stream::iter(batches).boxed()
        });
        Ok(parts.collect())
    }

    async fn release(&self, range: &Range) -> Result<Option<bytes::Bytes>> {
        self.released.fetch_max(range.end.0.as_u64().unwrap(), Relaxed);
        Ok(None)
    }

    async fn has_ended(&self) -> bool {
        self.ends && self.released.load(Relaxed) >= self.total
    }
}

fn at(first: i64) -> Place {
    Place::At { of: "numbers".into(), unit: "row", first: first as u64 }
}

fn rows(numbers: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
    RecordBatch::try_new(schema(), vec![column]).unwrap()
}

/// Doubles every number; fails on `bad`, and never comes back from `endless`.
struct Double {
    ports: Vec<Port>,
    bad: Option<i64>,
    endless: Option<i64>,
}

#[async_trait]
impl Step for Double {
    fn facts(&self) -> StepFacts {
        StepFacts {
            description: "double".into(),
            deterministic: true,
            digest: Some("d".into()),
            details: Vec::new(),
        }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn batching(&self) -> Batching {
        Batching { target_rows: 4, max_rows: 5, max_bytes: 1 << 20 }
    }

    async fn worker(&self) -> Result<Box<dyn Worker>> {
        Ok(Box::new(Doubling { bad: self.bad, endless: self.endless }))
    }

    fn progress(&self) -> StepProgress {
        StepProgress::default()
    }
}

struct Doubling {
    bad: Option<i64>,
    endless: Option<i64>,
}

#[async_trait]
impl Worker for Doubling {
    async fn process(&mut self, _: &EpochContext, batch: Batch, out: &mut Vec<(usize, Batch)>) -> Result<()> {
        let numbers = batch.rows.column(0).as_primitive::<Int64Type>();
        // Some batches take longer than the next ones.
        for _ in 0..numbers.value(0) * 7 % 5 {
            tokio::task::yield_now().await;
        }
        if numbers.iter().any(|n| n.is_some() && n == self.endless) {
            std::future::pending::<()>().await;
        }
        if let Some(bad) = self.bad
            && let Some(row) = numbers.iter().position(|n| n == Some(bad))
        {
            return Err(Error::plugin(format!("cannot double row at {}", batch.origin.position(row))));
        }
        let doubled: Vec<i64> = numbers.iter().flatten().map(|n| n * 2).collect();
        out.push((0, Batch { rows: rows(&doubled), origin: batch.origin }));
        Ok(())
    }
}

/// What a reader of the sink sees: rows by epoch, in order.
type Stored = Arc<Mutex<BTreeMap<Epoch, Vec<i64>>>>;

#[derive(Clone, Default)]
struct Store(Stored);

#[async_trait]
impl Sink for Store {
    fn accepts(&self, _: OutputMode, _: &SchemaRef) -> Result<Guarantee> {
        Ok(Guarantee::ExactlyOnce)
    }

    async fn open(&self, _: &QueryId, _: &str) -> Result<()> {
        Ok(())
    }

    async fn begin(&self, epoch: &Begin) -> Result<Begun> {
        if epoch.marked && self.0.lock().unwrap().contains_key(&epoch.epoch) {
            return Ok(Begun::Stored(Token::default()));
        }
        Ok(Begun::Writer(Box::new(Writing {
            epoch: epoch.epoch,
            to: self.0.clone(),
            rows: Mutex::default(),
        })))
    }
}

struct Writing {
    epoch: Epoch,
    to: Stored,
    rows: Mutex<BTreeMap<Partition, Vec<i64>>>,
}

#[async_trait]
impl EpochWriter for Writing {
    async fn write(&self, partition: Partition, rows: RecordBatch) -> Result<()> {
        let numbers = rows.column(0).as_primitive::<Int64Type>().values().to_vec();
        self.rows.lock().unwrap().entry(partition).or_default().extend(numbers);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let rows = self.rows.into_inner().unwrap().into_values().flatten();
        self.to.lock().unwrap().entry(self.epoch).or_default().extend(rows);
        Ok(Token(json!({"epoch": self.epoch})))
    }
}

/// Everything of a query that outlives a process.
#[derive(Clone, Default)]
struct World {
    store: Arc<MemoryStore>,
    sinks: [Store; 2],
    released: Arc<AtomicU64>,
}

struct Plan {
    world: World,
    start: Start,
}

#[async_trait]
impl Planner for Plan {
    async fn sources(&self) -> Result<Vec<NamedSource>> {
        let Start { total, renewed, consumes, whole, ends, .. } = self.start;
        let released = self.world.released.clone();
        let source = Numbers { total, limit: 10, renewed, consumes, whole, ends, released };
        Ok(vec![NamedSource { name: "in".into(), source: Arc::new(source), idle_after: None }])
    }

    async fn dataflow(&self, _: &[SchemaRef]) -> Result<Dataflow> {
        let ports = vec![Port { name: String::new(), schema: schema() }];
        let step = Arc::new(Double { ports, bad: self.start.bad, endless: self.start.endless });
        let steps = vec![NamedStep {
            name: "double".into(),
            inputs: vec![Input::Source(0)],
            work: Work::Stateless(step),
        }];
        let inputs = [Input::Step { step: 0, port: 0 }, Input::Source(0)];
        let sinks = self.world.sinks.iter().zip(inputs).zip(["doubled", "plain"]);
        let sinks = sinks.map(|((sink, input), name)| NamedSink {
            name: name.into(),
            description: "memory".into(),
            input,
            schema: schema(),
            mode: OutputMode::Append,
            sink: Arc::new(sink.clone()),
        });
        Ok(Dataflow { steps, sinks: sinks.collect(), ..Dataflow::default() })
    }
}

/// Ends the query at its n-th step, as a crash would.
#[derive(Default)]
struct CrashAt {
    step: Option<u64>,
    seen: AtomicU64,
    progress: Mutex<Vec<Progress>>,
}

impl Observer for CrashAt {
    fn progress(&self, progress: &Progress) {
        self.progress.lock().unwrap().push(progress.clone());
    }

    fn reached(&self, _: Epoch, _: CommitStep) -> Result<()> {
        let seen = self.seen.fetch_add(1, Relaxed);
        if Some(seen) == self.step { Err(Error::internal("crash")) } else { Ok(()) }
    }
}

#[derive(Clone, Copy)]
struct Start {
    total: u64,
    renewed: u64,
    consumes: bool,
    whole: bool,
    ends: bool,
    parallelism: u32,
    trigger: Trigger,
    crash: Option<u64>,
    bad: Option<i64>,
    endless: Option<i64>,
}

const START: Start = Start {
    total: 45,
    renewed: u64::MAX,
    consumes: false,
    whole: false,
    ends: false,
    parallelism: 1,
    trigger: Trigger::AvailableNow,
    crash: None,
    bad: None,
    endless: None,
};

fn query(world: &World, start: Start) -> (Query, Arc<CrashAt>) {
    let observer = Arc::new(CrashAt { step: start.crash, ..CrashAt::default() });
    let query = Query {
        settings: QuerySettings {
            name: "numbers".into(),
            trigger: start.trigger,
            parallelism: start.parallelism,
            retain_epochs: 100,
            restart: Restart { attempts: 2, first: Duration::from_secs(1), longest: Duration::from_secs(60) },
            stop_timeout: Duration::from_secs(30),
            max_state: crate::MAX_STATE,
        },
        planner: Arc::new(Plan { world: world.clone(), start }),
        store: world.store.clone(),
        clock: Arc::new(ManualClock::new(Timestamp(1_000_000))),
        observer: observer.clone(),
        audit: None,
    };
    (query, observer)
}

async fn run(world: &World, start: Start) -> Result<()> {
    query(world, start).0.run(&Stop::channel().1).await
}

fn published(sink: &Store) -> Vec<Vec<i64>> {
    sink.0.lock().unwrap().values().cloned().collect()
}

fn epochs_of_ten(total: i64, factor: i64) -> Vec<Vec<i64>> {
    let numbers: Vec<i64> = (0..total).map(|n| n * factor).collect();
    numbers.chunks(10).map(<[i64]>::to_vec).collect()
}

/// A clock on which nobody waits: whoever sleeps wakes at once, that much later. It remembers how long they slept.
#[derive(Default)]
struct Impatient(Mutex<Vec<Duration>>);

impl Impatient {
    fn slept(&self) -> Vec<u64> {
        self.0.lock().unwrap().iter().map(Duration::as_secs).collect()
    }
}

#[async_trait]
impl Clock for Impatient {
    fn now(&self) -> Timestamp {
        Timestamp(self.monotonic().as_micros() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().iter().sum()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration);
    }
}
