//! `kill -9` of the real binary, JSON → plugin → Parquet: nothing is lost, nothing is doubled.

use crate::binary::{Running, command, ok, plugin, write};
use arrow::{
    array::{Array, AsArray},
    datatypes::{Float64Type, Int32Type},
};
use connectors::files::sink::published;
use engine::{QueryId, checkpoint::Metadata};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader},
    ops::Range,
    path::{Path, PathBuf},
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

const FILES: u64 = 24;
const ROWS: u64 = 500;

/// The column that is looked at.
const VALUE: &str = "normalized_value";

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Writes the input; answers what a batch computation over it gives: id → normalized value of the rows above 10.
fn input(folder: &Path) -> BTreeMap<i32, f64> {
    let mut expected = BTreeMap::new();
    let mut random = Random(42);
    for file in 0..FILES {
        let mut lines = String::new();
        for row in 0..ROWS {
            let id = (file * ROWS + row) as i32;
            let value = random.below(2000) as f64 / 100.0;
            lines.push_str(&format!("{{\"id\": {id}, \"value\": {value}}}\n"));
            if value > 10.0 {
                expected.insert(id, value / 100.0);
            }
        }
        write(folder.join(format!("events-{file:03}.json")), lines);
    }
    expected
}

fn pipeline(folder: &Path) {
    let (filter, normalize) = (plugin("filter-threshold"), plugin("normalize"));
    write(
        folder.join("pipeline.toml"),
        format!(
            "trigger = \"available-now\"\ncheckpoint = \"checkpoint\"\n\
             [sources.events]\nschema = \"id INT, value DOUBLE\"\nmax-per-trigger = {{ files = 2 }}\n\
             [sources.events.files]\npath = \"in\"\nformat = \"json\"\n\
             [steps.large]\nplugin = {filter:?}\n[steps.normalized]\nplugin = {normalize:?}\n\
             [sinks.table.files]\npath = \"out\"\nformat = \"parquet\"\n"
        ),
    );
}

/// Every row of some Parquet files, by its id; one that is there twice is an error.
pub(crate) fn rows(files: impl IntoIterator<Item = PathBuf>, value: &str) -> BTreeMap<i32, f64> {
    let mut rows = BTreeMap::new();
    for file in files {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file).unwrap()).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let id = batch.column_by_name("id").unwrap().as_primitive::<Int32Type>();
            let value = batch.column_by_name(value).unwrap().as_primitive::<Float64Type>();
            for row in 0..batch.num_rows() {
                assert!(value.is_valid(row));
                let before = rows.insert(id.value(row), value.value(row));
                assert_eq!(before, None, "row {} is there twice, again in {}", id.value(row), file.display());
            }
        }
    }
    rows
}

/// As pyarrow or DuckDB find files: by name, hidden ones left out.
pub(crate) fn plain(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let files = entries.map(|e| e.unwrap().path());
    files.filter(|f| f.extension().is_some_and(|e| e == extension)).collect()
}

/// Starts the query so that it holds at a step, and kills it there.
pub(crate) fn kill_at(folder: &Path, hold: &str) -> bool {
    kill_command_at(folder, &["run", "pipeline.toml"], hold)
}

/// The same of another command that runs a query.
pub(crate) fn kill_command_at(folder: &Path, arguments: &[&str], hold: &str) -> bool {
    let mut child = command(folder, arguments);
    child.env("STREAMHOST_HOLD_AT", hold).stderr(Stdio::piped());
    let mut child = Running(child.spawn().unwrap());
    let stderr = BufReader::new(child.0.stderr.take().unwrap());
    // The line comes when the step is reached; the stream ends if it never is.
    let held = stderr.lines().map(Result::unwrap).any(|line| line.starts_with("held at"));
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    held
}

