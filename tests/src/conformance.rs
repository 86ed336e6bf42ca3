//! Recorded answers of Spark, epoch by epoch, against those of a pipeline.
//!
//! A scenario is a folder: `input/<source>/epoch-NNN.jsonl` is what arrives in each micro-batch, `expected.jsonl` what Spark
//! answered in each, `watermarks.jsonl` how far its event time had come; `tables` are what it joins with. The pipeline is
//! `tests/conformance/<scenario>.toml`: `${INPUT}` is where its sources read, `${TABLES}` where its tables are, and the rows of
//! its only sink are compared.

use arrow::{
    array::RecordBatch,
    json::{WriterBuilder, writer::LineDelimited},
};
use async_trait::async_trait;
use connectors::memory::LiveTables;
use engine::{
    Begin, Begun, CheckpointStore, CommitStep, Epoch, EpochWriter, Error, Guarantee, Kind, Observer,
    OutputMode, Partition, Progress, Query, QueryId, Result, ResultExt, Sink, Stop, SystemClock, Token,
    checkpoint::MemoryStore,
    plan::{Dataflow, NamedSource, Planner},
};
use pipeline::{PipelineFile, World};
use plugin::{Compiler, Runtime, RuntimeSettings};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// Where the pipelines of the scenarios are.
pub fn pipelines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// The scenarios of a folder, in the order of their names.
pub fn scenarios(folder: &Path) -> Result<Vec<PathBuf>> {
    let doing = || format!("listing the scenarios of {}", folder.display());
    let entries = fs::read_dir(folder).doing(Kind::Invalid, doing)?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("expected.jsonl").exists())
        .collect();
    paths.sort();
    Ok(paths)
}

/// How a scenario runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// In one go.
    Whole,
    /// Ended after every epoch, and started again.
    Resumed,
    /// Ended at the n-th step of any commit, and started again.
    CrashedAt(u64),
}

/// Runs a scenario; answers how its rows differ from Spark's, or nothing. False beside it if a crash was asked for behind its
/// last step, so that it ran whole.
pub async fn run(scenario: &Path, parallelism: u32, how: How) -> Result<(Option<String>, bool)> {
    let name = scenario.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let work = tempfile::tempdir().doing(Kind::Unavailable, || "a temporary directory")?;
    lay_out(&scenario.join("input"), work.path())?;
    let input = work.path().display().to_string();
    // The pipeline's own paths start at its folder.
    let tables = std::path::absolute(scenario.join("tables"));
    let tables = tables.doing(Kind::Invalid, || scenario.display().to_string())?.display().to_string();
    let environment = |name: &str| match name {
        "INPUT" => Some(input.clone()),
        "TABLES" => Some(tables.clone()),
        _ => None,
    };
    let mut file = PipelineFile::read(&pipelines().join(format!("{name}.toml")), &environment)?;
    file.settings.parallelism = Some(parallelism);
    let job = Job { file: Arc::new(file), store: Arc::default(), seen: Seen::default() };
    let interrupted = match how {
        How::Whole => job.start(Arc::new(Watch::new(&job.seen, None, false))).await?,
        How::Resumed => {
            while job.start(Arc::new(Watch::new(&job.seen, None, true))).await? {}
            true
        }
        How::CrashedAt(step) => {
            let crashed = job.start(Arc::new(Watch::new(&job.seen, Some(step), false))).await?;
            crashed && !job.start(Arc::new(Watch::new(&job.seen, None, false))).await?
        }
    };
    Ok((job.seen.differs(scenario)?, interrupted))
}

/// Copies the input, a file an epoch and source, each a second younger than the one before.
fn lay_out(input: &Path, to: &Path) -> Result<()> {
    let doing = || format!("copying {}", input.display());
    let names = |folder: &Path| -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder).doing(Kind::Invalid, doing)?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        Ok(paths)
    };
    for source in names(input)? {
        let folder = to.join(source.file_name().unwrap_or_default());
        fs::create_dir_all(&folder).doing(Kind::Unavailable, doing)?;
        for (number, file) in names(&source)?.into_iter().enumerate() {
            let copy = folder.join(file.file_name().unwrap_or_default());
            fs::copy(&file, &copy).doing(Kind::Unavailable, doing)?;
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + number as u64);
            let opened = File::options().write(true).open(&copy);
            opened.and_then(|file| file.set_modified(time)).doing(Kind::Unavailable, doing)?;
        }
    }
    Ok(())
}

