//! Scenarios: a Markdown file each, with a pipeline, and rows in and rows out per epoch.
//!
//! A file has one block "```toml" with the pipeline, whose sources read `in/<source>` and whose sinks write JSON or Parquet to
//! `out/<sink>`. Then, for each epoch, a heading `## Epoch n` with a block "```json <source>" of rows in, or none, and a
//! block "```json <sink>" of rows out per sink, those of a subdirectory below its name. Each scenario runs whole, resumed after every epoch, and crashed at every
//! step of every epoch, against that one expectation. `UPDATE_EXPECT=1` rewrites the rows out.

use crate::binary::{built, plugin, root, write};
use arrow::json::LineDelimitedWriter;
use connectors::files::sink::published;
use engine::{CommitStep, Epoch, Error, Observer, QueryId, Result, Stop, checkpoint::Metadata};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pipeline::PipelineFile;
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// A scenario as its file says it.
#[derive(Default)]
struct Scenario {
    /// With paths for the names of plugins.
    pipeline: toml::Table,
    /// Blocks under each epoch's heading: name → rows.
    epochs: Vec<BTreeMap<String, String>>,
}

/// Rows by epoch and sink.
type Rows = BTreeMap<(u64, String), String>;

impl Scenario {
    fn parse(text: &str) -> Self {
        let mut scenario = Scenario::default();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("## Epoch") {
                scenario.epochs.push(BTreeMap::new());
            } else if let Some(kind) = line.strip_prefix("```") {
                let block: String =
                    lines.by_ref().take_while(|l| *l != "```").map(|l| format!("{l}\n")).collect();
                match kind.split_once(' ') {
                    Some((_, name)) => {
                        scenario.epochs.last_mut().unwrap().insert(name.to_owned(), block);
                    }
                    None => scenario.pipeline = with_plugins(block).parse().unwrap(),
                }
            }
        }
        scenario
    }

    fn names(&self, kind: &str) -> Vec<String> {
        self.pipeline[kind].as_table().unwrap().keys().cloned().collect()
    }

    /// Writes the pipeline and the input, a file an epoch and source, each a second younger than the one before.
    fn set_up(&self, folder: &Path) -> PathBuf {
        let mut table = self.pipeline.clone();
        table.insert("trigger".into(), "available-now".into());
        table.insert("checkpoint".into(), "checkpoint".into());
        write(folder.join("pipeline.toml"), table.to_string());
        for source in self.names("sources") {
            fs::create_dir_all(folder.join("in").join(&source)).unwrap();
            for (number, epoch) in self.epochs.iter().enumerate() {
                let Some(rows) = epoch.get(&source) else { continue };
                let path = folder.join(format!("in/{source}/epoch-{number:03}.json"));
                write(&path, rows);
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + number as u64);
                File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            }
        }
        folder.join("pipeline.toml")
    }

    fn expected(&self) -> Rows {
        let sinks = self.names("sinks");
        let mut rows = Rows::new();
        for (number, epoch) in self.epochs.iter().enumerate() {
            for (sink, text) in epoch.iter().filter(|(name, text)| sinks.contains(name) && !text.is_empty()) {
                rows.insert((number as u64, sink.clone()), text.clone());
            }
        }
        rows
    }
}

/// The ready-made plugins, and those made for tests, are called by their names alone.
fn with_plugins(mut pipeline: String) -> String {
    for name in [
        "explode-words",
        "filter-threshold",
        "fraud-rules",
        "json-extract",
        "mask",
        "normalize",
        "sessionize",
        "split",
    ] {
        let quoted = format!("plugin = \"{name}\"");
        if pipeline.contains(&quoted) {
            let guest = root().join("tests/guests").join(name);
            let component = if guest.exists() { built(&guest) } else { plugin(name) };
            pipeline = pipeline.replace(&quoted, &format!("plugin = {component:?}"));
        }
    }
    pipeline
}

/// What a reader of the sinks sees, epoch by epoch.
fn seen(folder: &Path, sinks: &[String]) -> Rows {
    let metadata = fs::read(folder.join("checkpoint/metadata")).unwrap();
    let id: QueryId = serde_json::from_slice::<Metadata>(&metadata).unwrap().id;
    let mut rows = Rows::new();
    for sink in sinks {
        let out = folder.join("out").join(sink);
        let files = published(&out, &id).unwrap();
        for file in &files {
            let text = rows.entry((file.epoch.0, sink.clone())).or_default();
            let directory = file.path.strip_prefix(&out).unwrap().parent().unwrap();
            if directory != Path::new("") {
                let _ = writeln!(text, "{}:", directory.display());
            }
            text.push_str(&normal(&content(&file.path), folder));
        }
        assert_eq!(plain_files(&out), files.len(), "a plain reader sees what the manifests say");
    }
    rows.retain(|_, text| !text.is_empty());
    rows
}

