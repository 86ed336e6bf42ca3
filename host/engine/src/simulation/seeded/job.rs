//! What runs: two streams, and a window, a removal of duplicates, a join and a running count over them.

use super::fate::Fate;
use crate::{
    Batch, BatchStream, Begin, Begun, Epoch, EpochWriter, Error, Guarantee, History, Keyed, Offset,
    OutputMode, Partition, Place, Planned, QueryId, Range, Reach, Result, Sink, Source, SourceFacts, Token,
    operators::{DropDuplicates, WatermarkStep, driver::printed},
    plan::{Dataflow, Input, NamedSink, NamedSource, NamedStep, Planner, Work},
    sql::{self, Catalog, Outputs, Sql},
};
use arrow::{
    array::{ArrayRef, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

/// The sources: the first letter of a column tells which one it is of.
const SOURCES: [&str; 2] = ["l", "r"];

/// Name, mode and text of what SQL plans.
const QUERIES: [(&str, OutputMode, &str); 4] = [
    (
        "windows",
        OutputMode::Append,
        "SELECT window(lt, '10 seconds', '5 seconds') AS w, la, count(*) AS n, sum(lk) AS total FROM l GROUP BY 1, 2",
    ),
    (
        "sessions",
        OutputMode::Append,
        "SELECT session_window(rt, '3 seconds') AS s, rk, count(*) AS n, max(ra) AS top FROM r GROUP BY 1, 2",
    ),
    (
        "pairs",
        OutputMode::Append,
        "SELECT lk, lt, la, rt, ra FROM l LEFT JOIN r ON lk = rk AND rt BETWEEN lt AND lt + INTERVAL 4 seconds",
    ),
    ("live", OutputMode::Update, "SELECT la, count(*) AS n, min(lt) AS since FROM l GROUP BY la"),
];

/// The rows of every sink by epoch, in a fixed order.
pub(super) type BySink = BTreeMap<String, BTreeMap<Epoch, Vec<String>>>;

/// What comes in.
pub(super) struct Job {
    rows: [RecordBatch; 2],
    seed: u64,
}

impl Job {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        Job { rows: SOURCES.map(|source| generated(source, &mut rng)), seed }
    }
}

fn schema(source: &str) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = [("k", DataType::Int32), ("t", time), ("a", DataType::Utf8)];
    let field = |(name, of)| Field::new(format!("{source}{name}"), of, true);
    Arc::new(Schema::new(columns.map(field).to_vec()))
}

/// Rows whose times go forward with some disorder; some are very late, and some values are missing.
fn generated(source: &str, rng: &mut SmallRng) -> RecordBatch {
    let count = rng.random_range(30..80);
    let time = |row: i64, rng: &mut SmallRng| {
        let late = if rng.random_ratio(1, 8) { 30_000_000 } else { 0 };
        row * 600_000 + rng.random_range(0..6_000_000) - late
    };
    let times: TimestampMicrosecondArray =
        (0..count).map(|row| rng.random_ratio(19, 20).then(|| time(row, rng))).collect();
    let keys: Int32Array =
        (0..count).map(|_| rng.random_ratio(19, 20).then(|| rng.random_range(0..6))).collect();
    let words: StringArray =
        (0..count).map(|_| ["x", "y", "z"].get(rng.random_range(0..4)).copied()).collect();
    let columns: [ArrayRef; 3] = [Arc::new(keys), Arc::new(times.with_timezone("UTC")), Arc::new(words)];
    RecordBatch::try_new(schema(source), columns.into()).unwrap()
}

/// The parts of the query, made anew for every start.
pub(super) struct Parts {
    pub(super) job: Arc<Job>,
    pub(super) fate: Arc<Fate>,
    pub(super) answers: Arc<Answers>,
}

#[async_trait]
impl Planner for Parts {
    async fn sources(&self) -> Result<Vec<NamedSource>> {
        let source = |(name, index)| {
            let of: &str = name;
            let source = Rows { index, job: self.job.clone(), fate: self.fate.clone() };
            NamedSource { name: of.to_owned(), source: Arc::new(source), idle_after: None }
        };
        Ok(SOURCES.into_iter().zip(0..).map(source).collect())
    }

