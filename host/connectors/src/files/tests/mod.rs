//! The source as the engine sees it, over real directories.

mod changes;
mod cleaning;
mod content;
mod round_trip;
mod schemas;

use super::{Clean, FileSource, FilesSettings};
use crate::{
    source::{Limit, SchemaOption, SourceOptions},
    units::{ByteSize, Interval},
};
use arrow::{array::RecordBatch, compute::concat_batches, util::pretty::pretty_format_batches};
use engine::{
    Batch, Clock, Error, History, Kind, ManualClock, Offset, Planned, Range, Reach, Result, Source,
    SystemClock,
};
use futures::StreamExt;
use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// Writes a file as if it had been written `age` seconds after some point long ago.
fn put(dir: &TempDir, name: &str, bytes: impl AsRef<[u8]>, age: u64) {
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(at(age)).unwrap();
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn options(ddl: &str) -> SourceOptions {
    SourceOptions { schema: Some(SchemaOption::from(ddl.to_owned())), ..SourceOptions::default() }
}

fn limited(ddl: &str, limit: Limit) -> SourceOptions {
    SourceOptions { max_per_trigger: Some(limit), ..options(ddl) }
}

fn source(settings: FilesSettings, options: SourceOptions) -> FileSource {
    FileSource::new("in", settings, options, Arc::new(SystemClock::new())).unwrap()
}

fn at_dir(dir: &TempDir) -> FilesSettings {
    FilesSettings::at(dir.path())
}

async fn started(settings: FilesSettings, options: SourceOptions, reach: Reach) -> FileSource {
    let source = source(settings, options);
    source.restore(History::default(), reach).await.unwrap();
    source
}

/// The source of a process that starts on what an earlier one has left in the checkpoint.
async fn restarted(
    settings: FilesSettings,
    options: SourceOptions,
    ranges: &[&Range],
    reach: Reach,
) -> FileSource {
    let source = source(settings, options);
    let ranges = ranges.iter().map(|range| (*range).clone()).collect();
    source.restore(History { snapshot: None, ranges }, reach).await.unwrap();
    source
}

/// All batches of a range, partition by partition.
async fn batches(source: &FileSource, range: &Range, partitions: usize) -> Result<Vec<Batch>> {
    let mut all = Vec::new();
    for mut stream in source.read(range, partitions).await? {
        while let Some(batch) = stream.next().await {
            all.push(batch?);
        }
    }
    Ok(all)
}

fn table(batches: &[Batch]) -> String {
    let rows: Vec<RecordBatch> = batches.iter().map(|b| b.rows.clone()).collect();
    let Some(first) = rows.first() else { return String::new() };
    let rows = concat_batches(&first.schema(), &rows).unwrap();
    let text = pretty_format_batches(&[rows]).unwrap().to_string();
    let lines = text.lines().filter(|l| !l.starts_with('+'));
    lines
        .map(|l| l.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|") + "\n")
        .collect()
}

/// Everything that is there, read at once.
async fn read_all(settings: FilesSettings, options: SourceOptions) -> Result<Vec<Batch>> {
    let source = FileSource::new("in", settings, options, Arc::new(SystemClock::new()))?;
    source.restore(History::default(), Reach::Once).await?;
    match source.latest(None).await? {
        Some(planned) => batches(&source, &planned.range, 2).await,
        None => Ok(Vec::new()),
    }
}

async fn fails(settings: FilesSettings, options: SourceOptions) -> Error {
    read_all(settings, options).await.unwrap_err()
}

fn names(planned: &Planned) -> Vec<String> {
    let files = planned.range.detail["files"].as_array().unwrap();
    files.iter().map(|f| f["path"].as_str().unwrap().to_owned()).collect()
}

/// Runs epochs until nothing is new, and answers the files of each.
async fn epochs(source: &FileSource) -> Vec<Vec<String>> {
    let mut start: Option<Offset> = None;
    let mut all = Vec::new();
    while let Some(planned) = source.latest(start.as_ref()).await.unwrap() {
        all.push(names(&planned));
        source.release(&planned.range).await.unwrap();
        start = Some(planned.range.end);
    }
    all
}

#[tokio::test]
async fn json_files_are_read_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "b.json", "{\"a\":2,\"b\":\"two\"}\n", 1);
    put(&dir, "a.json", "{\"b\":\"three\"}\n{\"a\":4}", 2);
    put(&dir, "c.json", "{\"a\":1}\n\n", 0);
    let read = read_all(at_dir(&dir), options("a INT, b STRING")).await.unwrap();
    assert_eq!(table(&read), "a|b\n1|\n2|two\n|three\n4|\n");
    let end = read.last().unwrap();
    assert_eq!(end.origin.position(1).to_string(), format!("{}/a.json, line 2", dir.path().display()));
}

