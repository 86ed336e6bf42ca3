//! Crashes, replaced hosts, old records and ways back.

use super::*;
use crate::checkpoint::{CommitRecord, OffsetRecord};

#[tokio::test]
async fn a_query_that_crashes_at_any_step_of_any_epoch_stores_every_row_once() {
    for parallelism in [1, 2, 4] {
        for crash in 0..40 {
            let world = World::default();
            let crashed = run(&world, Start { crash: Some(crash), parallelism, ..START }).await;
            run(&world, Start { parallelism, ..START }).await.unwrap();
            assert_eq!(
                published(&world.sinks[0]),
                epochs_of_ten(45, 2),
                "crash at step {crash}: {crashed:?}"
            );
            assert_eq!(
                published(&world.sinks[1]),
                epochs_of_ten(45, 1),
                "crash at step {crash}: {crashed:?}"
            );
            assert_eq!(world.released.load(Relaxed), 45, "crash at step {crash}");
        }
    }
}

/// Sequences of crashes: many more under `cargo xtask long`.
fn seeds() -> u64 {
    if std::env::var_os("STREAMHOST_TEST_LONG").is_some() { 10_000 } else { 100 }
}

/// Starts with crashes and partitions that follow from the seed alone, until one comes to its end. Answers at which step of
/// how many partitions each start crashed.
async fn crash_again_and_again(world: &World, seed: u64) -> Vec<(u64, u32)> {
    let mut state = seed;
    let mut below = |end: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % end
    };
    let mut crashes = Vec::new();
    loop {
        let (crash, parallelism) = (below(12), 1 + below(4) as u32);
        match run(world, Start { crash: Some(crash), parallelism, ..START }).await {
            Ok(()) => return crashes,
            Err(e) => assert!(e.report().ends_with("crash"), "seed {seed}: {}", e.report()),
        }
        crashes.push((crash, parallelism));
    }
}

#[tokio::test]
async fn a_query_that_crashes_again_and_again_stores_every_row_once() {
    let mut crashed = 0;
    for seed in 0..seeds() {
        let world = World::default();
        let crashes = crash_again_and_again(&world, seed).await;
        for (sink, factor) in world.sinks.iter().zip([2, 1]) {
            assert_eq!(published(sink), epochs_of_ten(45, factor), "seed {seed}: {crashes:?}");
        }
        crashed += crashes.len() as u64;
    }
    assert!(crashed > 2 * seeds(), "only {crashed} crashes");
}

