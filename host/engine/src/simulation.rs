//! A query in memory: numbers as input, a sink that keeps every epoch once, and crashes wherever a test wants them.

use crate::{
    Batch, BatchStream, Batching, Begin, Begun, CheckpointStore, Clock, CommitStep, Created, Epoch,
    EpochContext, EpochWriter, Error, Guarantee, History, Kind, ManualClock, Observer, Offset, OutputMode,
    Partition, Place, Planned, Port, Progress, Query, QueryId, QuerySettings, Range, Reach, Restart, Result,
    Sink, Source, SourceFacts, Step, StepFacts, StepProgress, Stop, Timestamp, Token, Trigger, Worker,
    checkpoint::{Checkpoint, MemoryStore},
    plan::{Dataflow, Input, NamedSink, NamedSource, NamedStep, Planner},
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
    released: Arc<AtomicU64>,
}

#[async_trait]
impl Source for Numbers {
    fn facts(&self) -> SourceFacts {
        SourceFacts { description: "numbers".into(), replayable: true, needs_history: false }
    }

    fn schema(&self, _: Option<&Range>) -> Result<SchemaRef> {
        Ok(schema())
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
}

fn at(first: i64) -> Place {
    Place::At { of: "numbers".into(), unit: "row", first: first as u64 }
}

fn rows(numbers: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
    RecordBatch::try_new(schema(), vec![column]).unwrap()
}

/// Doubles every number; fails on `bad`.
struct Double {
    ports: Vec<Port>,
    bad: Option<i64>,
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
        Ok(Box::new(Doubling(self.bad)))
    }

    fn progress(&self) -> StepProgress {
        StepProgress::default()
    }
}

struct Doubling(Option<i64>);

#[async_trait]
impl Worker for Doubling {
    async fn process(&mut self, _: &EpochContext, batch: Batch, out: &mut Vec<(usize, Batch)>) -> Result<()> {
        let numbers = batch.rows.column(0).as_primitive::<Int64Type>();
        if let Some(bad) = self.0
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
    total: u64,
    bad: Option<i64>,
}

#[async_trait]
impl Planner for Plan {
    async fn sources(&self) -> Result<Vec<NamedSource>> {
        let source = Numbers { total: self.total, limit: 10, released: self.world.released.clone() };
        Ok(vec![NamedSource { name: "in".into(), source: Arc::new(source) }])
    }

