//! Commit records are deleted, and the query starts again: what the file sinks hold stays as it is, and so does what the
//! query remembers.

use crate::binary::write;
use engine::{Observer, Stop};
use pipeline::PipelineFile;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const PIPELINE: &str = r#"
trigger = "available-now"
checkpoint = "checkpoint"
[sources.events]
schema = "k INT, t TIMESTAMP"
max-per-trigger = { files = 1 }
watermark = { column = "t", delay = "5 seconds" }
[sources.events.files]
path = "in"
format = "json"
[steps.windows]
sql = "SELECT window(t, '10 seconds') AS w, k, count(*) AS n FROM events GROUP BY 1, 2"
[steps.first]
from = "events"
drop-duplicates = { keys = ["k"] }
[sinks.all]
from = "events"
[sinks.all.files]
path = "all"
format = "json"
[sinks.windows]
from = "windows"
[sinks.windows.files]
path = "windows"
format = "json"
[sinks.first]
from = "first"
[sinks.first.files]
path = "first"
format = "json"
"#;

const SINKS: [&str; 3] = ["all", "windows", "first"];

/// Files of events, 10 a file and 4 seconds a file.
fn input(folder: &Path, files: std::ops::Range<u64>) {
    for file in files {
        let row = |n: u64| {
            let (second, milli) = (file * 4 + n % 3, 100 * n);
            format!("{{\"k\":{},\"t\":\"2025-03-01T12:00:{second:02}.{milli:03}Z\"}}\n", (file * 3 + n) % 17)
        };
        write(folder.join(format!("in/{file:03}.json")), (0..10).map(row).collect::<String>());
    }
}

struct Quiet;

impl Observer for Quiet {}

async fn run(folder: &Path) {
    let file = PipelineFile::read(&folder.join("pipeline.toml"), &|_| None).unwrap();
    let world = tests::conformance::world().unwrap();
    let query = pipeline::query(&Arc::new(file), &world, Arc::new(Quiet)).unwrap();
    query.run(&Stop::channel().1).await.unwrap();
}

/// Every file that a reader of the sinks finds, and what is in it.
fn stored(folder: &Path) -> BTreeMap<PathBuf, String> {
    let files = SINKS.iter().flat_map(|sink| fs::read_dir(folder.join(sink)).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|of| of == "json"));
    files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The rows of each sink, whatever file they are in.
fn rows(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::<String, Vec<String>>::new();
    for (path, text) in stored(folder) {
        let sink = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        all.entry(sink).or_default().extend(text.lines().map(str::to_owned));
    }
    all.values_mut().for_each(|rows| rows.sort());
    all
}

/// The newest epochs that are committed, newest first.
fn commits(folder: &Path) -> Vec<u64> {
    let names = fs::read_dir(folder.join("checkpoint/commits")).unwrap();
    let mut epochs: Vec<u64> =
        names.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).collect();
    epochs.sort_unstable_by(|a, b| b.cmp(a));
    epochs
}

fn a_job() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("pipeline.toml"), PIPELINE);
    folder
}

#[tokio::test]
async fn deleting_the_last_commits_changes_nothing_in_the_file_sinks() {
    let job = a_job();
    let folder = job.path();
    input(folder, 0..6);
    run(folder).await;
    let (files, committed) = (stored(folder), commits(folder));
    assert!(SINKS.iter().all(|sink| rows(folder).contains_key(*sink)), "{files:?}");
    for count in 1..=committed.len() {
        for epoch in committed.iter().take(count) {
            fs::remove_file(folder.join(format!("checkpoint/commits/{epoch}"))).unwrap();
        }
        run(folder).await;
        assert_eq!(stored(folder), files, "after {count} commits were deleted");
        assert_eq!(commits(folder), committed);
    }
}

#[tokio::test]
async fn a_query_whose_last_commit_was_deleted_goes_on_as_if_it_had_not_been() {
    let (disturbed, calm) = (a_job(), a_job());
    for folder in [disturbed.path(), calm.path()] {
        input(folder, 0..6);
        run(folder).await;
    }
    let newest = commits(disturbed.path())[0];
    fs::remove_file(disturbed.path().join(format!("checkpoint/commits/{newest}"))).unwrap();
    for folder in [disturbed.path(), calm.path()] {
        input(folder, 6..12);
        run(folder).await;
    }
    assert_eq!(rows(disturbed.path()), rows(calm.path()));
}