#[tokio::test]
async fn a_deleted_commit_record_leaves_every_sink_unchanged() {
    let world = World::default();
    run(&world, START).await.unwrap();
    world.store.delete("commits/4").await.unwrap();
    run(&world, START).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
    assert!(Checkpoint::new(world.store.clone()).commit(Epoch(4)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_query_goes_on_where_it_stopped() {
    let world = World::default();
    run(&world, Start { total: 20, ..START }).await.unwrap();
    run(&world, START).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
}

#[tokio::test]
async fn a_failing_row_is_named_with_epoch_step_and_position() {
    let world = World::default();
    let error = run(&world, Start { bad: Some(33), ..START }).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Plugin);
    assert_eq!(error.report(), "epoch 3: step `double`: cannot double row at numbers, row 33");
    assert_eq!(published(&world.sinks[0]).len(), 3, "nothing of the failed epoch is published");
}

#[tokio::test]
async fn a_host_that_was_replaced_is_fenced() {
    let world = World::default();
    let checkpoint = Checkpoint::new(world.store.clone());
    run(&world, Start { total: 10, ..START }).await.unwrap();
    let first = checkpoint.claim(1, Timestamp(0)).await.unwrap();
    checkpoint.still_mine(first).await.unwrap();
    checkpoint.claim(2, Timestamp(0)).await.unwrap();
    assert_eq!(checkpoint.still_mine(first).await.unwrap_err().kind(), Kind::Fenced);
}

/// Another host commits epoch 0 while this one is held between its check and its write; a later one if `replaced`.
struct Overtaken {
    store: Arc<MemoryStore>,
    replaced: bool,
}

impl Observer for Overtaken {
    fn reached(&self, epoch: Epoch, step: CommitStep) -> Result<()> {
        if step == CommitStep::SinkCommitted(1) && epoch == Epoch(0) {
            let checkpoint = Checkpoint::new(self.store.clone());
            let commit = CommitRecord {
                time: Timestamp(0),
                rows: 10,
                sinks: BTreeMap::new(),
                watermarks: Default::default(),
                state: BTreeMap::new(),
                outputs: BTreeMap::new(),
            };
            let created = checkpoint.write_commit(epoch, &commit).now_or_never().unwrap();
            assert_eq!(created.unwrap(), Created::Won);
            if self.replaced {
                checkpoint.claim(1, Timestamp(0)).now_or_never().unwrap().unwrap();
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_host_that_wakes_after_another_committed_its_epoch_is_fenced() {
    let world = World::default();
    let (mut query, _) = query(&world, START);
    query.observer = Arc::new(Overtaken { store: world.store.clone(), replaced: true });
    let error = query.run(&Stop::channel().1).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Fenced, "{}", error.report());
}

#[tokio::test]
async fn the_newest_host_goes_on_when_the_one_it_replaced_finished_an_epoch() {
    let world = World::default();
    let (mut query, _) = query(&world, START);
    query.observer = Arc::new(Overtaken { store: world.store.clone(), replaced: false });
    query.run(&Stop::channel().1).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
}

#[tokio::test]
async fn a_checkpoint_of_other_sources_is_refused() {
    let world = World::default();
    run(&world, START).await.unwrap();
    let other = BTreeMap::from([("in".to_owned(), "letters".to_owned())]);
    let error = Checkpoint::new(world.store.clone()).open("numbers", other).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        error.report().contains("in = numbers, but this pipeline has in = letters"),
        "{}",
        error.report()
    );
}

#[tokio::test]
async fn reset_runs_later_epochs_again_and_only_a_new_identity_stores_them_again() {
    let world = World::default();
    run(&world, START).await.unwrap();
    let checkpoint = Checkpoint::new(world.store.clone());
    let id = checkpoint.metadata().await.unwrap().unwrap().id;
    assert_eq!(checkpoint.reset(Epoch(2), false, false, Timestamp(0)).await.unwrap(), [Epoch(3), Epoch(4)]);
    run(&world, START).await.unwrap();
    assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
    checkpoint.reset(Epoch(2), true, false, Timestamp(0)).await.unwrap();
    assert_ne!(checkpoint.metadata().await.unwrap().unwrap().id, id);
    assert!(checkpoint.reset(Epoch(9), false, false, Timestamp(0)).await.is_err());
}

#[tokio::test]
async fn old_records_go_and_what_is_kept_still_starts() {
    let world = World::default();
    let (mut long, _) = query(&world, Start { total: 500, ..START });
    long.settings.retain_epochs = 5;
    long.run(&Stop::channel().1).await.unwrap();
    let planned = Checkpoint::new(world.store.clone()).planned().await.unwrap();
    assert!(planned.len() < 25 && planned.last() == Some(&Epoch(49)), "{planned:?}");
    run(&world, Start { total: 505, ..START }).await.unwrap();
    assert_eq!(published(&world.sinks[0]).concat().len(), 505);
}

/// A store in which `full`, or anything if that is none, cannot be made until it was tried `left` times.
struct Flaky {
    store: Arc<MemoryStore>,
    full: Option<&'static str>,
    left: AtomicU64,
}

#[async_trait]
impl CheckpointStore for Flaky {
    async fn read(&self, name: &str) -> Result<Option<bytes::Bytes>> {
        self.store.read(name).await
    }

    async fn create(&self, name: &str, record: bytes::Bytes) -> Result<Created> {
        let left = self.left.load(Relaxed);
        if self.full.is_none_or(|full| full == name) && left > 0 {
            self.left.store(left - 1, Relaxed);
            return Err(Error::new(Kind::Unavailable, "disk full"));
        }
        self.store.create(name, record).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.store.list(folder).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.store.delete(name).await
    }

    fn location(&self) -> String {
        "flaky".into()
    }
}

#[tokio::test]
async fn what_never_worked_is_not_retried() {
    let world = World::default();
    let (mut query, _) = query(&world, START);
    let clock = Arc::new(Impatient::default());
    query.clock = clock.clone();
    query.store = Arc::new(crate::checkpoint::LocalStore::new("/dev/null/checkpoint"));
    assert_eq!(query.run(&Stop::channel().1).await.unwrap_err().kind(), Kind::Unavailable);
    assert!(clock.slept().is_empty());
}

#[tokio::test]
async fn what_worked_in_an_earlier_process_is_retried_unless_its_trigger_ends_it() {
    for (trigger, waits) in [(Trigger::Asap, vec![1, 2]), (Trigger::AvailableNow, vec![])] {
        let world = World::default();
        run(&world, Start { total: 20, ..START }).await.unwrap();
        let (mut query, _) = query(&world, Start { ends: true, trigger, ..START });
        let clock = Arc::new(Impatient::default());
        query.clock = clock.clone();
        query.store = Arc::new(Flaky { store: world.store.clone(), full: None, left: AtomicU64::new(2) });
        let ended = query.run(&Stop::channel().1).await;
        assert_eq!(clock.slept(), waits);
        match ended {
            Ok(()) => assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2)),
            Err(e) => assert_eq!((e.kind(), trigger), (Kind::Unavailable, Trigger::AvailableNow)),
        }
    }
}

#[tokio::test]
async fn an_unavailable_error_is_retried_with_growing_waits_and_then_given_up() {
    for (failures, waits, ends_well) in [(2, vec![1, 2], true), (9, vec![1, 2], false)] {
        let world = World::default();
        let (mut query, _) = query(&world, START);
        let clock = Arc::new(Impatient::default());
        query.clock = clock.clone();
        query.store = Arc::new(Flaky {
            store: Arc::default(),
            full: Some("commits/1"),
            left: AtomicU64::new(failures),
        });
        assert_eq!(query.run(&Stop::channel().1).await.is_ok(), ends_well);
        assert_eq!(clock.slept(), waits);
        if ends_well {
            assert_eq!(published(&world.sinks[0]), epochs_of_ten(45, 2));
        }
    }
}

#[tokio::test]
async fn what_was_consumed_cannot_run_again_until_it_is_put_back() {
    let world = World::default();
    run(&world, Start { consumes: true, ..START }).await.unwrap();
    let checkpoint = Checkpoint::new(world.store.clone());
    let error = checkpoint.reset(Epoch(2), false, false, Timestamp(0)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    let said = error.report();
    assert!(said.contains("epoch 3 cannot run again") && said.contains("source `in`"), "{said}");
    assert_eq!(checkpoint.committed().await.unwrap().last(), Some(&Epoch(4)), "nothing was taken back");
    let again = checkpoint.reset(Epoch(2), false, true, Timestamp(0)).await.unwrap();
    assert_eq!(again, [Epoch(3), Epoch(4)]);
}

/// An epoch that reads these sources.
fn record(sources: &[&str]) -> OffsetRecord {
    let range = Range { start: None, end: Offset(json!(1)), detail: Value::Null };
    OffsetRecord {
        time: Timestamp(0),
        partitions: 1,
        sources: sources.iter().map(|name| ((*name).to_owned(), vec![range.clone()])).collect(),
        positions: BTreeMap::new(),
        tables: BTreeMap::new(),
        idle: Vec::new(),
        plugins: BTreeMap::new(),
        releases: BTreeMap::new(),
        consumed: Vec::new(),
        watermarks: Default::default(),
    }
}

#[tokio::test]
async fn a_quiet_source_keeps_its_own_records_and_no_others() {
    let checkpoint = Checkpoint::new(Arc::new(MemoryStore::default()));
    checkpoint.open("numbers", BTreeMap::new()).await.unwrap();
    for epoch in 0..100 {
        let sources: &[&str] = if epoch == 3 { &["quiet", "busy"] } else { &["busy"] };
        assert_eq!(checkpoint.write_offsets(Epoch(epoch), &record(sources)).await.unwrap(), Created::Won);
        if epoch % 20 == 0 {
            checkpoint.write_snapshot("busy", Epoch(epoch), "all".into()).await.unwrap();
        }
    }
    checkpoint.forget(Epoch(99), 10, &["quiet", "busy"]).await.unwrap();
    // Of the busy source's two snapshots, the older is of epoch 60.
    let expected: Vec<Epoch> = [3].into_iter().chain(61..100).map(Epoch).collect();
    assert_eq!(checkpoint.planned().await.unwrap(), expected);
    assert_eq!(checkpoint.history("quiet").await.unwrap().ranges.len(), 1);
}

#[tokio::test]
async fn an_epoch_that_does_not_end_is_given_up_after_a_request_to_stop_and_runs_again() {
    for trigger in [Trigger::AvailableNow, Trigger::Continuous(Duration::from_secs(1))] {
        let world = World::default();
        let (mut query, observer) = query(&world, Start { endless: Some(33), trigger, ..START });
        let clock = Arc::new(Impatient::default());
        query.clock = clock.clone();
        let (sender, stop) = Stop::channel();
        let running = tokio::spawn(async move { query.run(&stop).await });
        while observer.progress.lock().unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
        sender.send(true).unwrap();
        let error = running.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.report().contains("30s after the request to stop (`stop-timeout`)"), "{error}");
        assert_eq!(clock.slept(), [30]);
        run(&world, START).await.unwrap();
        let mut stored = published(&world.sinks[0]).concat();
        if trigger != Trigger::AvailableNow {
            // At least once.
            stored.sort_unstable();
            stored.dedup();
        }
        assert_eq!(stored, epochs_of_ten(45, 2).concat());
    }
}
