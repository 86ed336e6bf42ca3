//! The state of keyed steps as their shards see it: entries by key, and which of them are due.

use crate::{
    CheckpointStore, Epoch, Error, Keyed, Result,
    plan::Dataflow,
    state::{KeyGroup, KeyGroups, StateFiles, StateTable},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use twox_hash::XxHash3_64;

/// The stable hash of a key: it decides, for as long as a checkpoint lives, in which key group an entry is.
pub fn hash(key: &[u8]) -> u64 {
    XxHash3_64::oneshot(key)
}

/// The state of every keyed step of a query, by the step's name: always in the same order, so that a run can be repeated.
#[derive(Default)]
pub(crate) struct States(BTreeMap<String, Arc<KeyedState>>);

impl States {
    /// Empty state for every keyed step.
    pub(crate) fn empty(flow: &Dataflow, groups: KeyGroups) -> States {
        let state =
            |name: &str, step: &dyn Keyed| Arc::new(KeyedState::new(StateTable::new(name, groups), step));
        States(flow.keyed().map(|(_, name, step)| (name.to_owned(), state(name, &**step))).collect())
    }

    /// The state of every keyed step as these files have it.
    pub(crate) async fn restore(
        flow: &Dataflow,
        groups: KeyGroups,
        store: &dyn CheckpointStore,
        files: &BTreeMap<String, StateFiles>,
    ) -> Result<States> {
        let mut states = States::empty(flow, groups);
        for (_, name, step) in flow.keyed() {
            if let Some(files) = files.get(name) {
                let table = StateTable::restore(store, name, groups, files).await?;
                states.0.insert(name.to_owned(), Arc::new(KeyedState::restored(table, &**step)?));
            }
        }
        Ok(states)
    }

    pub(crate) fn of(&self, step: &str) -> Result<Arc<KeyedState>> {
        let state = self.0.get(step).cloned();
        state.ok_or_else(|| Error::internal(format!("step `{step}` has no state")))
    }

    /// How many bytes of memory all of it takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.values().map(|state| state.size().1).sum()
    }

    /// The earliest time on a timeline at which an entry is to be looked at.
    pub(crate) fn next_due(&self, of: Timeline) -> Result<Option<i64>> {
        let due = self.0.values().map(|state| state.next_due(of)).collect::<Result<Vec<_>>>()?;
        Ok(due.into_iter().flatten().min())
    }

    /// Makes everything since the last commit durable.
    pub(crate) async fn commit(
        &self,
        store: &dyn CheckpointStore,
        epoch: Epoch,
        unique: &str,
    ) -> Result<BTreeMap<String, StateFiles>> {
        let mut files = BTreeMap::new();
        for (name, state) in &self.0 {
            let committed = state.table.commit(store, epoch, unique).await;
            let committed = committed.map_err(|e| e.while_doing(format!("state of step `{name}`")))?;
            files.insert(name.clone(), committed);
        }
        Ok(files)
    }
}

/// The state of one keyed step.
pub(crate) struct KeyedState {
    table: StateTable,
    timed: bool,
    timeline: fn(&[u8]) -> Timeline,
    /// For each key group, which keys are to be looked at when; kept in step with the table.
    due: Vec<Mutex<Due>>,
}

/// The time of an entry that is never looked at again. None such is kept in [`Due`], which would only grow by them.
const NEVER: i64 = i64::MAX;

/// The step whose state nobody stores.
const TRIAL: &str = "trial";

/// What brings the time of an entry about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeline {
    /// The watermark.
    EventTime,
    /// The time of an epoch; one is run for it.
    ProcessingTime,
    /// The time of an epoch, whenever there is one.
    Expiry,
}

/// By timeline, keys by time. A key may stand at a time that it no longer has: the entry itself knows.
#[derive(Default)]
struct Due([BTreeMap<i64, Vec<Box<[u8]>>>; 3]);

impl Due {
    fn of(&mut self, timeline: Timeline) -> &mut BTreeMap<i64, Vec<Box<[u8]>>> {
        let [event_time, processing_time, expiry] = &mut self.0;
        match timeline {
            Timeline::EventTime => event_time,
            Timeline::ProcessingTime => processing_time,
            Timeline::Expiry => expiry,
        }
    }
}

impl KeyedState {
    fn new(table: StateTable, step: &dyn Keyed) -> Self {
        let due = (0..table.groups().count()).map(|_| Mutex::default()).collect();
        KeyedState { table, timed: step.timed(), timeline: step.timeline(), due }
    }

