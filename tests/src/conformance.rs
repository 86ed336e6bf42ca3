//! Recorded answers of Spark, epoch by epoch, against those of a pipeline.
//!
//! A scenario is a folder: `input/<source>/epoch-NNN.jsonl` is what arrives in each micro-batch, `expected.jsonl` what Spark
//! answered in each, `watermarks.jsonl` how far its event time had come; `tables` are what it joins with. The pipeline is
//! `tests/conformance/<scenario>.toml`: `${INPUT}` is where its sources read, `${TABLES}` where its tables are, and the rows of
//! its only sink are compared, and the types of their columns; `${PLUGINS}` is where plugins' sources are. `scenario.json` has Spark's words, and says whether the order of
//! the rows counts (`ordered`), and by which error the query ends (`fails`).

mod recorded;

use self::recorded::{Recorded, canonical, difference, sorted};
use crate::spark_types::type_name;
use arrow::{
    array::RecordBatch,
    json::{WriterBuilder, writer::LineDelimited},
};
use async_trait::async_trait;
use connectors::{memory::LiveTables, stores::Environment};
use engine::{
    Begin, Begun, CheckpointStore, CommitStep, Epoch, EpochWriter, Error, Guarantee, Kind, Observer,
    OutputMode, Partition, Progress, Query, QueryId, Result, ResultExt, Sink, Stop, SystemClock, Token,
    checkpoint::MemoryStore,
    plan::{Dataflow, NamedSource, Planner},
};
use pipeline::{PipelineFile, World};
use plugin::{Compiler, Runtime, RuntimeSettings};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

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
        "PLUGINS" => Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins").to_owned()),
        _ => None,
    };
    let mut file = PipelineFile::read(&pipelines().join(format!("{name}.toml")), &environment)?;
    file.settings.parallelism = Some(parallelism);
    let job = Job { file: Arc::new(file), store: Arc::default(), seen: Seen::default() };
    let recorded = Recorded::read(scenario)?;
    let (ended, interrupted) = job.run(how).await?;
    if matches!(ended, Ended::InError(_)) != recorded.fails.is_some() {
        let spark = recorded.fails.as_deref().unwrap_or("no error");
        return Ok((Some(format!("the query ended {ended:?}, Spark's with {spark}")), interrupted));
    }
    Ok((job.seen.differs(&recorded), interrupted))
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

/// How a start of a query ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Done,
    Interrupted,
    /// By a row that has no answer: what is said of it.
    InError(String),
}

impl Job {
    /// Runs to the end; says how it ended, and whether it was interrupted as asked.
    async fn run(&self, how: How) -> Result<(Ended, bool)> {
        let watch = |crash_at, after_each| Arc::new(Watch::new(&self.seen, crash_at, after_each));
        let mut ended = match how {
            How::Whole => self.start(watch(None, false)).await?,
            How::Resumed => self.start(watch(None, true)).await?,
            How::CrashedAt(step) => self.start(watch(Some(step), false)).await?,
        };
        let interrupted = ended == Ended::Interrupted;
        while ended == Ended::Interrupted {
            ended = self.start(watch(None, how == How::Resumed)).await?;
        }
        Ok((ended, interrupted))
    }

    async fn start(&self, observer: Arc<dyn Observer>) -> Result<Ended> {
        let mut query = pipeline::query(&self.file, &world()?, observer)?;
        query.store = self.store.clone() as Arc<dyn CheckpointStore>;
        query.planner = Arc::new(Collecting { planner: query.planner, seen: self.seen.clone() });
        match Query::run(&query, &Stop::channel().1).await {
            Ok(()) => Ok(Ended::Done),
            Err(e) if e.report().ends_with(INTERRUPTED) => Ok(Ended::Interrupted),
            Err(e) if e.kind() == Kind::Data => Ok(Ended::InError(e.report())),
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
        for named in &mut flow.sinks {
            named.sink = Arc::new(self.seen.clone());
            let columns = arrow::datatypes::DataType::Struct(named.schema.fields().clone());
            self.seen.answers(|seen| seen.columns = type_name(&columns));
        }
        Ok(flow)
    }
}

/// What came out: the columns, rows by epoch, and the watermark of each.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Answers>>);

#[derive(Default)]
struct Answers {
    columns: String,
    rows: BTreeMap<u64, Vec<String>>,
    watermarks: BTreeMap<u64, String>,
}

impl Seen {
    fn answers<T>(&self, with: impl FnOnce(&mut Answers) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What differs from Spark's first, in words.
    fn differs(&self, spark: &Recorded) -> Option<String> {
        self.answers(|seen| {
            if seen.columns != spark.columns {
                return Some(format!("columns {}\n  Spark's {}", seen.columns, spark.columns));
            }
            for (batch, rows) in &spark.batches {
                let ours = seen.rows.get(batch).cloned().unwrap_or_default();
                let ours = if spark.ordered { ours } else { sorted(ours) };
                if ours != *rows {
                    return Some(difference(*batch, rows, &ours));
                }
            }
            let last = spark.batches.last().map_or(0, |(batch, _)| *batch);
            let more = seen.rows.iter().find(|(epoch, rows)| **epoch > last && !rows.is_empty());
            if let Some((epoch, rows)) = more {
                return Some(difference(*epoch, &[], rows));
            }
            spark.watermarks.iter().find_map(|(number, spark)| {
                // An epoch that was interrupted behind its commit is not reported.
                let ours = seen.watermarks.get(number)?;
                (ours != spark).then(|| format!("epoch {number}: watermark {ours}, Spark's {spark}"))
            })
        })
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
    rows: Mutex<BTreeMap<Partition, Vec<String>>>,
}

#[async_trait]
impl EpochWriter for Collector {
    async fn write(&self, partition: Partition, rows: RecordBatch) -> Result<()> {
        let doing = || "rows as JSON";
        let mut lines = WriterBuilder::new().build::<_, LineDelimited>(Vec::new());
        lines.write(&rows).and_then(|()| lines.finish()).doing(Kind::Internal, doing)?;
        let text = String::from_utf8(lines.into_inner()).doing(Kind::Internal, doing)?;
        let rows =
            text.lines().map(|line| Ok(canonical(&serde_json::from_str(line).doing(Kind::Internal, doing)?)));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let mut all = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(partition).or_default().extend(rows);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let rows = self.rows.into_inner().unwrap_or_else(PoisonError::into_inner);
        let rows: Vec<String> = rows.into_values().flatten().collect();
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

/// A world without a console or a grant. Every start in it loads its plugins anew; only the first compiles them.
pub fn world() -> Result<World> {
    static COMPILED: OnceLock<TempDir> = OnceLock::new();
    let clock = Arc::new(SystemClock::new());
    if COMPILED.get().is_none() {
        let made = tempfile::tempdir().doing(Kind::Unavailable, || "a temporary directory")?;
        let _ = COMPILED.set(made);
    }
    let cache_dir = COMPILED.get().map(|cache| cache.path().join("compiled"));
    let (compiler, scratch) = (Compiler::InProcess, std::env::temp_dir());
    let settings = RuntimeSettings { cache_dir, scratch, compiler, clock: clock.clone() };
    Ok(World {
        runtime: Arc::new(Runtime::new(settings)?),
        clock,
        stdout: Arc::new(|_| Box::new(std::io::sink())),
        note: Arc::new(|_| {}),
        plugin_target: None,
        live: LiveTables::default(),
        functions: engine::LiveFunctions::default(),
        at_step: None,
        environment: Environment::default(),
        registry: None,
    })
}
