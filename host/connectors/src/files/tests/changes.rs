//! Files that change after they were planned.

use super::{
    Reach, at_dir, batches, content::gzip, content::parquet, limited, names, options, put, restarted, source,
    started, table,
};
use crate::{
    files::{FileFormat, FilesSettings},
    source::{Limit, SourceOptions},
};
use engine::{Error, History, Kind, Range, Source};
use futures::StreamExt;
use std::{
    fs::{self, File},
    io::Write,
};
use tempfile::TempDir;

fn append(dir: &TempDir, name: &str, bytes: impl AsRef<[u8]>) {
    let mut file = File::options().append(true).open(dir.path().join(name)).unwrap();
    file.write_all(bytes.as_ref()).unwrap();
}

/// The range that reads all that is there.
async fn planned(settings: &FilesSettings, options: &SourceOptions) -> Range {
    let source = started(settings.clone(), options.clone(), Reach::Once).await;
    source.latest(None).await.unwrap().unwrap().range
}

/// What a new process gets that repeats the range.
async fn replayed(settings: &FilesSettings, options: &SourceOptions, range: &Range) -> Result<String, Error> {
    let source = restarted(settings.clone(), options.clone(), &[range], Reach::Once).await;
    batches(&source, range, 2).await.map(|read| table(&read))
}

async fn refused(settings: &FilesSettings, range: &Range, says: &[&str]) {
    let error = replayed(settings, &options("a INT"), range).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    for part in says.iter().chain(&["put it back as it was"]) {
        assert!(error.report().contains(part), "{part} in {}", error.report());
    }
}

#[tokio::test]
async fn lines_that_were_appended_are_not_read_however_often_the_epoch_runs() {
    let header = Some(serde_json::from_str("{\"header\":true}").unwrap());
    for (name, before, after, columns, read) in [
        ("f.json", "{\"a\":1}\n{\"a\":2}", "\n{\"a\":3}\n", "a INT", "a\n1\n2\n"),
        ("f.csv", "a\n1\n2\n", "3\n", "a INT", "a\n1\n2\n"),
        ("f.txt", "one\ntwo\n", "three\n", "value STRING", "value\none\ntwo\n"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let csv = if name == "f.csv" { header.clone() } else { None };
        let (settings, options) = (FilesSettings { csv, ..at_dir(&dir) }, options(columns));
        put(&dir, name, before, 0);
        let range = planned(&settings, &options).await;
        for _ in 0..2 {
            append(&dir, name, after);
            assert_eq!(replayed(&settings, &options, &range).await.unwrap(), read);
        }
        put(&dir, name, [before, after].concat(), 0);
        assert_eq!(replayed(&settings, &options, &range).await.unwrap(), read, "the same time tells nothing");
    }
}

#[tokio::test]
async fn a_row_that_was_half_there_when_it_was_planned_stays_half() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, options) = (at_dir(&dir), options("a INT, _corrupt_record STRING"));
    put(&dir, "f.json", "{\"a\":1}\n{\"a\"", 0);
    let range = planned(&settings, &options).await;
    append(&dir, "f.json", ":2}\n");
    let read = "a|_corrupt_record\n1|\n|{\"a\"\n";
    assert_eq!(replayed(&settings, &options, &range).await.unwrap(), read);
}

#[tokio::test]
async fn a_file_that_shrank_or_was_rewritten_is_an_error_until_it_is_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let settings = at_dir(&dir);
    put(&dir, "f.json", "{\"a\":1}\n", 0);
    let range = planned(&settings, &options("a INT")).await;
    put(&dir, "f.json", "{\"a\"", 1);
    let then = "f.json changed after it was planned: then 8 bytes of 2023-11-14T22:13:20Z, now";
    refused(&settings, &range, &[then, "now 4 bytes of 2023-11-14T22:13:21Z"]).await;
    put(&dir, "f.json", "{\"a\":2}\n", 1);
    refused(&settings, &range, &[then, "now 8 bytes"]).await;
    fs::remove_file(dir.path().join("f.json")).unwrap();
    refused(&settings, &range, &["f.json is not there any more"]).await;
    put(&dir, "f.json", "{\"a\":1}\n", 0);
    assert_eq!(replayed(&settings, &options("a INT"), &range).await.unwrap(), "a\n1\n");
}

#[tokio::test]
async fn what_needs_its_end_must_not_grow() {
    for (name, bytes) in [("f.json.gz", gzip("{\"a\":1}\n")), ("f.parquet", parquet("a INT", 3))] {
        let dir = tempfile::tempdir().unwrap();
        put(&dir, name, &bytes, 0);
        let range = planned(&at_dir(&dir), &options("a INT")).await;
        append(&dir, name, &bytes);
        let (then, now) = (bytes.len(), 2 * bytes.len());
        let sizes =
            [&*format!("{name} changed"), &*format!("then {then} bytes"), &*format!("now {now} bytes")];
        refused(&at_dir(&dir), &range, &sizes).await;
    }
}

/// Lines that are many times what a reader is ahead of whoever takes its batches.
fn many_lines() -> String {
    (0..400_000).map(|n| format!("{n}\n")).collect()
}

/// Starts to read a file of many lines, changes it, and reads on; the rows.
async fn changed_in_the_middle(change: impl FnOnce(&File)) -> Result<usize, Error> {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.txt", many_lines(), 0);
    let settings = FilesSettings { format: Some(FileFormat::Text), ..at_dir(&dir) };
    let source = started(settings, SourceOptions::default(), Reach::Once).await;
    let range = source.latest(None).await?.unwrap().range;
    let mut stream = source.read(&range, 1).await?.pop().unwrap();
    let mut rows = stream.next().await.unwrap()?.len();
    change(&File::options().append(true).open(dir.path().join("f.txt")).unwrap());
    while let Some(batch) = stream.next().await {
        rows += batch?.len();
    }
    Ok(rows)
}

#[tokio::test]
async fn a_file_that_is_cut_off_while_it_is_read_is_an_error() {
    let error = changed_in_the_middle(|file| file.set_len(100).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.report().contains("f.txt changed after it was planned"), "{}", error.report());
    assert!(error.report().contains("now 100 bytes"), "{}", error.report());
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_is_read_as_far_as_it_was_planned() {
    let rows = changed_in_the_middle(|mut file| file.write_all(b"more\n").unwrap()).await;
    assert_eq!(rows.unwrap(), 400_000);
}

#[tokio::test]
async fn a_file_that_goes_before_it_is_planned_is_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    (0..3).for_each(|i| put(&dir, &format!("{i}.json"), "{}", i));
    let source = started(at_dir(&dir), limited("a INT", Limit::Files(1)), Reach::AvailableNow).await;
    source.latest(None).await.unwrap();
    fs::remove_file(dir.path().join("0.json")).unwrap();
    assert_eq!(names(&source.latest(None).await.unwrap().unwrap()), ["1.json"]);
}

#[tokio::test]
async fn what_is_appended_to_a_file_that_was_read_is_never_read() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.json", "{\"a\":1}\n", 0);
    let range = planned(&at_dir(&dir), &options("a INT")).await;
    append(&dir, "f.json", "{\"a\":2}\n");
    let source = source(at_dir(&dir), options("a INT"));
    let history = History { snapshot: None, ranges: vec![range.clone()] };
    source.restore(history, Reach::AvailableNow).await.unwrap();
    assert!(source.latest(Some(&range.end)).await.unwrap().is_none());
}
