use super::record::{self, Record};
use crate::Result;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use std::{
    hash::{BuildHasher, Hasher},
    mem,
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// How many key groups the state of a query has. Fixed when its checkpoint is made: a worker owns whole groups, so
/// there are never more workers than groups, and how many there are may change from start to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyGroups(NonZeroU16);

impl KeyGroups {
    /// This many.
    pub fn new(count: NonZeroU16) -> Self {
        KeyGroups(count)
    }

    /// How many.
    pub fn count(self) -> usize {
        self.0.get().into()
    }

    /// The group of a key. Its hash must be the same in every process and version that opens the checkpoint, and good
    /// in its low bits.
    pub fn of(self, hash: u64) -> usize {
        // Below 65,536.
        (hash % u64::from(self.0.get())) as usize
    }
}

impl Default for KeyGroups {
    fn default() -> Self {
        KeyGroups(NonZeroU16::MIN.saturating_add(63))
    }
}

/// The keys of one group with their values, in memory, and which of them changed since the last commit.
#[derive(Default)]
pub struct KeyGroup {
    entries: HashTable<Entry>,
    // Keys are chosen by strangers: the seed differs from process to process and table to table.
    hasher: RandomState,
    /// The hashes of the entries that are not clean. An entry that was removed and made again may be here twice.
    changed: Vec<u32>,
    weight: Weight,
    size: Arc<Size>,
}

/// A key with its value. The hash is kept, so that growing the table reads no key.
struct Entry {
    record: Vec<u8>,
    hash: u32,
    mark: Mark,
}

/// How an entry differs from the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Not at all.
    Clean,
    /// It was not there.
    Fresh,
    /// It had another value, or may have had.
    Changed,
    /// It was there. The record is a removal.
    Removed,
}

/// What an entry, or all of a group together, comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Weight {
    rows: u64,
    /// Bytes of memory outside of the table.
    heap: u64,
    /// Bytes of the records that full content has.
    live: u64,
    /// Bytes of the records that the changes since the last commit have.
    unwritten: u64,
}

/// The size of a group, readable without its lock.
#[derive(Debug, Default)]
pub(super) struct Size {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Size {
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

impl Weight {
    fn replace(&mut self, before: Weight, after: Weight) {
        self.rows = self.rows + after.rows - before.rows;
        self.heap = self.heap + after.heap - before.heap;
        self.live = self.live + after.live - before.live;
        self.unwritten = self.unwritten + after.unwritten - before.unwritten;
    }
}

impl Entry {
    fn is(&self, hash: u32, key: &[u8]) -> bool {
        self.hash == hash && record::key(&self.record) == key
    }

    fn weight(&self) -> Weight {
        let bytes = self.record.len() as u64;
        let live = self.mark != Mark::Removed;
        Weight {
            rows: live.into(),
            heap: allocated(self.record.capacity()),
            live: if live { bytes } else { 0 },
            unwritten: if self.mark == Mark::Clean { 0 } else { bytes },
        }
    }
}

impl KeyGroup {
    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let hash = self.hash(key);
        let entry = self.entries.find(spread(hash), |e| e.is(hash, key))?;
        (entry.mark != Mark::Removed).then(|| record::value(&entry.record))
    }

    /// Sets the value of a key. A key over [`MAX_KEY`](super::MAX_KEY) or a value over [`MAX_VALUE`](super::MAX_VALUE)
    /// bytes is an error of kind [`Data`](crate::Kind::Data).
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        record::check(key, value)?;
        let hash = self.hash(key);
        if let Some(entry) = self.entries.find_mut(spread(hash), |e| e.is(hash, key)) {
            let before = entry.weight();
            if entry.mark == Mark::Clean {
                self.changed.push(hash);
            }
            if entry.mark != Mark::Fresh {
                entry.mark = Mark::Changed;
            }
            record::set_value(&mut entry.record, value);
            let after = entry.weight();
            self.weight.replace(before, after);
        } else {
            self.changed.push(hash);
            self.insert(Entry { record: record::put(key, value), hash, mark: Mark::Fresh });
        }
        self.publish();
        Ok(())
    }