/// Starts the query and kills it after some time, unless it ends before.
pub(crate) fn kill_after(folder: &Path, time: Duration) -> Killed {
    let mut child = Running(command(folder, ["run", "pipeline.toml"]).stderr(Stdio::null()).spawn().unwrap());
    // Nothing is ever sent: this waits.
    let (_sender, receiver) = mpsc::channel::<()>();
    let _ = receiver.recv_timeout(time);
    let ended = child.0.try_wait().unwrap().is_some();
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    match newest(folder, "offsets") > newest(folder, "commits") {
        true => Killed::InEpoch,
        false if ended => Killed::TooLate,
        false => Killed::Between,
    }
}

/// What a kill has hit.
#[derive(PartialEq)]
pub(crate) enum Killed {
    /// An epoch that was planned and not committed.
    InEpoch,
    /// A start, or what is between two epochs.
    Between,
    /// Nothing.
    TooLate,
}

/// The newest epoch with a record in this folder of the checkpoint.
pub(crate) fn newest(folder: &Path, records: &str) -> Option<u64> {
    let records = fs::read_dir(folder.join("checkpoint").join(records)).ok()?;
    records.filter_map(|record| record.unwrap().file_name().to_str()?.parse().ok()).max()
}

fn check(folder: &Path, expected: &BTreeMap<i32, f64>) {
    let (expected_len, seen) = (expected.len(), rows(plain(&folder.join("out"), "parquet"), VALUE));
    assert_eq!(seen.len(), expected_len, "rows in the directory");
    assert_eq!(&seen, expected);
    let metadata: Metadata =
        serde_json::from_slice(&fs::read(folder.join("checkpoint/metadata")).unwrap()).unwrap();
    let query: QueryId = metadata.id;
    let files = published(&folder.join("out"), &query).unwrap();
    assert_eq!(&rows(files.into_iter().map(|f| f.path), VALUE), expected);
}

#[test]
fn a_query_that_is_killed_at_every_step_of_a_commit_stores_every_row_once() {
    let dir = tempfile::tempdir().unwrap();
    let expected = input(&dir.path().join("in"));
    pipeline(dir.path());
    let steps = [
        "planned",
        "ran",
        "staged",
        "manifest-written",
        "renamed-one",
        "renamed-all",
        "sink-committed",
        "committed",
        "released",
    ];
    let mut interrupted = 0;
    for (epoch, step) in steps.iter().enumerate() {
        interrupted += u32::from(kill_at(dir.path(), &format!("{epoch}:{step}")));
        let partial = rows(plain(&dir.path().join("out"), "parquet"), VALUE);
        assert!(partial.iter().all(|(id, value)| expected.get(id) == Some(value)), "after {step}");
    }
    assert_eq!(interrupted, steps.len() as u32, "every kill hit its step");
    ok(dir.path(), ["run", "pipeline.toml"]);
    check(dir.path(), &expected);
}

/// Seeds, and the kills of each that are to interrupt an epoch.
fn effort() -> (Range<u64>, u32) {
    if std::env::var_os("STREAMHOST_TEST_LONG").is_some() { (3..13, 30) } else { (3..4, 15) }
}

#[test]
fn a_query_that_is_killed_at_random_stores_every_row_once() {
    let (seeds, wanted) = effort();
    for seed in seeds {
        let mut random = Random(seed);
        let mut interrupted = 0;
        while interrupted < wanted {
            interrupted += killed_at_random(&mut random);
        }
    }
}

/// Kills a query again and again until it ends before it is killed; answers how many epochs that interrupted.
fn killed_at_random(random: &mut Random) -> u32 {
    let dir = tempfile::tempdir().unwrap();
    let expected = input(&dir.path().join("in"));
    pipeline(dir.path());
    let mut interrupted = 0;
    loop {
        match kill_after(dir.path(), Duration::from_millis(20 + random.below(400))) {
            Killed::InEpoch => interrupted += 1,
            Killed::Between => {}
            Killed::TooLate => break,
        }
    }
    ok(dir.path(), ["run", "pipeline.toml"]);
    check(dir.path(), &expected);
    interrupted
}
