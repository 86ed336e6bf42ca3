//! When epochs begin and end, and what is told of them.

use super::*;

#[tokio::test]
async fn once_runs_a_single_epoch() {
    let world = World::default();
    run(&world, Start { trigger: Trigger::Once, ..START }).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(10, 2));
}

#[tokio::test]
async fn continuous_delivers_and_records_what_it_read() {
    let world = World::default();
    let (query, observer) =
        query(&world, Start { trigger: Trigger::Continuous(Duration::from_secs(1)), ..START });
    let (sender, stop) = Stop::channel();
    let watch = observer.clone();
    let running = tokio::spawn(async move { query.run(&stop).await });
    while watch.progress.lock().unwrap().len() < 5 && !running.is_finished() {
        tokio::task::yield_now().await;
    }
    let _ = sender.send(true);
    running.await.unwrap().unwrap();
    assert_eq!(published(&world.sinks[0]).concat(), epochs_of_ten(45, 2).concat());
    let record = Checkpoint::new(world.store.clone()).offsets(Epoch(0)).await.unwrap();
    assert_eq!(record.sources["in"].len(), 5);
    assert_eq!(record.positions["in"], Offset(json!(45)));
}

#[tokio::test]
async fn a_query_ends_by_itself_once_its_sources_have() {
    let tick = Duration::from_secs(10);
    for trigger in [Trigger::Asap, Trigger::ProcessingTime(tick), Trigger::Continuous(tick)] {
        let world = World::default();
        let (mut query, _) = query(&world, Start { ends: true, trigger, ..START });
        query.clock = Arc::new(Impatient::default());
        query.run(&Stop::channel().1).await.unwrap();
        assert_eq!(published(&world.sinks[0]).concat(), epochs_of_ten(45, 2).concat(), "{trigger:?}");
        let checkpoint = Checkpoint::new(world.store.clone());
        assert!(matches!(checkpoint.resume().await.unwrap(), Resume::Continue(_)), "{trigger:?}");
    }
}

#[tokio::test]
async fn progress_has_the_shape_of_sparks() {
    let world = World::default();
    let (query, observer) = query(&world, START);
    query.run(&Stop::channel().1).await.unwrap();
    let progress = serde_json::to_value(&observer.progress.lock().unwrap()[1]).unwrap();
    assert_eq!(progress["batchId"], 1);
    assert_eq!(progress["timestamp"], "1970-01-01T00:00:01.000Z");
    assert_eq!(progress["numInputRows"], 10);
    assert_eq!(progress["sources"][0]["startOffset"], 10);
    assert_eq!(progress["sources"][0]["endOffset"], 20);
    assert_eq!(progress["sources"][0]["backlog"], 25);
    assert_eq!(progress["sink"]["numOutputRows"], 10);
    for key in
        ["id", "runId", "name", "inputRowsPerSecond", "processedRowsPerSecond", "eventTime", "stateOperators"]
    {
        assert!(progress.get(key).is_some(), "{key}");
    }
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let phases =
        ["latestOffset", "queryPlanning", "walCommit", "addBatch", "commitOffsets", "triggerExecution"];
    assert_eq!(keys(&progress["durationMs"]), phases);
    let source = [
        "description",
        "startOffset",
        "endOffset",
        "latestOffset",
        "backlog",
        "numInputRows",
        "numBadRows",
        "inputRowsPerSecond",
        "processedRowsPerSecond",
    ];
    assert_eq!(keys(&progress["sources"][0]), source);
    assert!(progress["plugins"].get("double").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_side_by_side_keep_the_order_of_a_stream() {
    let world = World::default();
    run(&world, Start { whole: true, parallelism: 4, ..START }).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
}

/// Asks the query to stop once so many epochs have been reported.
struct StopAfter(u64, tokio::sync::watch::Sender<bool>);

impl Observer for StopAfter {
    fn progress(&self, progress: &Progress) {
        if progress.batch_id.0 + 1 == self.0 {
            let _ = self.1.send(true);
        }
    }
}

#[tokio::test]
async fn epochs_of_a_processing_time_begin_at_its_ticks() {
    let world = World::default();
    let (mut query, _) =
        query(&world, Start { trigger: Trigger::ProcessingTime(Duration::from_secs(10)), ..START });
    let clock = Arc::new(Impatient::default());
    clock.sleep(Duration::from_secs(3)).await;
    query.clock = clock.clone();
    let (sender, stop) = Stop::channel();
    query.observer = Arc::new(StopAfter(4, sender));
    query.run(&stop).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(40, 2));
    // Started at 3 s; the first epoch does not wait. The stop may come before or after the wait for a fifth.
    assert_eq!(clock.slept()[..5], [3, 0, 7, 10, 10]);
}

#[tokio::test]
async fn continuous_closes_an_epoch_when_columns_change() {
    let world = World::default();
    let trigger = Trigger::Continuous(Duration::from_secs(1));
    let (query, observer) = query(&world, Start { renewed: 20, trigger, ..START });
    let (sender, stop) = Stop::channel();
    let running = tokio::spawn(async move { query.run(&stop).await });
    while observer.progress.lock().unwrap().len() < 5 && !running.is_finished() {
        tokio::task::yield_now().await;
    }
    let _ = sender.send(true);
    running.await.unwrap().unwrap();
    let checkpoint = Checkpoint::new(world.store.clone());
    for (epoch, ranges, rows) in [(0, 2, 20), (1, 3, 25)] {
        assert_eq!(checkpoint.offsets(Epoch(epoch)).await.unwrap().sources["in"].len(), ranges);
        assert_eq!(checkpoint.commit(Epoch(epoch)).await.unwrap().unwrap().rows, rows);
    }
}