    fn restored(table: StateTable, step: &dyn Keyed) -> Result<Self> {
        let state = KeyedState::new(table, step);
        state.find_due()?;
        Ok(state)
    }

    /// Of a table that was filled.
    fn find_due(&self) -> Result<()> {
        for (group, due) in self.due.iter().enumerate().filter(|_| self.timed) {
            let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, value) in self.table.group(group)?.scan() {
                let time = split(value)?.0;
                if time != NEVER {
                    due.of((self.timeline)(key)).entry(time).or_default().push(key.into());
                }
            }
        }
        Ok(())
    }

    /// The entries of a shard once more.
    fn copy(&self, step: &str, shard: Shard) -> Result<Self> {
        let groups = self.table.groups();
        let due = (0..groups.count()).map(|_| Mutex::default()).collect();
        let copy = KeyedState { table: StateTable::new(step, groups), due, ..*self };
        for (at, group) in self.shard(shard)?.groups.iter().enumerate() {
            let mut entries = copy.table.group(at)?;
            for (key, entry) in group.iter().flat_map(|group| group.entries.scan()) {
                entries.put(key, entry)?;
            }
        }
        copy.find_due()?;
        Ok(copy)
    }

    pub(crate) fn group_of(&self, hash: u64) -> usize {
        self.table.groups().of(hash)
    }

    /// The entries of the key groups that belong to a shard. Held for as long as the answer lives.
    pub(crate) fn shard(&self, shard: Shard) -> Result<ShardState<'_>> {
        let groups = self.due.iter().enumerate().map(|(group, due)| {
            if group % shard.of.max(1) != shard.index {
                return Ok(None);
            }
            let entries = self.table.group(group)?;
            Ok(Some(Group { entries, due: due.lock().unwrap_or_else(PoisonError::into_inner) }))
        });
        let (timed, timeline, of) = (self.timed, self.timeline, self.table.groups());
        Ok(ShardState { timed, timeline, of, groups: groups.collect::<Result<_>>()?, entry: Vec::new() })
    }

    /// The earliest time on a timeline at which an entry is to be looked at.
    fn next_due(&self, of: Timeline) -> Result<Option<i64>> {
        let mut earliest = None;
        for (group, due) in self.due.iter().enumerate() {
            let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(mut first) = due.of(of).first_entry() {
                let (time, entries) = (*first.key(), self.table.group(group)?);
                first.get_mut().retain(|key| {
                    let entry = entries.get(key).and_then(|entry| entry.first_chunk());
                    entry.is_some_and(|now| i64::from_le_bytes(*now) == time)
                });
                if first.get().is_empty() {
                    first.remove();
                    continue;
                }
                earliest = Some(earliest.map_or(time, |earliest: i64| earliest.min(time)));
                break;
            }
        }
        Ok(earliest)
    }

    /// How many entries there are, and their bytes in memory.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.table.rows(), self.table.bytes())
    }
}

/// One of several shards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shard {
    pub(crate) index: usize,
    pub(crate) of: usize,
}

/// The way to the entries of one shard, for work that waits between its looks at them.
#[derive(Clone)]
pub struct ShardEntries {
    states: Arc<States>,
    state: Arc<KeyedState>,
    shard: Shard,
    most: u64,
}

impl ShardEntries {
    pub(crate) fn new(states: Arc<States>, step: &str, shard: Shard, most: u64) -> Result<Self> {
        Ok(ShardEntries { state: states.of(step)?, states, shard, most })
    }

    /// Those of a step that remembers nothing, to try something with.
    pub fn none(step: &dyn Keyed) -> Result<Self> {
        let table = StateTable::new(TRIAL, KeyGroups::default());
        ShardEntries::trial(KeyedState::new(table, step), Shard { index: 0, of: 1 }, u64::MAX)
    }

    fn trial(state: KeyedState, shard: Shard, most: u64) -> Result<Self> {
        let states = States([(TRIAL.to_owned(), Arc::new(state))].into());
        ShardEntries::new(Arc::new(states), TRIAL, shard, most)
    }

    /// The entries. Held for as long as the answer lives.
    pub fn open(&self) -> Result<ShardState<'_>> {
        self.state.shard(self.shard)
    }

    /// The same entries, to try something with: what is put there is never stored.
    pub fn copy(&self) -> Result<Self> {
        ShardEntries::trial(self.state.copy(TRIAL, self.shard)?, self.shard, self.most)
    }

    /// How many bytes may still be added before the state of the query is as large as it may be.
    pub fn room(&self) -> u64 {
        self.most.saturating_sub(self.states.bytes())
    }
}

