//! Two hosts that believe that they run the same query.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;

/// Calls `meanwhile` when the commit of a sink first gets to `step`, as if its host had been paused there.
fn paused_at(step: &'static str, meanwhile: impl AsyncFn() + Send + Sync + 'static) -> FileSinkOptions {
    let done = AtomicBool::new(false);
    let at_step = move |now: &str| {
        if now == step && !done.swap(true, Ordering::SeqCst) {
            Handle::current().block_on(meanwhile());
        }
    };
    FileSinkOptions { at_step: Some(Arc::new(at_step)), ..Default::default() }
}

#[tokio::test]
async fn a_host_that_was_replaced_before_its_commit_is_fenced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let paused = sink_with(
        dir.path(),
        paused_at("staged", async move || {
            let next = sink(&path);
            next.open(&query(), SINK).await.unwrap();
            run(&next, 0).await.unwrap();
            run(&next, 1).await.unwrap();
        }),
    );
    let error = run(&paused, 0).await.unwrap_err();
    assert_eq!(error.kind(), engine::Kind::Fenced, "{}", error.report());
    assert_eq!(plain(dir.path()), values_of(0..2));
    assert_eq!(staging(dir.path()), [""; 0]);
}

#[tokio::test]
async fn a_host_that_was_replaced_has_not_lost_the_epoch_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let paused = sink_with(
        dir.path(),
        paused_at("staged", async move || sink(&path).open(&query(), SINK).await.unwrap()),
    );
    assert_eq!(run(&paused, 0).await.unwrap_err().kind(), engine::Kind::Fenced);
    assert_eq!(plain(dir.path()), [0; 0]);
    run(&sink(dir.path()), 0).await.unwrap();
    assert_eq!(plain(dir.path()), values_of(0..1));
}

#[tokio::test]
async fn of_two_that_commit_the_same_epoch_one_wins_and_the_other_takes_its_token() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    // The other one was open before: it does not look for leavings, it races.
    let paused = sink_with(
        dir.path(),
        paused_at("staged", async move || {
            let winner = writer(&sink(&path), &begin_of(0)).await.unwrap();
            write(winner.as_ref(), [numbers(100..104)]).await.unwrap();
            winner.commit().await.unwrap();
        }),
    );
    let token = run(&paused, 0).await.unwrap();
    assert_eq!(token.0["rows"], 4);
    assert_eq!(plain(dir.path()), [100, 101, 102, 103]);
    assert_eq!(staging(dir.path()), [""; 0]);
}

#[tokio::test]
async fn a_host_that_wakes_up_in_the_middle_of_publishing_publishes_nothing_twice() {
    for step in ["manifest-written", "renamed-one", "renamed-all"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let paused = sink_with(
            dir.path(),
            paused_at(step, async move || {
                let next = sink(&path);
                next.open(&query(), SINK).await.unwrap();
                assert!(matches!(next.begin(&begin_of(0)).await.unwrap(), Begun::Stored(_)));
                run(&next, 1).await.unwrap();
                // Somebody has taken the files away by now: they must not come back.
                visible(&path).iter().for_each(|file| fs::remove_file(file).unwrap());
            }),
        );
        assert_eq!(run(&paused, 0).await.unwrap().0["rows"], 6, "{step}");
        assert_eq!(plain(dir.path()), [0; 0], "{step}");
        assert_eq!(staging(dir.path()), [""; 0], "{step}");
    }
}

#[tokio::test]
async fn a_loser_finishes_what_a_paused_winner_has_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let slow = writer(&sink(dir.path()), &begin_of(0)).await.unwrap();
    write(slow.as_ref(), rows_of(0)).await.unwrap();
    let slow = std::sync::Mutex::new(Some(slow));
    let winner = sink_with(
        dir.path(),
        paused_at("manifest-written", async move || {
            let slow = slow.lock().unwrap().take().unwrap();
            assert_eq!(slow.commit().await.unwrap().0["rows"], 6);
            assert_eq!(plain(&path), values_of(0..1));
        }),
    );
    run(&winner, 0).await.unwrap();
    assert_eq!(plain(dir.path()), values_of(0..1));
}

#[tokio::test]
async fn a_host_that_is_replaced_while_it_writes_loses_its_files_and_is_fenced() {
    let dir = tempfile::tempdir().unwrap();
    let old = writer(&sink(dir.path()), &begin_of(0)).await.unwrap();
    old.write(Partition(0), numbers(0..3)).await.unwrap();
    sink(dir.path()).open(&query(), SINK).await.unwrap();
    assert_eq!(staging(dir.path()), [""; 0]);
    old.write(Partition(0), numbers(3..6)).await.unwrap();
    old.write(Partition(1), numbers(6..9)).await.unwrap();
    assert_eq!(old.commit().await.unwrap_err().kind(), engine::Kind::Fenced);
    assert_eq!(plain(dir.path()), [0; 0]);
    assert_eq!(staging(dir.path()), [""; 0]);
}

#[tokio::test]
async fn another_query_and_another_sink_keep_their_staging_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut begins = [begin_of(0), begin_of(0)];
    begins[0].query = QueryId("q2".into());
    begins[1].sink = "other".into();
    for begin in begins {
        let theirs = writer(&sink(dir.path()), &begin).await.unwrap();
        write(theirs.as_ref(), rows_of(7)).await.unwrap();
        sink(dir.path()).open(&query(), SINK).await.unwrap();
        theirs.commit().await.unwrap();
    }
    assert_eq!(plain(dir.path()).len(), 12);
}

#[tokio::test]
async fn an_epoch_that_is_forgotten_cannot_be_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink_with(dir.path(), FileSinkOptions { retain_epochs: 2, ..Default::default() });
    run(&sink, 0).await.unwrap();
    // A host that is about to write epoch 1 falls asleep.
    let asleep = writer(&sink, &begin_of(1)).await.unwrap();
    write(asleep.as_ref(), rows_of(1)).await.unwrap();
    for epoch in 1..6 {
        run(&sink, epoch).await.unwrap();
    }
    let mut manifests = disk::names(&dir.path().join(".streamhost/q1/out/manifests")).unwrap();
    manifests.sort();
    assert_eq!(manifests, ["3", "4", "5"]);
    assert_eq!(asleep.commit().await.unwrap_err().kind(), engine::Kind::Fenced);
    assert_eq!(run(&sink, 1).await.unwrap_err().kind(), engine::Kind::Fenced);
    assert_eq!(plain(dir.path()), values_of(0..6));
    assert_eq!(by_manifest(dir.path()), values_of(0..6));
    assert_eq!(run(&sink, 4).await.unwrap().0["rows"], 6);
    assert_eq!(plain(dir.path()), values_of(0..6));
}