/// A pipeline, what it remembers, and what came of it.
struct Job {
    file: Arc<PipelineFile>,
    store: Arc<MemoryStore>,
    seen: Seen,
}

impl Job {
    /// Runs once; true if it was interrupted.
    async fn start(&self, observer: Arc<dyn Observer>) -> Result<bool> {
        let mut query = pipeline::query(&self.file, &world()?, observer)?;
        query.store = self.store.clone() as Arc<dyn CheckpointStore>;
        query.planner = Arc::new(Collecting { planner: query.planner, seen: self.seen.clone() });
        match Query::run(&query, &Stop::channel().1).await {
            Ok(()) => Ok(false),
            Err(e) if e.report().ends_with(INTERRUPTED) => Ok(true),
            Err(e) => Err(e),
        }
    }
}

/// The pipeline, with another sink in the place of its own.
struct Collecting {
    planner: Arc<dyn Planner>,
    seen: Seen,
}

#[async_trait]
impl Planner for Collecting {
    async fn sources(&self) -> Result<Vec<NamedSource>> {
        self.planner.sources().await
    }

    async fn dataflow(&self, schemas: &[arrow::datatypes::SchemaRef]) -> Result<Dataflow> {
        let mut flow = self.planner.dataflow(schemas).await?;
        flow.sinks.iter_mut().for_each(|named| named.sink = Arc::new(self.seen.clone()));
        Ok(flow)
    }
}

/// What came out: rows by epoch, and the watermark of each.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Answers>>);

#[derive(Default)]
struct Answers {
    rows: BTreeMap<u64, Vec<String>>,
    watermarks: BTreeMap<u64, String>,
}

impl Seen {
    fn answers<T>(&self, with: impl FnOnce(&mut Answers) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first epoch that differs from Spark's, in words.
    fn differs(&self, scenario: &Path) -> Result<Option<String>> {
        let expected = recorded(&scenario.join("expected.jsonl"))?;
        let expected: Vec<(u64, Vec<String>)> = expected
            .iter()
            .map(|batch| {
                let rows = field(batch, "rows").as_array().into_iter().flatten();
                (field(batch, "batch").as_u64().unwrap_or_default(), sorted(rows.map(canonical).collect()))
            })
            .collect();
        let watermarks = recorded(&scenario.join("watermarks.jsonl"))?;
        Ok(self.answers(|seen| {
            for (batch, rows) in &expected {
                let ours = seen.rows.get(batch).cloned().unwrap_or_default();
                if ours != *rows {
                    return Some(difference(*batch, rows, &ours));
                }
            }
            let last = expected.last().map_or(0, |(batch, _)| *batch);
            let more = seen.rows.iter().find(|(epoch, rows)| **epoch > last && !rows.is_empty());
            if let Some((epoch, rows)) = more {
                return Some(difference(*epoch, &[], rows));
            }
            watermarks.iter().find_map(|batch| {
                let number = field(batch, "batch").as_u64()?;
                let spark = field(field(batch, "event_time"), "watermark").as_str()?;
                // An epoch that was interrupted behind its commit is not reported.
                let ours = seen.watermarks.get(&number)?;
                (ours != spark).then(|| format!("epoch {number}: watermark {ours}, Spark's {spark}"))
            })
        }))
    }
}

fn difference(epoch: u64, spark: &[String], ours: &[String]) -> String {
    let without = |of: &[String], other: &[String]| {
        let more: Vec<&str> =
            of.iter().filter(|row| !other.contains(row)).map(String::as_str).take(5).collect();
        more.join("\n    ")
    };
    format!(
        "epoch {epoch}: {} rows, Spark has {}\n  only Spark has\n    {}\n  only streamhost has\n    {}",
        ours.len(),
        spark.len(),
        without(spark, ours),
        without(ours, spark),
    )
}

fn recorded(path: &Path) -> Result<Vec<Value>> {
    let doing = || format!("reading {}", path.display());
    let text = fs::read_to_string(path).doing(Kind::Invalid, doing)?;
    text.lines().map(|line| serde_json::from_str(line).doing(Kind::Invalid, doing)).collect()
}

fn field<'v>(of: &'v Value, name: &str) -> &'v Value {
    of.get(name).unwrap_or(&Value::Null)
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