/// The entries of one shard of a keyed step.
pub struct ShardState<'a> {
    timed: bool,
    timeline: fn(&[u8]) -> Timeline,
    of: KeyGroups,
    /// None where a group is another shard's.
    groups: Vec<Option<Group<'a>>>,
    /// Where an entry is put together.
    entry: Vec<u8>,
}

struct Group<'a> {
    entries: MutexGuard<'a, KeyGroup>,
    due: MutexGuard<'a, Due>,
}

/// An entry of a timed step begins with its time.
fn split(entry: &[u8]) -> Result<(i64, &[u8])> {
    let split = entry.split_first_chunk();
    let (time, value) = split.ok_or_else(|| Error::internal("an entry of state is without its time"))?;
    Ok((i64::from_le_bytes(*time), value))
}

impl<'a> ShardState<'a> {
    /// Whether keys of this hash are this shard's.
    pub fn owns(&self, hash: u64) -> bool {
        self.groups.get(self.of.of(hash)).is_some_and(Option::is_some)
    }

    /// The value of a key.
    pub fn get(&self, hash: u64, key: &[u8]) -> Result<Option<&[u8]>> {
        Ok(self.entry(hash, key)?.map(|(_, value)| value))
    }

    /// The time and the value of a key; the time is none in a step that is not timed.
    pub fn entry(&self, hash: u64, key: &[u8]) -> Result<Option<(Option<i64>, &[u8])>> {
        let at = self.of.of(hash);
        let Some(Some(group)) = self.groups.get(at) else { return Err(foreign(at)) };
        let Some(entry) = group.entries.get(key) else { return Ok(None) };
        match self.timed {
            true => split(entry).map(|(time, value)| Some((Some(time), value))),
            false => Ok(Some((None, entry))),
        }
    }

    /// Sets the value of a key. `time`, in microseconds, is when it is to be looked at: given for timed steps alone;
    /// `i64::MAX` is never.
    pub fn put(&mut self, hash: u64, key: &[u8], value: &[u8], time: Option<i64>) -> Result<()> {
        let (timeline, mut entry) = (self.timeline, std::mem::take(&mut self.entry));
        let group = self.group(hash)?;
        let Some(time) = time else { return group.entries.put(key, value) };
        if time != NEVER {
            let before = group.entries.get(key).map(split).transpose()?.map(|(time, _)| time);
            if before != Some(time) {
                group.due.of(timeline(key)).entry(time).or_default().push(key.into());
            }
        }
        entry.clear();
        entry.extend_from_slice(&time.to_le_bytes());
        entry.extend_from_slice(value);
        group.entries.put(key, &entry)?;
        self.entry = entry;
        Ok(())
    }

    /// Removes a key; none is fine.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Result<()> {
        self.group(hash)?.entries.remove(key);
        Ok(())
    }

    /// The keys whose time on a timeline is not above `until`, by time and key. None of them is named again unless it is put again.
    pub fn take_due(&mut self, of: Timeline, until: i64) -> Result<Vec<(i64, Box<[u8]>)>> {
        let mut keys = Vec::new();
        for group in self.groups.iter_mut().flatten() {
            while let Some(first) = group.due.of(of).first_entry().filter(|first| *first.key() <= until) {
                let (time, named) = first.remove_entry();
                for key in named {
                    let now = group.entries.get(&key).map(split).transpose()?;
                    if now.is_some_and(|(now, _)| now == time) {
                        keys.push((time, key));
                    }
                }
            }
        }
        keys.sort_unstable();
        // A key that left a time and came back to it stands there twice.
        keys.dedup();
        Ok(keys)
    }

    /// Every entry, in no order.
    pub fn scan(&self) -> impl Iterator<Item = Result<(&[u8], &[u8])>> {
        let entries = self.groups.iter().flatten().flat_map(|group| group.entries.scan());
        entries.map(|(key, entry)| match self.timed {
            true => Ok((key, split(entry)?.1)),
            false => Ok((key, entry)),
        })
    }

    fn group(&mut self, hash: u64) -> Result<&mut Group<'a>> {
        let at = self.of.of(hash);
        self.groups.get_mut(at).and_then(Option::as_mut).ok_or_else(|| foreign(at))
    }
}

fn foreign(group: usize) -> Error {
    Error::internal(format!("key group {group} belongs to another shard"))
}