    async fn dataflow(&self, _: &[SchemaRef]) -> Result<Dataflow> {
        let mut flow = Dataflow::default();
        let mut tables = BTreeMap::new();
        let watched = watched()?;
        for (index, (source, step)) in SOURCES.iter().zip(watched).enumerate() {
            let input = push(&mut flow, &format!("{source}.watermark"), Input::Source(index), step);
            tables.insert((*source).to_owned(), Outputs::alike(input));
        }
        for ((name, mode, _), planned) in QUERIES.iter().zip(planned()) {
            let input = planned.add_to(&mut flow, name, &tables, &[*mode])?.0.of(*mode)?;
            flow.sinks.push(self.sink(name, *mode, input, planned.schema()));
        }
        let left = tables["l"].of(OutputMode::Append)?;
        let columns = columns(&flow, left);
        let unique = Arc::new(DropDuplicates::new(&columns, Some(&["lk".into(), "la".into()]), true)?);
        let late = unique.ports()[1].schema.clone();
        let input = push(&mut flow, "unique", left, Work::Keyed(unique));
        flow.sinks.push(self.sink("unique", OutputMode::Append, input, columns));
        let Input::Step { step, .. } = input else { return Err(Error::internal("a step")) };
        flow.sinks.push(self.sink("late", OutputMode::Append, Input::Step { step, port: 1 }, late));
        Ok(flow)
    }
}

impl Parts {
    fn sink(&self, name: &str, mode: OutputMode, input: Input, schema: SchemaRef) -> NamedSink {
        let sink = Store { name: name.to_owned(), answers: self.answers.clone() };
        NamedSink {
            name: name.to_owned(),
            description: "memory".into(),
            input,
            schema,
            mode,
            sink: Arc::new(sink),
        }
    }
}

fn columns(flow: &Dataflow, of: Input) -> SchemaRef {
    let Input::Step { step, port } = of else { panic!("{of:?} is no step") };
    flow.steps[step].ports()[port].schema.clone()
}

fn push(flow: &mut Dataflow, name: &str, input: Input, work: Work) -> Input {
    flow.steps.push(NamedStep { name: name.to_owned(), inputs: vec![input], work });
    Input::Step { step: flow.steps.len() - 1, port: 0 }
}

/// The watermarks of the sources.
fn watched() -> Result<[Work; 2]> {
    let watch = |source: &str, seconds| -> Result<Work> {
        let step = WatermarkStep::new(&schema(source), &format!("{source}t"), Duration::from_secs(seconds))?;
        Ok(Work::Stateless(Arc::new(step)))
    };
    Ok([watch("l", 5)?, watch("r", 3)?])
}

/// The queries; planned once, for planning takes longer than a run.
fn planned() -> &'static [sql::Planned] {
    static PLANNED: OnceLock<Vec<sql::Planned>> = OnceLock::new();
    PLANNED.get_or_init(|| {
        let schema = |(source, work): (&str, Work)| match work {
            Work::Stateless(step) => (source.to_owned(), step.ports()[0].schema.clone()),
            Work::Keyed(_) => panic!("a watermark has no state"),
        };
        let tables = SOURCES.into_iter().zip(watched().unwrap()).map(schema).collect();
        let catalog = Arc::new(Catalog::new(tables, "UTC"));
        let plan = |(_, _, text): &(_, _, &str)| Sql::parse(text).unwrap().plan(catalog.clone()).unwrap();
        QUERIES.iter().map(plan).collect()
    })
}

/// A source of generated rows. How many come at once follows from where they start.
struct Rows {
    index: usize,
    job: Arc<Job>,
    fate: Arc<Fate>,
}

impl Rows {
    fn all(&self) -> &RecordBatch {
        &self.job.rows[self.index]
    }

    fn name(&self) -> &'static str {
        SOURCES[self.index]
    }
}

fn position(offset: Option<&Offset>) -> u64 {
    offset.and_then(|offset| offset.0.as_u64()).unwrap_or(0)
}

#[async_trait]
impl Source for Rows {
    fn facts(&self) -> SourceFacts {
        SourceFacts {
            description: self.name().into(),
            identity: self.name().into(),
            replayable: true,
            needs_history: false,
            consumes: false,
        }
    }

    fn schema(&self, _: Option<&Range>) -> Result<SchemaRef> {
        Ok(schema(self.name()))
    }

    async fn restore(&self, _: History, _: Reach) -> Result<()> {
        self.fate.attempt("restore", || ())
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let (from, all) = (position(start), self.all().num_rows() as u64);
        let many = 1 + crate::hash(&[self.job.seed, from].map(u64::to_le_bytes).concat()) % 12;
        let to = all.min(from + many);
        let range = Range { start: start.cloned(), end: Offset(json!(to)), detail: Value::Null };
        self.fate.attempt("latest", || (to > from).then_some(Planned { range, backlog: all - to }))
    }