#[tokio::test]
async fn limits_count_files_or_bytes_and_let_at_least_one_through() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..4 {
        put(&dir, &format!("{i}.json"), "{\"a\":1}\n", i);
    }
    let run = async |limit| {
        epochs(&started(at_dir(&dir), limited("a INT", limit), Reach::AvailableNow).await).await
    };
    assert_eq!(run(Limit::Files(3)).await, [vec!["0.json", "1.json", "2.json"], vec!["3.json"]]);
    assert_eq!(run(Limit::Bytes(ByteSize(16))).await, [["0.json"], ["1.json"], ["2.json"], ["3.json"]]);
    assert_eq!(run(Limit::Bytes(ByteSize(17))).await, [["0.json", "1.json"], ["2.json", "3.json"]]);
    assert_eq!(run(Limit::Bytes(ByteSize(1))).await.len(), 4);
    let once = started(at_dir(&dir), limited("a INT", Limit::Files(1)), Reach::Once).await;
    assert_eq!(epochs(&once).await.len(), 1);
    let rows =
        FileSource::new("in", at_dir(&dir), limited("a INT", Limit::Rows(1)), Arc::new(SystemClock::new()));
    assert!(rows.err().unwrap().report().contains("counts files or bytes"));
}

#[tokio::test]
async fn the_newest_file_comes_first_on_request() {
    let dir = tempfile::tempdir().unwrap();
    (0..3).for_each(|i| put(&dir, &format!("{i}.json"), "{}", i));
    let settings = FilesSettings { latest_first: true, ..at_dir(&dir) };
    let source = started(settings, limited("a INT", Limit::Files(1)), Reach::AvailableNow).await;
    assert_eq!(epochs(&source).await.concat(), ["2.json", "1.json", "0.json"]);
}

#[tokio::test]
async fn planning_again_answers_the_same_until_it_is_released() {
    let dir = tempfile::tempdir().unwrap();
    (0..2).for_each(|i| put(&dir, &format!("{i}.json"), "{}", i));
    let source = started(at_dir(&dir), limited("a INT", Limit::Files(1)), Reach::Endless).await;
    let first = source.latest(None).await.unwrap().unwrap();
    let again = source.latest(None).await.unwrap().unwrap();
    assert_eq!((first.range.clone(), first.backlog), (again.range, 1));
    assert_eq!(first.range.end.0, serde_json::json!({"files": 1}));
    source.release(&first.range).await.unwrap();
    source.release(&first.range).await.unwrap();
    assert_eq!(names(&source.latest(Some(&first.range.end)).await.unwrap().unwrap()), ["1.json"]);
}

#[tokio::test]
async fn a_restart_goes_on_where_the_checkpoint_ends() {
    let dir = tempfile::tempdir().unwrap();
    (0..3).for_each(|i| put(&dir, &format!("{i}.json"), format!("{{\"a\":{i}}}"), i));
    let first = started(at_dir(&dir), limited("a INT", Limit::Files(1)), Reach::AvailableNow).await;
    let planned = first.latest(None).await.unwrap().unwrap();
    let second = source(at_dir(&dir), options("a INT"));
    let history = History { snapshot: None, ranges: vec![planned.range.clone()] };
    second.restore(history, Reach::AvailableNow).await.unwrap();
    assert_eq!(table(&batches(&second, &planned.range, 3).await.unwrap()), "a\n0\n");
    second.release(&planned.range).await.unwrap();
    let next = second.latest(Some(&planned.range.end)).await.unwrap().unwrap();
    assert_eq!(names(&next), ["1.json", "2.json"]);
    assert_eq!(next.range.end.0["files"], 3);
}