    /// Removes a key and says if it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let hash = self.hash(key);
        let Ok(mut found) = self.entries.find_entry(spread(hash), |e| e.is(hash, key)) else { return false };
        let entry = found.get_mut();
        let before = entry.weight();
        let after = match entry.mark {
            Mark::Removed => return false,
            // No commit knows it, so none has to be told.
            Mark::Fresh => {
                found.remove();
                Weight::default()
            }
            Mark::Clean | Mark::Changed => {
                if entry.mark == Mark::Clean {
                    self.changed.push(hash);
                }
                entry.mark = Mark::Removed;
                entry.record = record::removal(key);
                entry.weight()
            }
        };
        self.weight.replace(before, after);
        self.publish();
        true
    }

    /// Every key with its value, in an order that differs from process to process: whoever lets rows follow from it
    /// sorts them first.
    pub fn scan(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.live().map(|e| (record::key(&e.record), record::value(&e.record)))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        // As many as entries at most.
        self.weight.rows as usize
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.weight.rows == 0
    }

    /// Bytes of memory: keys, values, and what it takes to find them, as the allocator rounds them up.
    pub fn bytes(&self) -> usize {
        let lists = self.entries.allocation_size() + self.changed.capacity() * mem::size_of::<u32>();
        // Never more than the memory of this machine.
        self.weight.heap as usize + lists
    }

    /// Bytes that full content would have in a file.
    pub(super) fn live_bytes(&self) -> u64 {
        self.weight.live
    }

    /// Bytes that the changes since the last commit would have in a file.
    pub(super) fn unwritten_bytes(&self) -> u64 {
        self.weight.unwritten
    }

    pub(super) fn size(&self) -> Arc<Size> {
        self.size.clone()
    }

    /// Appends what changed since the last call, one record a key, and says how many.
    pub(super) fn write_changes(&mut self, out: &mut Vec<u8>) -> u64 {
        let mut records = 0;
        self.settle(|record| {
            out.extend_from_slice(record);
            records += 1;
        });
        records
    }

    /// Appends everything, one record a key, and says how many.
    pub(super) fn write_full(&mut self, out: &mut Vec<u8>) -> u64 {
        self.settle(|_| ());
        for entry in self.live() {
            out.extend_from_slice(&entry.record);
        }
        self.weight.rows
    }

    /// Does what a record of a file says; that is no change since the last commit.
    pub(super) fn load(&mut self, record: &Record<'_>) {
        let hash = self.hash(record.key);
        if let Ok(found) = self.entries.find_entry(spread(hash), |e| e.is(hash, record.key)) {
            self.weight.replace(found.get().weight(), Weight::default());
            found.remove();
        }
        if record.value.is_some() {
            self.insert(Entry { record: record.bytes.to_vec(), hash, mark: Mark::Clean });
        }
        self.publish();
    }

    fn live(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|e| e.mark != Mark::Removed)
    }

    fn insert(&mut self, entry: Entry) {
        self.weight.replace(Weight::default(), entry.weight());
        self.entries.insert_unique(spread(entry.hash), entry, |e| spread(e.hash));
    }

    /// Shows each change since the last call, and makes every entry clean.
    fn settle(&mut self, mut show: impl FnMut(&[u8])) {
        for hash in mem::take(&mut self.changed) {
            let mut removed = false;
            let same = self.entries.iter_hash_mut(spread(hash)).filter(|e| e.hash == hash);
            for entry in same.filter(|e| e.mark != Mark::Clean) {
                show(&entry.record);
                match entry.mark {
                    Mark::Removed => removed = true,
                    _ => entry.mark = Mark::Clean,
                }
            }
            if removed {
                self.drop_removed(hash);
            }
        }
        self.weight.unwritten = 0;
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2, |e| spread(e.hash));
        }
        self.publish();
    }

    fn drop_removed(&mut self, hash: u32) {
        let gone = |e: &Entry| e.hash == hash && e.mark == Mark::Removed;
        while let Ok(found) = self.entries.find_entry(spread(hash), gone) {
            self.weight.replace(found.get().weight(), Weight::default());
            found.remove();
        }
    }

    fn hash(&self, key: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        let hash = hasher.finish();
        (hash ^ (hash >> 32)) as u32
    }

    fn publish(&self) {
        self.size.rows.store(self.weight.rows, Relaxed);
        self.size.bytes.store(self.bytes() as u64, Relaxed);
    }
}