    async fn wait(&self) {
        std::future::pending().await
    }

    async fn read(&self, range: &Range, partitions: usize) -> Result<Vec<BatchStream>> {
        let (from, to) = (position(range.start.as_ref()), position(Some(&range.end)));
        let rows = self.all().slice(from as usize, (to - from) as usize);
        let own = rows.num_rows().div_ceil(partitions).max(1);
        let part = |start: usize| {
            let part = rows.slice(start, own.min(rows.num_rows() - start));
            let batches: Vec<RecordBatch> = (0..part.num_rows())
                .step_by(3)
                .map(|at| part.slice(at, 3.min(part.num_rows() - at)))
                .collect();
            let (fate, name) = (self.fate.clone(), self.name());
            let batch = move |rows| fate.attempt("read", || Batch::read(rows, at(name)));
            stream::iter(batches).map(batch).boxed()
        };
        Ok((0..rows.num_rows()).step_by(own).map(part).collect())
    }

    async fn release(&self, _: &Range) -> Result<Option<bytes::Bytes>> {
        self.fate.attempt("release", || None)
    }
}

fn at(source: &str) -> Place {
    Place::At { of: source.into(), unit: "row", first: 0 }
}

/// What the sinks hold, and what they were given in every try of an epoch.
pub(super) struct Answers {
    fate: Arc<Fate>,
    stored: Mutex<BySink>,
    tried: Mutex<BySink>,
}

impl Answers {
    pub(super) fn new(fate: Arc<Fate>) -> Self {
        Answers { fate, stored: Mutex::default(), tried: Mutex::default() }
    }

    pub(super) fn all(&self) -> BySink {
        self.stored.lock().unwrap().clone()
    }

    fn has(&self, sink: &str, epoch: Epoch) -> bool {
        self.stored.lock().unwrap().get(sink).is_some_and(|epochs| epochs.contains_key(&epoch))
    }

    /// Every try of an epoch has to come to the same rows.
    fn compare(&self, sink: &str, epoch: Epoch, rows: &[String]) -> Result<()> {
        let mut tried = self.tried.lock().unwrap();
        let before = tried.entry(sink.to_owned()).or_default().entry(epoch).or_insert_with(|| rows.to_vec());
        match before == rows {
            true => Ok(()),
            false => {
                let text = format!("epoch {epoch} of {sink} was {before:?}, and is now {rows:?}");
                Err(Error::new(crate::Kind::Data, text))
            }
        }
    }
}

/// Stores every epoch once.
struct Store {
    name: String,
    answers: Arc<Answers>,
}

#[async_trait]
impl Sink for Store {
    fn accepts(&self, _: OutputMode, _: &SchemaRef) -> Result<Guarantee> {
        Ok(Guarantee::ExactlyOnce)
    }

    async fn open(&self, _: &QueryId, _: &str) -> Result<()> {
        self.answers.fate.attempt("open", || ())
    }

    async fn begin(&self, begin: &Begin) -> Result<Begun> {
        self.answers.fate.attempt("begin", || match self.answers.has(&self.name, begin.epoch) {
            true => Begun::Stored(Token::default()),
            false => Begun::Writer(Box::new(Writing {
                sink: self.name.clone(),
                epoch: begin.epoch,
                answers: self.answers.clone(),
                rows: Mutex::default(),
            })),
        })
    }
}

struct Writing {
    sink: String,
    epoch: Epoch,
    answers: Arc<Answers>,
    rows: Mutex<Vec<String>>,
}

#[async_trait]
impl EpochWriter for Writing {
    async fn write(&self, _: Partition, rows: RecordBatch) -> Result<()> {
        self.answers.fate.attempt("write", || self.rows.lock().unwrap().extend(printed(&rows)))
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let mut rows = self.rows.into_inner().unwrap();
        rows.sort();
        self.answers.compare(&self.sink, self.epoch, &rows)?;
        self.answers.fate.attempt(&format!("commit {}", self.sink), || {
            let mut stored = self.answers.stored.lock().unwrap();
            stored.entry(self.sink.clone()).or_default().entry(self.epoch).or_insert(rows);
            Token::default()
        })
    }
}