/// The rows of a file, as JSON lines.
fn content(path: &Path) -> String {
    if path.extension().is_none_or(|e| e != "parquet") {
        return fs::read_to_string(path).unwrap();
    }
    let rows = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    let mut lines = LineDelimitedWriter::new(Vec::new());
    rows.for_each(|batch| lines.write(&batch.unwrap()).unwrap());
    lines.finish().unwrap();
    String::from_utf8(lines.into_inner()).unwrap()
}

/// How many files there are in a directory and below, without those that are hidden.
fn plain_files(directory: &Path) -> usize {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let paths = entries.map(|e| e.unwrap().path());
    let shown = paths.filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    shown.map(|path| if path.is_dir() { plain_files(&path) } else { 1 }).sum()
}

/// Without what differs from run to run: the temporary directory, and the digest of a plugin that was built again.
fn normal(text: &str, folder: &Path) -> String {
    let text = text.replace(&format!("{}/", folder.display()), "");
    let mut parts = text.split("sha256:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("sha256:…");
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    out
}

/// Ends the query at its n-th step, as a crash would.
struct CrashAt {
    step: u64,
    seen: AtomicU64,
}

impl Observer for CrashAt {
    fn reached(&self, _: Epoch, _: CommitStep) -> Result<()> {
        let seen = self.seen.fetch_add(1, Relaxed);
        if seen == self.step { Err(Error::internal("crash")) } else { Ok(()) }
    }
}

/// Ends the query after each epoch.
struct StopAfterEach;

impl Observer for StopAfterEach {
    fn reached(&self, _: Epoch, step: CommitStep) -> Result<()> {
        if step == CommitStep::Released { Err(Error::internal("stop")) } else { Ok(()) }
    }
}

struct RunOn;
impl Observer for RunOn {}

/// Runs the pipeline once; true if it came to its end.
async fn run(pipeline: &Path, observer: Arc<dyn Observer>) -> bool {
    let file = Arc::new(PipelineFile::read(pipeline, &|_| None).unwrap());
    let query = pipeline::query(&file, &tests::conformance::world().unwrap(), observer).unwrap();
    match query.run(&Stop::channel().1).await {
        Ok(()) => true,
        Err(e) if e.report().ends_with("crash") || e.report().ends_with("stop") => false,
        Err(e) => panic!("{}", e.report()),
    }
}

async fn check(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let scenario = Scenario::parse(&text);
    let sinks = scenario.names("sinks");
    let whole = tempfile::tempdir().unwrap();
    assert!(run(&scenario.set_up(whole.path()), Arc::new(RunOn)).await);
    let seen_whole = seen(whole.path(), &sinks);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        return fs::write(file, rewritten(&text, &sinks, &seen_whole)).unwrap();
    }
    let expected = scenario.expected();
    assert_eq!(seen_whole, expected, "{}, whole", file.display());

    let resumed = tempfile::tempdir().unwrap();
    let pipeline = scenario.set_up(resumed.path());
    while !run(&pipeline, Arc::new(StopAfterEach)).await {}
    assert_eq!(seen(resumed.path(), &sinks), expected, "{}, resumed after every epoch", file.display());

    for step in 0.. {
        let crashed = tempfile::tempdir().unwrap();
        let pipeline = scenario.set_up(crashed.path());
        let ended = run(&pipeline, Arc::new(CrashAt { step, seen: AtomicU64::new(0) })).await;
        if ended {
            assert!(step > 0, "no step was reached");
            break;
        }
        assert!(run(&pipeline, Arc::new(RunOn)).await);
        assert_eq!(seen(crashed.path(), &sinks), expected, "{}, crashed at step {step}", file.display());
    }
}

/// The file with the sinks' blocks replaced by what was seen.
fn rewritten(text: &str, sinks: &[String], seen: &Rows) -> String {
    let mut out = String::new();
    let (mut epoch, mut lines) = (None::<u64>, text.lines());
    while let Some(line) = lines.next() {
        let _ = writeln!(out, "{line}");
        if line.starts_with("## Epoch") {
            epoch = Some(epoch.map_or(0, |n| n + 1));
        } else if let Some((_, name)) = line.strip_prefix("```").and_then(|kind| kind.split_once(' ')) {
            let block: String =
                lines.by_ref().take_while(|l| *l != "```").map(|l| format!("{l}\n")).collect();
            let now = seen.get(&(epoch.unwrap(), name.to_owned())).cloned().unwrap_or_default();
            out.push_str(if sinks.iter().any(|s| s == name) { &now } else { &block });
            out.push_str("```\n");
        }
    }
    out
}

#[test]
fn every_scenario_holds_whole_resumed_and_crashed_at_every_step() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join("tests/scenarios")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        runtime.block_on(check(&file));
    }
}