/// The table looks at the low bits for the place and at the highest seven for a first comparison.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// What an allocation takes: glibc's malloc adds a word and rounds up to 16 bytes, 32 at least.
fn allocated(capacity: usize) -> u64 {
    match capacity {
        0 => 0,
        bytes => ((bytes + 8).next_multiple_of(16) as u64).max(32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    fn recounted(group: &KeyGroup) -> Weight {
        let mut sum = Weight::default();
        group.entries.iter().for_each(|e| sum.replace(Weight::default(), e.weight()));
        sum
    }

    #[test]
    fn a_key_has_the_value_that_was_put_last_until_it_is_removed() {
        let mut group = KeyGroup::default();
        assert_eq!(group.get(b"a"), None);
        group.put(b"a", b"1").unwrap();
        group.put(b"a", b"a longer value").unwrap();
        group.put(b"", b"").unwrap();
        assert_eq!((group.get(b"a"), group.get(b"")), (Some(&b"a longer value"[..]), Some(&b""[..])));
        assert_eq!(group.len(), 2);
        assert!(group.remove(b"a"));
        assert!(!group.remove(b"a"));
        assert_eq!(group.scan().collect::<Vec<_>>(), [(&b""[..], &b""[..])]);
    }

    #[test]
    fn what_was_removed_stays_gone_whether_a_commit_knew_it_or_not() {
        let mut group = KeyGroup::default();
        for committed in [false, true] {
            group.put(b"a", b"1").unwrap();
            if committed {
                group.write_changes(&mut Vec::new());
            }
            assert!(group.remove(b"a"));
            assert_eq!((group.get(b"a"), group.is_empty(), group.scan().count()), (None, true, 0));
            let mut out = Vec::new();
            assert_eq!(
                group.write_changes(&mut out),
                u64::from(committed),
                "only a commit that knew it is told"
            );
        }
        assert_eq!(group.entries.len(), 0);
    }

    #[test]
    fn a_key_that_changes_often_is_written_once() {
        let mut group = KeyGroup::default();
        group.put(b"a", b"0").unwrap();
        group.write_changes(&mut Vec::new());
        for value in [b"1", b"2"] {
            group.remove(b"a");
            group.put(b"a", value).unwrap();
            group.put(b"b", value).unwrap();
            group.remove(b"b");
        }
        group.put(b"b", b"3").unwrap();
        let mut out = Vec::new();
        assert_eq!(group.write_changes(&mut out), 2);
        assert_eq!(out.len(), 2 * (record::PREFIX + 2));
        assert_eq!(group.write_changes(&mut out), 0);
    }

    #[test]
    fn the_counts_are_those_of_the_entries_whatever_was_done() {
        let mut rng = SmallRng::seed_from_u64(7);
        let mut group = KeyGroup::default();
        for step in 0..20_000 {
            let key = rng.random_range(0..300u32).to_le_bytes();
            match rng.random_range(0..10) {
                0..6 => group.put(&key, &vec![1; rng.random_range(0..200)]).unwrap(),
                6..9 => drop(group.remove(&key)),
                _ if step % 50 == 0 => drop(group.write_full(&mut Vec::new())),
                _ if step % 7 == 0 => drop(group.write_changes(&mut Vec::new())),
                _ => {}
            }
            if step % 97 == 0 {
                assert_eq!(group.weight, recounted(&group));
                assert_eq!(group.len(), group.scan().count());
            }
        }
        let mut out = Vec::new();
        let expected = group.unwritten_bytes();
        group.write_changes(&mut out);
        assert_eq!(out.len() as u64, expected);
        out.clear();
        group.write_full(&mut out);
        assert_eq!(out.len() as u64, group.live_bytes());
        assert_eq!(group.size.bytes(), group.bytes() as u64);
    }

    #[test]
    fn a_key_of_80_bytes_with_its_value_takes_less_than_300() {
        assert_eq!(mem::size_of::<Entry>(), 32);
        let mut group = KeyGroup::default();
        for key in 0..200_000u128 {
            group.put(&key.to_le_bytes(), &[7; 64]).unwrap();
            assert!(
                key < 100 || group.bytes() as u128 <= 300 * (key + 1),
                "after {key} keys: {}",
                group.bytes()
            );
        }
    }

    #[test]
    fn memory_is_given_back_when_keys_go() {
        let mut group = KeyGroup::default();
        let keys: Vec<_> = (0..10_000u32).map(u32::to_le_bytes).collect();
        keys.iter().for_each(|key| group.put(key, &[1; 50]).unwrap());
        group.write_changes(&mut Vec::new());
        keys.iter().for_each(|key| assert!(group.remove(key)));
        group.write_changes(&mut Vec::new());
        assert!(group.bytes() < 1000, "{}", group.bytes());
    }

    #[test]
    fn a_hash_belongs_to_one_of_the_groups() {
        let groups = KeyGroups::default();
        assert_eq!((groups.count(), groups.of(64), groups.of(u64::MAX)), (64, 0, 63));
        assert_eq!(serde_json::to_string(&groups).unwrap(), "64");
        assert!(serde_json::from_str::<KeyGroups>("0").is_err());
    }
}