    async fn dataflow(&self, _: &[SchemaRef]) -> Result<Dataflow> {
        let ports = vec![Port { name: String::new(), schema: schema() }];
        let step = Arc::new(Double { ports, bad: self.bad });
        let steps = vec![NamedStep { name: "double".into(), input: Input::Source(0), step }];
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
        Ok(Dataflow { steps, sinks: sinks.collect() })
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

struct Start {
    total: u64,
    parallelism: u32,
    trigger: Trigger,
    crash: Option<u64>,
    bad: Option<i64>,
}

const START: Start =
    Start { total: 45, parallelism: 1, trigger: Trigger::AvailableNow, crash: None, bad: None };

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
        },
        planner: Arc::new(Plan { world: world.clone(), total: start.total, bad: start.bad }),
        store: world.store.clone(),
        clock: Arc::new(ManualClock::new(Timestamp(1_000_000))),
        observer: observer.clone(),
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

#[tokio::test]
async fn a_query_that_crashes_at_any_step_of_any_epoch_stores_every_row_once() {
    for parallelism in [1, 2, 4] {
        for crash in 0..40 {
            let world = World::default();
            let crashed = run(&world, Start { crash: Some(crash), parallelism, ..START }).await;
            run(&world, Start { parallelism, ..START }).await.unwrap();
            assert_eq!(
                published(&world.sinks[0]),
                epochs_of_ten(45, 2),
                "crash at step {crash}: {crashed:?}"
            );
            assert_eq!(
                published(&world.sinks[1]),
                epochs_of_ten(45, 1),
                "crash at step {crash}: {crashed:?}"
            );
            assert_eq!(world.released.load(Relaxed), 45, "crash at step {crash}");
        }
    }
}

#[tokio::test]
async fn a_deleted_commit_record_leaves_every_sink_unchanged() {
    let world = World::default();
    run(&world, START).await.unwrap();
    world.store.delete("commits/4").await.unwrap();
    run(&world, START).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
    assert!(Checkpoint::new(world.store.clone()).commit(Epoch(4)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_query_goes_on_where_it_stopped() {
    let world = World::default();
    run(&world, Start { total: 20, ..START }).await.unwrap();
    run(&world, START).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
}

#[tokio::test]
async fn once_runs_a_single_epoch() {
    let world = World::default();
    run(&world, Start { trigger: Trigger::Once, ..START }).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(10, 2));
}

#[tokio::test]
async fn a_failing_row_is_named_with_epoch_step_and_position() {
    let world = World::default();
    let error = run(&world, Start { bad: Some(33), ..START }).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Plugin);
    assert_eq!(error.report(), "epoch 3: step `double`: cannot double row at numbers, row 33");
    assert_eq!(published(&world.sinks[0]).len(), 3, "nothing of the failed epoch is published");
}

#[tokio::test]
async fn a_host_that_was_replaced_is_fenced() {
    let world = World::default();
    let checkpoint = Checkpoint::new(world.store.clone());
    run(&world, Start { total: 10, ..START }).await.unwrap();
    let first = checkpoint.claim(1, Timestamp(0)).await.unwrap();
    checkpoint.still_mine(first).await.unwrap();
    checkpoint.claim(2, Timestamp(0)).await.unwrap();
    assert_eq!(checkpoint.still_mine(first).await.unwrap_err().kind(), Kind::Fenced);
}

/// Another host commits epoch 0 while this one is held between its check and its write; a later one if `replaced`.
struct Overtaken {
    store: Arc<MemoryStore>,
    replaced: bool,
}

impl Observer for Overtaken {
    fn reached(&self, epoch: Epoch, step: CommitStep) -> Result<()> {
        if step == CommitStep::SinkCommitted(1) && epoch == Epoch(0) {
            let create = |name, record: &'static str| {
                let created = self.store.create(name, record.into()).now_or_never().unwrap();
                assert_eq!(created.unwrap(), Created::Won);
            };
            create("commits/0", r#"{"version":1,"time":0,"rows":10,"sinks":{}}"#);
            if self.replaced {
                create("owners/1", r#"{"version":1,"pid":1,"started":0}"#);
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_host_that_wakes_after_another_committed_its_epoch_is_fenced() {
    let world = World::default();
    let (mut query, _) = query(&world, START);
    query.observer = Arc::new(Overtaken { store: world.store.clone(), replaced: true });
    let error = query.run(&Stop::channel().1).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Fenced, "{}", error.report());
}

#[tokio::test]
async fn the_newest_host_goes_on_when_the_one_it_replaced_finished_an_epoch() {
    let world = World::default();
    let (mut query, _) = query(&world, START);
    query.observer = Arc::new(Overtaken { store: world.store.clone(), replaced: false });
    query.run(&Stop::channel().1).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
}

#[tokio::test]
async fn a_checkpoint_of_other_sources_is_refused() {
    let world = World::default();
    run(&world, START).await.unwrap();
    let other = BTreeMap::from([("in".to_owned(), "letters".to_owned())]);
    let error = Checkpoint::new(world.store.clone()).open("numbers", other).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        error.report().contains("in = numbers, but this pipeline has in = letters"),
        "{}",
        error.report()
    );
}

#[tokio::test]
async fn reset_runs_later_epochs_again_and_only_a_new_identity_stores_them_again() {
    let world = World::default();
    run(&world, START).await.unwrap();
    let checkpoint = Checkpoint::new(world.store.clone());
    let id = checkpoint.metadata().await.unwrap().unwrap().id;
    assert_eq!(checkpoint.reset(Epoch(2), false, Timestamp(0)).await.unwrap(), [Epoch(3), Epoch(4)]);
    run(&world, START).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
    checkpoint.reset(Epoch(2), true, Timestamp(0)).await.unwrap();
    assert_ne!(checkpoint.metadata().await.unwrap().unwrap().id, id);
    assert!(checkpoint.reset(Epoch(9), false, Timestamp(0)).await.is_err());
}

#[tokio::test]
async fn old_records_go_and_what_is_kept_still_starts() {
    let world = World::default();
    let (mut long, _) = query(&world, Start { total: 500, ..START });
    long.settings.retain_epochs = 5;
    long.run(&Stop::channel().1).await.unwrap();
    let planned = Checkpoint::new(world.store.clone()).planned().await.unwrap();
    assert!(planned.len() < 25 && planned.last() == Some(&Epoch(49)), "{planned:?}");
    run(&world, Start { total: 505, ..START }).await.unwrap();
    assert_eq!(published(&world.sinks[0]).concat().len(), 505);
}

#[tokio::test]
async fn continuous_delivers_and_records_what_it_read() {
    let world = World::default();
    let (query, observer) =
        query(&world, Start { trigger: Trigger::Continuous(Duration::from_secs(1)), ..START });
    let (sender, stop) = Stop::channel();
    let watch = observer.clone();
    let running = tokio::spawn(async move { query.run(&stop).await });
    while watch.progress.lock().unwrap().len() < 5 && !running.is_finished() {
        tokio::task::yield_now().await;
    }
    let _ = sender.send(true);
    running.await.unwrap().unwrap();
    assert_eq!(published(&world.sinks[0]).concat(), epochs_of_ten(45, 2).concat());
    let record = Checkpoint::new(world.store.clone()).offsets(Epoch(0)).await.unwrap();
    assert_eq!(record.sources["in"].len(), 5);
    assert_eq!(record.positions["in"], Offset(json!(45)));
}

#[tokio::test]
async fn progress_has_the_shape_of_sparks() {
    let world = World::default();
    let (query, observer) = query(&world, START);
    query.run(&Stop::channel().1).await.unwrap();
    let progress = serde_json::to_value(&observer.progress.lock().unwrap()[1]).unwrap();
    assert_eq!(progress["batchId"], 1);
    assert_eq!(progress["timestamp"], "1970-01-01T00:00:01.000Z");
    assert_eq!(progress["numInputRows"], 10);
    assert_eq!(progress["sources"][0]["startOffset"], 10);
    assert_eq!(progress["sources"][0]["endOffset"], 20);
    assert_eq!(progress["sources"][0]["backlog"], 25);
    assert_eq!(progress["sink"]["numOutputRows"], 10);
    for key in
        ["id", "runId", "name", "inputRowsPerSecond", "processedRowsPerSecond", "eventTime", "stateOperators"]
    {
        assert!(progress.get(key).is_some(), "{key}");
    }
    assert!(progress["durationMs"].get("triggerExecution").is_some());
    assert!(progress["plugins"].get("double").is_some());
}

/// A clock whose sleepers wake at once, and that remembers how long they wanted to sleep.
#[derive(Default)]
struct Impatient(Mutex<Vec<Duration>>);

#[async_trait]
impl Clock for Impatient {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration);
    }
}

/// A store that cannot be written to until it was tried so often.
struct Flaky(MemoryStore, AtomicU64);

#[async_trait]
impl CheckpointStore for Flaky {
    async fn read(&self, name: &str) -> Result<Option<bytes::Bytes>> {
        self.0.read(name).await
    }

    async fn create(&self, name: &str, record: bytes::Bytes) -> Result<Created> {
        let left = self.1.load(Relaxed);
        if name == "commits/1" && left > 0 {
            self.1.store(left - 1, Relaxed);
            return Err(Error::new(Kind::Unavailable, "disk full"));
        }
        self.0.create(name, record).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.0.list(folder).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.0.delete(name).await
    }

    fn location(&self) -> String {
        "flaky".into()
    }
}

#[tokio::test]
async fn what_never_worked_is_not_retried() {
    let world = World::default();
    let (mut query, _) = query(&world, START);
    let clock = Arc::new(Impatient::default());
    query.clock = clock.clone();
    query.store = Arc::new(crate::checkpoint::LocalStore::new("/dev/null/checkpoint"));
    assert_eq!(query.run(&Stop::channel().1).await.unwrap_err().kind(), Kind::Unavailable);
    assert!(clock.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_unavailable_error_is_retried_with_growing_waits_and_then_given_up() {
    for (failures, waits, ends_well) in [(2, vec![1, 2], true), (9, vec![1, 2], false)] {
        let world = World::default();
        let (mut query, _) = query(&world, START);
        let clock = Arc::new(Impatient::default());
        query.clock = clock.clone();
        query.store = Arc::new(Flaky(MemoryStore::default(), AtomicU64::new(failures)));
        assert_eq!(query.run(&Stop::channel().1).await.is_ok(), ends_well);
        let waited: Vec<u64> = clock.0.lock().unwrap().iter().map(Duration::as_secs).collect();
        assert_eq!(waited, waits);
        if ends_well {
            assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
        }
    }
}