#[tokio::test]
async fn available_now_reads_what_was_there_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "0.json", "{}", 0);
    let source = started(at_dir(&dir), limited("a INT", Limit::Files(1)), Reach::AvailableNow).await;
    let first = source.latest(None).await.unwrap().unwrap();
    put(&dir, "1.json", "{}", 1);
    source.release(&first.range).await.unwrap();
    assert!(source.latest(Some(&first.range.end)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_large_file_is_shared_by_partitions_without_losing_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let lines: String = (0..400_000).map(|i| format!("{{\"a\":{i}}}\n")).collect();
    put(&dir, "big.json", &lines, 0);
    let source = started(at_dir(&dir), options("a INT"), Reach::Once).await;
    let range = source.latest(None).await.unwrap().unwrap().range;
    let streams = source.read(&range, 3).await.unwrap();
    assert_eq!(streams.len(), 3);
    drop(streams);
    for partitions in [1, 3] {
        let read = batches(&source, &range, partitions).await.unwrap();
        let values: Vec<i32> = read
            .iter()
            .flat_map(|b| b.rows.column(0).to_data().buffers()[0].typed_data::<i32>()[..b.len()].to_vec())
            .collect();
        assert!(values.into_iter().eq(0..400_000));
    }
    let read = batches(&source, &range, 3).await.unwrap();
    let place = read.last().unwrap().origin.position(0).to_string();
    assert!(place.contains("big.json from byte "), "{place}");
}

#[tokio::test]
async fn hidden_and_unfinished_names_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for name in [".a.json", "_b.json", "c.json.tmp", "d.json.part", "e.json~"] {
        put(&dir, name, "{}", 0);
    }
    assert!(read_all(at_dir(&dir), options("a INT")).await.unwrap().is_empty());
}

/// A source whose clock stands `age` microseconds after the last write to `f.json`.
async fn fresh(dir: &TempDir, age: i64) -> (FileSource, Arc<ManualClock>) {
    let written = fs::metadata(dir.path().join("f.json")).unwrap().modified().unwrap();
    let micros = written.duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    let clock = Arc::new(ManualClock::new(engine::Timestamp(micros + age)));
    let source = FileSource::new("in", at_dir(dir), options("a INT"), clock.clone()).unwrap();
    source.restore(History::default(), Reach::Endless).await.unwrap();
    (source, clock)
}

#[tokio::test]
async fn a_file_that_was_written_to_just_now_waits_until_it_has_settled() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.json", "{\"a\":", 0);
    let (source, clock) = fresh(&dir, 1000).await;
    assert!(source.latest(None).await.unwrap().is_none());
    fs::write(dir.path().join("f.json"), "{\"a\":1}\n{\"a\"").unwrap();
    File::options().write(true).open(dir.path().join("f.json")).unwrap().set_modified(at(1000)).unwrap();
    clock.advance(Duration::from_millis(200));
    assert!(source.latest(None).await.unwrap().is_none(), "it has changed meanwhile");
    fs::write(dir.path().join("f.json"), "{\"a\":1}\n{\"a\":2}\n").unwrap();
    File::options().write(true).open(dir.path().join("f.json")).unwrap().set_modified(at(1001)).unwrap();
    clock.advance(Duration::from_millis(200));
    assert!(source.latest(None).await.unwrap().is_none());
    clock.advance(Duration::from_millis(200));
    let planned = source.latest(None).await.unwrap().unwrap();
    assert_eq!(table(&batches(&source, &planned.range, 1).await.unwrap()), "a\n1\n2\n");
}

