//! Tables against a map that remembers every epoch, and against stores that fail or were tampered with.

use super::{KeyGroups, StateFiles, StateTable};
use crate::{
    CheckpointStore, Created, Epoch, Error, Kind, Result,
    checkpoint::{LocalStore, MemoryStore},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    collections::BTreeMap,
    num::NonZeroU16,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn groups(count: u16) -> KeyGroups {
    KeyGroups::new(NonZeroU16::new(count).unwrap())
}

fn group_of(table: &StateTable, key: &[u8]) -> usize {
    table.groups().of(crc32c::crc32c(key).into())
}

fn put(table: &StateTable, key: &[u8], value: &[u8]) {
    table.group(group_of(table, key)).unwrap().put(key, value).unwrap();
}

fn remove(table: &StateTable, key: &[u8]) -> bool {
    table.group(group_of(table, key)).unwrap().remove(key)
}

fn content(table: &StateTable) -> Model {
    let mut all = Model::new();
    for index in 0..table.groups().count() {
        let group = table.group(index).unwrap();
        for (key, value) in group.scan() {
            assert_eq!(group_of(table, key), index);
            assert_eq!(group.get(key), Some(value));
            assert!(all.insert(key.to_vec(), value.to_vec()).is_none());
        }
    }
    assert_eq!(table.rows(), all.len() as u64);
    all
}

/// A run of random epochs that is interrupted, goes back, and forgets.
struct Walk {
    rng: SmallRng,
    store: MemoryStore,
    groups: KeyGroups,
    table: StateTable,
    model: Model,
    epoch: u64,
    starts: u32,
    /// The epochs whose commit records are kept.
    kept: Vec<(Epoch, StateFiles, Model)>,
}

impl Walk {
    fn new(seed: u64, count: u16) -> Self {
        let groups = groups(count);
        Walk {
            rng: SmallRng::seed_from_u64(seed),
            store: MemoryStore::default(),
            groups,
            table: StateTable::new("counts", groups),
            model: Model::new(),
            epoch: 0,
            starts: 0,
            kept: Vec::new(),
        }
    }

    fn change(&mut self) {
        let keys = [10, 100, 1000][self.rng.random_range(0..3)];
        for _ in 0..[0, 3, 100, 500][self.rng.random_range(0..4)] {
            let key = self.rng.random_range(0..keys as u32).to_string().into_bytes();
            if self.rng.random_range(0..3) > 0 {
                let value = vec![self.rng.random(); self.rng.random_range(0..60)];
                put(&self.table, &key, &value);
                self.model.insert(key, value);
            } else {
                assert_eq!(remove(&self.table, &key), self.model.remove(&key).is_some());
            }
        }
    }

    async fn commit(&mut self) {
        let unique = format!("run{}", self.starts);
        let files = self.table.commit(&self.store, Epoch(self.epoch), &unique).await.unwrap();
        // As the commit record does.
        let files = serde_json::from_str(&serde_json::to_string(&files).unwrap()).unwrap();
        self.kept.push((Epoch(self.epoch), files, self.model.clone()));
        self.epoch += 1;
    }

    async fn restore(&self, (epoch, files, model): &(Epoch, StateFiles, Model)) -> StateTable {
        let table = StateTable::restore(&self.store, "counts", self.groups, files).await.unwrap();
        assert_eq!(content(&table), *model, "epoch {epoch}");
        table
    }

    /// Starts again from one of the kept epochs; what came after it is there, but no longer named.
    async fn go_back(&mut self) {
        self.kept.truncate(self.rng.random_range(1..=self.kept.len()));
        let newest = self.kept.last().unwrap();
        self.table = self.restore(newest).await;
        self.model = newest.2.clone();
        self.epoch = newest.0.next().0;
        self.starts += 1;
    }

    async fn forget(&mut self) {
        let keep = self.rng.random_range(2..6);
        self.kept.drain(..self.kept.len().saturating_sub(keep));
        let kept: Vec<_> = self.kept.iter().map(|(_, files, _)| files.clone()).collect();
        StateTable::forget(&self.store, "counts", &kept).await.unwrap();
    }
}

#[tokio::test]
async fn every_kept_epoch_is_restored_as_it_was_whatever_came_after_it() {
    for (seed, count) in (0..).zip([1, 3, 16, 64]) {
        let mut walk = Walk::new(seed, count);
        for _ in 0..400 {
            walk.change();
            assert_eq!(content(&walk.table), walk.model);
            walk.commit().await;
            match walk.rng.random_range(0..20) {
                0 => walk.go_back().await,
                1..4 => walk.forget().await,
                _ => {}
            }
            let one = walk.rng.random_range(0..walk.kept.len());
            walk.restore(&walk.kept[one]).await;
        }
        for kept in &walk.kept {
            walk.restore(kept).await;
        }
    }
}

#[tokio::test]
async fn a_run_that_was_restored_after_every_epoch_writes_what_one_without_a_break_does() {
    let (broken, whole) = (MemoryStore::default(), MemoryStore::default());
    let mut table = StateTable::new("counts", groups(4));
    let unbroken = StateTable::new("counts", groups(4));
    for epoch in 0..200u32 {
        for key in 0..10u32 {
            let (key, value) = (((key * 7 + epoch) % 500).to_le_bytes(), epoch.to_le_bytes());
            put(&table, &key, &value);
            put(&unbroken, &key, &value);
        }
        let epoch = Epoch(epoch.into());
        let files = table.commit(&broken, epoch, "a").await.unwrap();
        assert_eq!(unbroken.commit(&whole, epoch, "a").await.unwrap(), files);
        table = StateTable::restore(&broken, "counts", groups(4), &files).await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_record_stays_short() {
    let store = MemoryStore::default();
    let table = StateTable::new("counts", KeyGroups::default());
    (0..20_000u32).for_each(|key| put(&table, &key.to_le_bytes(), &[0; 100]));
    let mut longest = 0;
    for epoch in 0..600 {
        (0..100u64).for_each(|n| put(&table, &((epoch * 37 + n) as u32).to_le_bytes(), &epoch.to_le_bytes()));
        let files = table.commit(&store, Epoch(epoch), "5e1f").await.unwrap();
        longest = longest.max(serde_json::to_string(&files).unwrap().len());
    }
    assert!(longest < 1500, "{longest}");
}

#[tokio::test]
async fn an_epoch_without_changes_writes_no_file_and_keeps_the_old_ones() {
    let store = MemoryStore::default();
    let table = StateTable::new("counts", KeyGroups::default());
    assert!(table.commit(&store, Epoch(0), "a").await.unwrap().is_empty());
    put(&table, b"key", b"value");
    let files = table.commit(&store, Epoch(1), "a").await.unwrap();
    put(&table, b"other", b"value");
    assert!(remove(&table, b"other"));
    assert_eq!(table.commit(&store, Epoch(2), "a").await.unwrap(), files);
    assert_eq!(store.list("state/counts").await.unwrap(), ["1-a.state"]);
}

/// Two epochs of a small table: what was written, and what the second commit names.
async fn two_epochs() -> (MemoryStore, StateFiles) {
    let store = MemoryStore::default();
    let table = StateTable::new("counts", groups(2));
    for key in [b"a", b"b", b"c", b"d"] {
        put(&table, key, b"first");
    }
    table.commit(&store, Epoch(7), "a").await.unwrap();
    put(&table, b"a", b"second");
    remove(&table, b"b");
    let files = table.commit(&store, Epoch(8), "a").await.unwrap();
    assert_eq!(files.len(), 2);
    (store, files)
}

/// What both restore and verify say of a table that was tampered with.
async fn refusal(store: &MemoryStore, files: &StateFiles) -> String {
    let error = StateTable::restore(store, "counts", groups(2), files).await.map(drop).unwrap_err();
    let verified = files.verify(store, "counts", groups(2)).await.unwrap_err();
    assert_eq!((error.kind(), error.report()), (Kind::Data, verified.report()));
    error.report()
}

async fn replace(store: &MemoryStore, name: &str, with: &[u8]) {
    store.delete(name).await.unwrap();
    assert_eq!(store.create(name, Bytes::copy_from_slice(with)).await.unwrap(), Created::Won);
}

#[tokio::test]
async fn every_flipped_byte_and_every_cut_is_an_error_that_names_the_file() {
    let (store, files) = two_epochs().await;
    files.verify(&store, "counts", groups(2)).await.unwrap();
    for name in ["state/counts/7-a.state", "state/counts/8-a.state"] {
        let whole = store.read(name).await.unwrap().unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.to_vec();
            flipped[at] ^= 0xff;
            replace(&store, name, &flipped).await;
            let report = refusal(&store, &files).await;
            assert!(report.contains(name) && report.contains("not as it was written"), "byte {at}: {report}");
            replace(&store, name, &whole[..at]).await;
            let report = refusal(&store, &files).await;
            assert!(report.contains(name) && report.contains("cut short"), "{at} bytes: {report}");
        }
        replace(&store, name, &whole).await;
    }
}

#[tokio::test]
async fn a_missing_a_foreign_and_a_skipped_file_are_told_apart() {
    let (store, files) = two_epochs().await;
    let name = "state/counts/8-a.state";
    let whole = store.read(name).await.unwrap().unwrap();
    store.delete(name).await.unwrap();
    let report = refusal(&store, &files).await;
    assert!(
        report.contains(name) && report.contains("operator `counts`") && report.contains("missing"),
        "{report}"
    );

    for (operator, count, why) in [("sums", 2, "operator `sums`"), ("counts", 3, "written for 3 key groups")]
    {
        let other = StateTable::new(operator, groups(count));
        put(&other, b"a", b"first");
        other.commit(&store, Epoch(8), "other").await.unwrap();
        let path = format!("state/{operator}/8-other.state");
        let bytes = store.read(&path).await.unwrap().unwrap();
        replace(&store, name, &bytes).await;
        let report = refusal(&store, &files).await;
        assert!(report.contains(name) && report.contains(why), "{report}");
    }

    replace(&store, name, &store.read("state/counts/7-a.state").await.unwrap().unwrap()).await;
    assert!(refusal(&store, &files).await.contains("was written by epoch 7"));
    replace(&store, name, &whole).await;
    assert!(files.verify(&store, "counts", groups(2)).await.is_ok());
}

#[tokio::test]
async fn a_record_that_leaves_out_a_file_of_a_chain_is_refused() {
    let store = MemoryStore::default();
    let table = StateTable::new("counts", groups(1));
    (0..100u8).for_each(|key| put(&table, &[key], b"value"));
    for epoch in 0..4 {
        put(&table, b"key", &[epoch]);
        table.commit(&store, Epoch(epoch.into()), "a").await.unwrap();
    }
    let hole = serde_json::from_str(r#"{"files":{"a":"0-1,3"},"full":{"0":"0"}}"#).unwrap();
    let report =
        StateTable::restore(&store, "counts", groups(1), &hole).await.map(drop).unwrap_err().report();
    assert!(report.contains("3-a.state") && report.contains("does not follow"), "{report}");
    let other = serde_json::from_str(r#"{"files":{"a":"0-3"},"full":{"1":"0"}}"#).unwrap();
    let report =
        StateTable::restore(&store, "counts", groups(1), &other).await.map(drop).unwrap_err().report();
    assert!(report.contains("1-a.state") && report.contains("full content of key group 0"), "{report}");
}

/// Fails while it is told to.
#[derive(Default)]
struct Full {
    inner: MemoryStore,
    full: AtomicBool,
}

#[async_trait]
impl CheckpointStore for Full {
    async fn read(&self, name: &str) -> Result<Option<Bytes>> {
        self.inner.read(name).await
    }

    async fn create(&self, name: &str, record: Bytes) -> Result<Created> {
        if self.full.load(Relaxed) {
            // As a call that takes a while: whoever asks once only drops it.
            tokio::task::yield_now().await;
            return Err(Error::new(Kind::Unavailable, "no space left"));
        }
        self.inner.create(name, record).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.inner.list(folder).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.inner.delete(name).await
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}

#[tokio::test]
async fn after_a_commit_that_failed_or_was_dropped_the_table_has_to_be_restored() {
    for dropped in [false, true] {
        let store = Full::default();
        let table = StateTable::new("counts", groups(2));
        put(&table, b"a", b"first");
        let files = table.commit(&store, Epoch(0), "a").await.unwrap();
        put(&table, b"a", b"second");
        store.full.store(true, Relaxed);
        if dropped {
            assert!(table.commit(&store, Epoch(1), "a").now_or_never().is_none());
        } else {
            let error = table.commit(&store, Epoch(1), "a").await.unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable);
            assert!(error.report().contains("state of operator `counts` in epoch 1"), "{}", error.report());
        }
        store.full.store(false, Relaxed);
        let error = table.commit(&store, Epoch(1), "a").await.unwrap_err();
        assert!(error.report().contains("failed in epoch 1; it has to be restored"), "{}", error.report());
        let table = StateTable::restore(&store, "counts", groups(2), &files).await.unwrap();
        put(&table, b"a", b"second");
        assert!(table.commit(&store, Epoch(1), "b").await.is_ok());
    }
}

#[tokio::test]
async fn a_name_that_is_taken_and_an_epoch_that_has_passed_are_refused() {
    let store = MemoryStore::default();
    let (one, two) = (StateTable::new("counts", groups(2)), StateTable::new("counts", groups(2)));
    put(&one, b"a", b"1");
    put(&two, b"a", b"2");
    one.commit(&store, Epoch(3), "a").await.unwrap();
    let taken = two.commit(&store, Epoch(3), "a").await.unwrap_err();
    assert!(taken.report().contains("state/counts/3-a.state is there already"), "{}", taken.report());
    let passed = one.commit(&store, Epoch(3), "b").await.unwrap_err();
    assert!(passed.report().contains("was committed in epoch 3"), "{}", passed.report());
    assert!(one.commit(&store, Epoch(4), "../x").await.unwrap_err().report().contains("letters and digits"));
    assert!(one.group(2).map(drop).unwrap_err().report().contains("has 2 key groups"));
}

#[tokio::test]
async fn a_directory_keeps_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::new(dir.path());
    let table = StateTable::new("counts", KeyGroups::default());
    (0..1000u32).for_each(|key| put(&table, &key.to_le_bytes(), b"value"));
    let files = table.commit(&store, Epoch(0), "a").await.unwrap();
    assert!(dir.path().join("state/counts/0-a.state").is_file());
    let restored = StateTable::restore(&store, "counts", KeyGroups::default(), &files).await.unwrap();
    assert_eq!(content(&restored), content(&table));
    assert!(restored.bytes() > 0 && restored.bytes() <= table.bytes());
}

#[test]
fn a_commit_can_run_on_any_thread() {
    fn is_send<T: Send>(_: T) {}
    let (store, table) = (MemoryStore::default(), StateTable::new("counts", groups(1)));
    is_send(table.commit(&store, Epoch(0), "a"));
    is_send(StateTable::restore(&store, "counts", groups(1), &StateFiles::default()));
}
