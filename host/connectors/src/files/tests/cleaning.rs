//! Files that go away once they were read.

use super::{Reach, at_dir, batches, options, put, restarted, source, started, table};
use crate::files::{Clean, FilesSettings};
use engine::{History, Source};
use std::fs;

#[tokio::test]
async fn files_are_archived_or_deleted_after_their_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let archive = tempfile::tempdir().unwrap();
    put(&dir, "day=1/f.json", "{}", 0);
    let to = archive.path().join("deep");
    let settings = FilesSettings { clean: Clean::Archive(to.clone()), ..at_dir(&dir) };
    let source = started(settings, options("a INT"), Reach::Endless).await;
    let range = source.latest(None).await.unwrap().unwrap().range;
    source.release(&range).await.unwrap();
    source.release(&range).await.unwrap();
    assert!(to.join("day=1/f.json").exists() && !dir.path().join("day=1/f.json").exists());
    put(&dir, "g.json", "{}", 1);
    let source =
        started(FilesSettings { clean: Clean::Delete, ..at_dir(&dir) }, options("a INT"), Reach::Once).await;
    let range = source.latest(None).await.unwrap().unwrap().range;
    put(&dir, "g.json", "another file of this name", 2);
    source.release(&range).await.unwrap();
    assert!(dir.path().join("g.json").exists(), "it was not this one that was read");
}

#[tokio::test]
async fn a_name_may_come_again_once_its_file_was_cleaned_away() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.json", "{\"a\":1}", 0);
    let settings = FilesSettings { clean: Clean::Delete, ..at_dir(&dir) };
    let first = started(settings.clone(), options("a INT"), Reach::AvailableNow).await;
    let range = first.latest(None).await.unwrap().unwrap().range;
    first.release(&range).await.unwrap();
    put(&dir, "f.json", "{\"a\":2}", 1);
    let second = source(settings, options("a INT"));
    let history = History { snapshot: None, ranges: vec![range.clone()] };
    second.restore(history, Reach::AvailableNow).await.unwrap();
    second.release(&range).await.unwrap();
    let next = second.latest(Some(&range.end)).await.unwrap().unwrap().range;
    assert_eq!(table(&batches(&second, &next, 1).await.unwrap()), "a\n2\n");
}

#[tokio::test]
async fn an_epoch_that_runs_again_cleans_once() {
    for archive in [true, false] {
        let (dir, archived) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let clean = if archive { Clean::Archive(archived.path().into()) } else { Clean::Delete };
        let settings = FilesSettings { clean, ..at_dir(&dir) };
        put(&dir, "f.json", "{\"a\":1}\n", 0);
        let first = started(settings.clone(), options("a INT"), Reach::AvailableNow).await;
        let range = first.latest(None).await.unwrap().unwrap().range;
        batches(&first, &range, 1).await.unwrap();
        // It dies before the commit; the next one dies between the commit and the release, and a third one finishes.
        let second = restarted(settings.clone(), options("a INT"), &[&range], Reach::AvailableNow).await;
        assert_eq!(table(&batches(&second, &range, 1).await.unwrap()), "a\n1\n");
        for _ in 0..2 {
            let third = restarted(settings.clone(), options("a INT"), &[&range], Reach::AvailableNow).await;
            third.release(&range).await.unwrap();
            assert!(third.latest(Some(&range.end)).await.unwrap().is_none());
            assert!(!dir.path().join("f.json").exists());
        }
        let kept: Vec<_> = fs::read_dir(archived.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(kept.len(), usize::from(archive), "{kept:?}");
    }
}

#[tokio::test]
async fn a_file_that_grew_before_it_was_cleaned_stays_and_is_read_as_another() {
    let dir = tempfile::tempdir().unwrap();
    let settings = FilesSettings { clean: Clean::Delete, ..at_dir(&dir) };
    put(&dir, "f.json", "{\"a\":1}\n", 0);
    let source = started(settings, options("a INT"), Reach::Endless).await;
    let range = source.latest(None).await.unwrap().unwrap().range;
    put(&dir, "f.json", "{\"a\":1}\n{\"a\":2}\n", 1);
    assert_eq!(table(&batches(&source, &range, 1).await.unwrap()), "a\n1\n");
    source.release(&range).await.unwrap();
    let again = loop {
        if let Some(planned) = source.latest(Some(&range.end)).await.unwrap() {
            break planned.range;
        }
        source.wait().await;
    };
    assert_eq!(table(&batches(&source, &again, 1).await.unwrap()), "a\n1\n2\n");
    source.release(&again).await.unwrap();
    assert!(!dir.path().join("f.json").exists());
}