#[tokio::test]
async fn an_old_file_is_taken_at_once() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.json", "{}", 0);
    let (source, _) = fresh(&dir, 200_000).await;
    assert!(source.latest(None).await.unwrap().is_some());
}

#[tokio::test]
async fn a_new_file_ends_the_wait() {
    let dir = tempfile::tempdir().unwrap();
    let settings = FilesSettings { settle: Interval::millis(0), ..at_dir(&dir) };
    let source = started(settings, options("a INT"), Reach::Endless).await;
    assert!(source.latest(None).await.unwrap().is_none());
    let clock = SystemClock::new();
    put(&dir, "f.json", "{}", 0);
    let planned = loop {
        source.wait().await;
        if let Some(planned) = source.latest(None).await.unwrap() {
            break planned;
        }
    };
    assert_eq!(names(&planned), ["f.json"]);
    assert!(clock.monotonic() < Duration::from_secs(4), "the listing that comes without an event is later");
}

#[test]
fn a_misspelled_setting_is_refused() {
    let error = serde_json::from_str::<FilesSettings>("{\"path\":\"in\",\"formt\":\"csv\"}").unwrap_err();
    assert!(error.to_string().contains("unknown field `formt`"), "{error}");
    assert!(serde_json::from_str::<FilesSettings>("{\"path\":\"in\",\"clean\":{\"archive\":\"x\"}}").is_ok());
}

#[test]
fn an_archive_among_the_files_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let clean = Clean::Archive(dir.path().join("done"));
    let settings = FilesSettings { recursive: true, clean, ..at_dir(&dir) };
    let error =
        FileSource::new("in", settings, options("a INT"), Arc::new(SystemClock::new())).err().unwrap();
    assert!(error.report().contains("would be read again"), "{}", error.report());
    assert!(!Path::new("done").exists());
}

#[tokio::test]
async fn an_inferred_schema_is_kept_with_the_range() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "day=2025-01-01/f.json", "{\"a\":1,\"b\":\"x\"}\n", 0);
    let source = started(at_dir(&dir), options("infer"), Reach::Once).await;
    let range = source.latest(None).await.unwrap().unwrap().range;
    assert_eq!(range.detail["schema"], "a BIGINT, b STRING, day DATE");
    assert_eq!(table(&batches(&source, &range, 1).await.unwrap()), "a|b|day\n1|x|2025-01-01\n");
    put(&dir, "g.json", "{\"a\":\"now a text\"}\n", 1);
    let again = FileSource::new("in", at_dir(&dir), options("infer"), Arc::new(SystemClock::new())).unwrap();
    again.restore(History { snapshot: None, ranges: vec![range] }, Reach::Once).await.unwrap();
    assert_eq!(again.schema(None).unwrap().field(0).data_type(), &arrow::datatypes::DataType::Int64);
}

#[tokio::test]
async fn inferring_from_nothing_asks_for_a_schema() {
    let dir = tempfile::tempdir().unwrap();
    let error = source(at_dir(&dir), options("infer")).schema(None).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.report().contains("no data to infer a schema from"), "{}", error.report());
    put(&dir, "f.json", "{}", 0);
    let error = source(at_dir(&dir), SourceOptions::default()).schema(None).unwrap_err();
    assert!(error.report().contains("set `schema` to the columns"), "{}", error.report());
}

#[tokio::test]
async fn ten_thousand_files_that_were_read_cost_little_to_look_at() {
    let dir = tempfile::tempdir().unwrap();
    (0..10_000).for_each(|i| put(&dir, &format!("{i}.json"), "", 0));
    let source = started(at_dir(&dir), options("a INT"), Reach::Endless).await;
    let range = source.latest(None).await.unwrap().unwrap().range;
    source.release(&range).await.unwrap();
    let clock = SystemClock::new();
    assert!(source.latest(Some(&range.end)).await.unwrap().is_none());
    assert!(clock.monotonic() < Duration::from_millis(500), "{:?}", clock.monotonic());
}
