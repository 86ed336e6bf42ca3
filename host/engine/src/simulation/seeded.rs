//! Whole runs that follow from one number: what comes in, and what goes wrong.
//!
//! A job with state runs over generated rows while records cannot be written, answers are lost, sources and sinks fail, and
//! the power goes; every start has another parallelism. What each epoch of each sink holds in the end is what a run came to
//! that nothing happened to. A seed that fails is run again, alone, by
//!
//! ```text
//! STREAMHOST_TEST_SEED=17 cargo test --workspace --lib seeded
//! ```

mod fate;
mod job;

use self::{
    fate::{Disk, Fate},
    job::{Answers, Job, Parts},
};
use super::Impatient;
use crate::{Created, Epoch, Kind, Query, QuerySettings, Restart, Stop, Trigger, checkpoint::Checkpoint};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Everything that outlives a host.
struct World {
    job: Arc<Job>,
    fate: Arc<Fate>,
    disk: Arc<Disk>,
    answers: Arc<Answers>,
}

impl World {
    fn new(job: &Arc<Job>, fate: Fate) -> Self {
        let fate = Arc::new(fate);
        let disk = Arc::new(Disk::new(fate.clone()));
        World { job: job.clone(), disk, answers: Arc::new(Answers::new(fate.clone())), fate }
    }

    /// One host, until everything is read or it cannot go on.
    async fn start(&self, parallelism: u32) -> crate::Result<()> {
        let settings = QuerySettings {
            name: "seeded".into(),
            trigger: Trigger::AvailableNow,
            parallelism,
            retain_epochs: 4,
            restart: Restart { attempts: 2, first: Duration::from_secs(1), longest: Duration::from_secs(60) },
            stop_timeout: Duration::from_secs(30),
            max_state: crate::MAX_STATE,
        };
        let parts = Parts { job: self.job.clone(), fate: self.fate.clone(), answers: self.answers.clone() };
        let query = Query {
            settings,
            planner: Arc::new(parts),
            store: self.disk.clone(),
            clock: Arc::new(Impatient::default()),
            observer: self.fate.clone(),
            audit: None,
        };
        query.run(&Stop::channel().1).await
    }

    /// Host after host, until one comes to the end; answers how many there were.
    async fn until_done(&self, seed: u64) -> u64 {
        let mut hosts = 0;
        loop {
            hosts += 1;
            let parallelism = self.fate.next_host();
            match self.start(parallelism).await {
                Ok(()) => return hosts,
                Err(e) if e.kind() == Kind::Unavailable || self.fate.is_dark() => {}
                Err(e) => panic!("seed {seed}: {}", e.report()),
            }
            if self.fate.is_dark() {
                self.disk.lose_power();
            }
        }
    }

    /// Deletes the newest commit records, and starts once more.
    async fn commit_again(&self, seed: u64) {
        self.fate.calm();
        let checkpoint = Checkpoint::new(self.disk.clone());
        let committed = checkpoint.committed().await.unwrap();
        for epoch in committed.iter().rev().take(1 + seed as usize % 2) {
            self.disk.remove(&format!("commits/{epoch}"));
        }
        self.start(2).await.unwrap();
        assert_eq!(checkpoint.committed().await.unwrap().last(), committed.last(), "seed {seed}");
    }
}

/// What an undisturbed run comes to, what the disturbed one does, and how much happened to that.
async fn compared(seed: u64) -> Arc<Fate> {
    let job = Arc::new(Job::of(seed));
    let calm = World::new(&job, Fate::kind());
    calm.start(1).await.unwrap();
    let expected = calm.answers.all();
    // There may be none that is late.
    for (sink, epochs) in expected.iter().filter(|(sink, _)| *sink != "late") {
        assert!(epochs.values().any(|rows| !rows.is_empty()), "seed {seed}: sink {sink} was given nothing");
    }
    let world = World::new(&job, Fate::of(seed));
    let hosts = world.until_done(seed).await;
    same(&expected, &world.answers, &format!("seed {seed}, after {hosts} hosts"));
    world.commit_again(seed).await;
    same(&expected, &world.answers, &format!("seed {seed}, after its last commits were deleted"));
    world.fate
}