/// A row as text that is the same for equal rows: floats to nine decimals, times in microseconds, no NULLs, keys in order.
fn canonical(row: &Value) -> String {
    normal(row).to_string()
}

fn normal(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), normal(value)))
                .collect();
            Value::Object(fields.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.iter().map(normal).collect()),
        Value::Number(number) if number.is_f64() => {
            let rounded = format!("{:.9}", number.as_f64().unwrap_or_default());
            let rounded = rounded.trim_end_matches('0').trim_end_matches('.').to_owned();
            Value::String(if rounded == "-0" { "0".into() } else { rounded })
        }
        Value::Number(number) => Value::String(number.to_string()),
        Value::String(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Value::String(format!("{} µs", time.as_microsecond())),
            Err(_) => value.clone(),
        },
        other => other.clone(),
    }
}

#[async_trait]
impl Sink for Seen {
    fn accepts(&self, _: OutputMode, _: &arrow::datatypes::SchemaRef) -> Result<Guarantee> {
        Ok(Guarantee::ExactlyOnce)
    }

    async fn open(&self, _: &QueryId, _: &str) -> Result<()> {
        Ok(())
    }

    /// Takes an epoch again that it has, to see that it comes to the same.
    async fn begin(&self, epoch: &Begin) -> Result<Begun> {
        Ok(Begun::Writer(Box::new(Collector {
            epoch: epoch.epoch,
            seen: self.clone(),
            rows: Mutex::default(),
        })))
    }
}

struct Collector {
    epoch: Epoch,
    seen: Seen,
    rows: Mutex<Vec<String>>,
}

#[async_trait]
impl EpochWriter for Collector {
    async fn write(&self, _: Partition, rows: RecordBatch) -> Result<()> {
        let doing = || "rows as JSON";
        let mut lines = WriterBuilder::new().build::<_, LineDelimited>(Vec::new());
        lines.write(&rows).and_then(|()| lines.finish()).doing(Kind::Internal, doing)?;
        let text = String::from_utf8(lines.into_inner()).doing(Kind::Internal, doing)?;
        let rows =
            text.lines().map(|line| Ok(canonical(&serde_json::from_str(line).doing(Kind::Internal, doing)?)));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).extend(rows);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let rows = sorted(self.rows.into_inner().unwrap_or_else(PoisonError::into_inner));
        let before = self.seen.answers(|seen| seen.rows.insert(self.epoch.0, rows.clone()));
        match before {
            Some(before) if before != rows => Err(Error::new(
                Kind::Internal,
                format!("a replay came to other rows: {}", difference(self.epoch.0, &before, &rows)),
            )),
            _ => Ok(Token::default()),
        }
    }
}

const INTERRUPTED: &str = "interrupted";

/// Interrupts the query where it is told to, and notes the watermarks.
struct Watch {
    seen: Seen,
    crash_at: Option<u64>,
    steps: AtomicU64,
    stop_after_each: bool,
}

impl Watch {
    fn new(seen: &Seen, crash_at: Option<u64>, stop_after_each: bool) -> Self {
        Watch { seen: seen.clone(), crash_at, steps: AtomicU64::new(0), stop_after_each }
    }
}

impl Observer for Watch {
    fn progress(&self, progress: &Progress) {
        if let Some(watermark) = progress.event_time.get("watermark") {
            self.seen.answers(|seen| seen.watermarks.insert(progress.batch_id.0, watermark.clone()));
        }
    }

    fn reached(&self, _: Epoch, step: CommitStep) -> Result<()> {
        let number = self.steps.fetch_add(1, Relaxed);
        let interrupt =
            self.crash_at == Some(number) || (self.stop_after_each && step == CommitStep::Released);
        if interrupt { Err(Error::internal(INTERRUPTED)) } else { Ok(()) }
    }
}

/// A world without a cache, a console or a grant.
pub fn world() -> Result<World> {
    let clock = Arc::new(SystemClock::new());
    let settings = RuntimeSettings { cache_dir: None, compiler: Compiler::InProcess, clock: clock.clone() };
    Ok(World {
        runtime: Arc::new(Runtime::new(settings)?),
        clock,
        stdout: Arc::new(|_| Box::new(std::io::sink())),
        note: Arc::new(|_| {}),
        plugin_target: None,
        live: LiveTables::default(),
        at_step: None,
    })
}