fn same(expected: &job::BySink, answers: &Answers, when: &str) {
    let all = answers.all();
    for (sink, epochs) in expected {
        for (epoch, rows) in epochs {
            let stored = all.get(sink).and_then(|epochs| epochs.get(epoch));
            assert_eq!(stored, Some(rows), "{when}: sink {sink}, epoch {epoch}");
        }
        let more: Vec<&Epoch> = all[sink].keys().filter(|epoch| !epochs.contains_key(epoch)).collect();
        assert!(more.is_empty(), "{when}: sink {sink} has epochs {more:?} too");
    }
}

/// One seed if it is named, else many; many more under `cargo xtask long`.
fn seeds() -> std::ops::Range<u64> {
    let named = std::env::var_os("STREAMHOST_TEST_SEED").and_then(|seed| seed.to_str()?.parse().ok());
    match named {
        Some(seed) => seed..seed + 1,
        None if std::env::var_os("STREAMHOST_TEST_LONG").is_some() => 0..10_000,
        None => 0..200,
    }
}

/// How often something failed under each seed, and how often the power went. A seed is run by one thread alone, in which
/// everything has one order.
fn on_all_cores(seeds: std::ops::Range<u64>) -> Vec<(u64, u64)> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let seeds = std::iter::from_fn(|| Some(next.fetch_add(1, Relaxed)).filter(|seed| *seed < seeds.end));
        let fates = seeds.map(|seed| runtime.block_on(compared(seed)));
        fates.map(|fate| (fate.failures(), fate.cuts())).collect::<Vec<_>>()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn whatever_goes_wrong_every_sink_holds_what_an_undisturbed_run_comes_to() {
    let seeds = seeds();
    let happened = on_all_cores(seeds.clone());
    let failures: u64 = happened.iter().map(|(failures, _)| failures).sum();
    let cuts: u64 = happened.iter().map(|(_, cuts)| cuts).sum();
    let runs = seeds.end - seeds.start;
    assert_eq!(happened.len() as u64, runs);
    assert!(runs == 1 || failures > 4 * runs && cuts > 2 * runs, "{failures} failures, {cuts} power cuts");
}

#[tokio::test]
async fn the_same_seed_is_the_same_run() {
    for seed in seeds().take(3) {
        let (first, second) = (compared(seed).await.trace(), compared(seed).await.trace());
        let differs = first.iter().zip(&second).position(|(a, b)| a != b);
        assert_eq!(differs.map(|at| (&first[at], &second[at])), None, "seed {seed}");
        assert_eq!(first.len(), second.len());
    }
}

#[tokio::test]
async fn a_record_that_was_written_stays_when_the_power_goes_and_one_that_was_deleted_may_come_back() {
    use crate::CheckpointStore;
    let disk = Disk::new(Arc::new(Fate::kind()));
    for name in ["offsets/0", "offsets/1", "commits/0"] {
        assert_eq!(disk.create(name, "{}".into()).await.unwrap(), Created::Won);
    }
    disk.delete("offsets/0").await.unwrap();
    disk.delete("commits/0").await.unwrap();
    // Syncs the folder.
    let _ = disk.create("commits/1", "{}".into()).await.unwrap();
    let mut came_back = 0;
    for _ in 0..64 {
        disk.lose_power();
        came_back += u64::from(disk.read("offsets/0").await.unwrap().is_some());
        disk.delete("offsets/0").await.unwrap();
    }
    assert!((1..64).contains(&came_back), "{came_back}");
    assert_eq!(disk.list("commits").await.unwrap(), ["1"]);
    assert!(disk.read("offsets/1").await.unwrap().is_some());
}
