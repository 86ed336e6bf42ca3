//! What one call of a plugin sees and changes of its state.

use super::{
    changes::{Change, Changes, List},
    entry::{self, Item, TimerClock},
    tables::{NEVER, Table, TableKind, Tables, Written},
};
use crate::{EpochContext, Error, Result, ShardEntries, ShardState};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The state of the keys of one call of a plugin, or of several that belong together. Keys are named by number.
///
/// Nothing is changed before [`CallState::keep`]: what a call put that failed is gone with it. What the plugin must not do is an
/// error of kind [`Plugin`](crate::Kind::Plugin), what it cannot do in this pipeline one of kind [`Invalid`](crate::Kind::Invalid),
/// and too much state one of kind [`Data`](crate::Kind::Data); none changes anything.
pub struct CallState {
    tables: Arc<Tables>,
    entries: ShardEntries,
    now: i64,
    /// None if rows have no event time.
    watermark: Option<i64>,
    keys: Vec<Key>,
    changes: Changes,
    /// Bytes of the changes, at the most.
    added: u64,
}

/// A key as bytes, and its hash.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its stable hash.
    pub hash: u64,
    /// Its columns.
    pub bytes: Arc<[u8]>,
}

impl Key {
    /// The key of these bytes.
    pub fn of(bytes: &[u8]) -> Key {
        Key { hash: crate::hash(bytes), bytes: bytes.into() }
    }
}

/// A timer: the number of its key, and its time in microseconds.
pub type Timer = (u32, i64);

impl CallState {
    /// Of no keys. `event_time`: whether rows have a watermark.
    pub fn new(tables: Arc<Tables>, entries: ShardEntries, cx: &EpochContext, event_time: bool) -> Self {
        let watermark = event_time.then(|| cx.in_force.eviction.micros());
        let (keys, changes) = (Vec::new(), Changes::default());
        CallState { tables, entries, now: cx.now.0, watermark, keys, changes, added: 0 }
    }

    /// Begins a call with these keys. Changes that were not kept are given up, unless it belongs to the call before.
    pub fn begin(&mut self, keys: Vec<Key>, goes_on: bool) {
        self.keys = keys;
        if !goes_on {
            self.changes.clear();
            self.added = 0;
        }
    }

    /// The tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Makes the changes.
    pub fn keep(&mut self) -> Result<()> {
        let mut state = self.entries.open()?;
        for Change { key, name, to } in self.changes.iter() {
            match to {
                Some((time, bytes)) => state.put(key, name, bytes, Some(time))?,
                None => state.remove(key, name)?,
            }
        }
        self.changes.clear();
        self.added = 0;
        Ok(())
    }

    /// The entries of a table of these keys, or of all of the call; by key, each once.
    pub fn get(&self, table: usize, keys: Option<&[u32]>) -> Result<RecordBatch> {
        let table = self.tables.at(table)?;
        let state = self.entries.open()?;
        let every = 0..self.keys.len() as u32;
        let mut numbers: Vec<u32> = keys.map_or_else(|| every.collect(), <[u32]>::to_vec);
        numbers.sort_unstable();
        numbers.dedup();
        let (mut of, mut found) = (Vec::with_capacity(numbers.len()), Vec::with_capacity(numbers.len()));
        let mut name = Vec::new();
        for number in numbers {
            self.items(&state, table, self.key(number)?, &mut name, &mut found)?;
            of.resize(found.len(), number);
        }
        table.rows(of, &found)
    }

    /// Those of these entries of a mapping table that are there; by key and second key, each once.
    pub fn find(&self, table: usize, of: &RecordBatch) -> Result<RecordBatch> {
        let table = self.mapping(table, "looks for entries of")?;
        let (asked, state) = (table.read(of)?, self.entries.open()?);
        let (mut keys, mut found) = (Vec::new(), Vec::new());
        let (mut name, mut items) = (Vec::new(), Vec::new());
        for (number, rows) in by_key(&by_row(&asked)) {
            self.items(&state, table, self.key(number)?, &mut name, &mut items)?;
            let second: BTreeSet<&[u8]> = rows.iter().map(|(_, row)| asked.item(*row, 0).second).collect();
            found.extend(items.drain(..).filter(|item| second.contains(item.second)));
            keys.resize(found.len(), number);
        }
        table.rows(keys, &found)
    }

    /// Inserts or overwrites values; in a sequence table the whole lists of the keys.
    pub fn put(&mut self, table: usize, entries: &RecordBatch) -> Result<()> {
        match self.tables.at(table)?.spec().kind {
            TableKind::Value => self.overwrite(table, entries),
            TableKind::Sequence => self.write(table, entries, |_, put| put),
            TableKind::Mapping(_) => self.write(table, entries, merged),
        }
    }

    /// Adds values at the end of the lists of a sequence table.
    pub fn append(&mut self, table: usize, entries: &RecordBatch) -> Result<()> {
        if self.tables.at(table)?.spec().kind != TableKind::Sequence {
            return Err(self.refused(table, "appends to", "sequence"));
        }
        self.write(table, entries, |mut there, put| {
            there.extend(put);
            there
        })
    }

    /// Removes all entries of these keys.
    pub fn remove(&mut self, table: usize, keys: &[u32]) -> Result<()> {
        let tables = self.tables.clone();
        let name = &tables.at(table)?.spec().name;
        let mut changes = List::default();
        for number in keys {
            let key = self.key(*number)?;
            changes.push(key.hash, |to| entry::of_table(name, &key.bytes, to), |_| gone())?;
        }
        self.change(&changes)
    }

    /// Removes these entries of a mapping table.
    pub fn remove_found(&mut self, table: usize, of: &RecordBatch) -> Result<()> {
        self.mapping(table, "removes entries of")?;
        self.write(table, of, |mut there, gone| {
            there.retain(|item| gone.iter().all(|gone| gone.second != item.second));
            there
        })
    }

    /// Sets timers.
    pub fn set_timers(&mut self, clock: TimerClock, timers: &[Timer]) -> Result<()> {
        let (reached, name) = match clock {
            TimerClock::EventTime => (self.watermark, "the watermark"),
            TimerClock::ProcessingTime => (Some(self.now), "the time of the epoch"),
        };
        let reached = reached.ok_or_else(|| {
            Error::invalid(
                "it sets a timer of event time, and its input has no watermark: add watermark = { column = \"…\", delay = \"…\" } \
                 to the step, or to a source or step above it",
            )
        })?;
        if let Some((_, at)) = timers.iter().find(|(_, at)| *at <= reached) {
            return Err(Error::plugin(format!(
                "it sets a timer at {}, which {name}, {}, has reached",
                crate::Timestamp(*at),
                crate::Timestamp(reached)
            )));
        }
        self.change_timers(clock, timers, |times, at| {
            if let Err(place) = times.binary_search(&at) {
                times.insert(place, at);
            }
        })
    }

    /// Takes timers back.
    pub fn clear_timers(&mut self, clock: TimerClock, timers: &[Timer]) -> Result<()> {
        self.change_timers(clock, timers, |times, at| times.retain(|time| *time != at))
    }

    /// Takes all timers of these keys back.
    pub fn clear_all_timers(&mut self, clock: TimerClock, keys: &[u32]) -> Result<()> {
        let mut changes = List::default();
        for number in keys {
            let key = self.key(*number)?;
            changes.push(key.hash, |to| entry::of_timers(clock, &key.bytes, to), |_| gone())?;
        }
        self.change(&changes)
    }

    /// The columns of the entries of a table, and of what finds them.
    pub fn schemas(&self, table: usize) -> Result<[SchemaRef; 2]> {
        let table = self.tables.at(table)?;
        Ok([table.entries().clone(), table.of().clone()])
    }

    fn key(&self, number: u32) -> Result<&Key> {
        self.keys.get(number as usize).ok_or_else(|| {
            Error::plugin(format!("it names key {number}, and the call has {} keys", self.keys.len()))
        })
    }

    fn mapping(&self, table: usize, does: &str) -> Result<&Table> {
        match self.tables.at(table)? {
            of if matches!(of.spec().kind, TableKind::Mapping(_)) => Ok(of),
            _ => Err(self.refused(table, does, "mapping")),
        }
    }

    fn refused(&self, table: usize, does: &str, kind: &str) -> Error {
        let name = self.tables.at(table).map_or("", |table| &table.spec().name);
        Error::plugin(format!("it {does} its table `{name}`, which is no {kind} table"))
    }

    /// What an entry is now, as the call sees it.
    fn entry<'s>(
        &'s self,
        state: &'s ShardState<'_>,
        hash: u64,
        name: &[u8],
    ) -> Result<Option<(i64, &'s [u8])>> {
        if let Some(change) = self.changes.get(name) {
            return Ok(change.to);
        }
        let entry = state.entry(hash, name)?;
        Ok(entry.map(|(time, bytes)| (time.unwrap_or(NEVER), bytes)))
    }

    /// Appends what a table holds of a key. The entry's name is left in `name`, which spares the allocation.
    fn items<'s>(
        &'s self,
        state: &'s ShardState<'_>,
        table: &Table,
        key: &Key,
        name: &mut Vec<u8>,
        to: &mut Vec<Item<'s>>,
    ) -> Result<()> {
        name.clear();
        entry::of_table(&table.spec().name, &key.bytes, name);
        match self.entry(state, key.hash, name)? {
            Some((time, bytes)) => table.items(time, bytes, self.now, to),
            None => Ok(()),
        }
    }

    /// Puts values, whatever was there.
    fn overwrite(&mut self, table: usize, rows: &RecordBatch) -> Result<()> {
        let tables = self.tables.clone();
        let of = tables.at(table)?;
        let written = of.read(rows)?;
        let mut changes = List::default();
        for (number, rows) in by_key(&by_row(&written)) {
            let key = self.key(number)?;
            let last = rows.last().map(|(_, row)| written.item(*row, self.now));
            changes.push(
                key.hash,
                |to| entry::of_table(&of.spec().name, &key.bytes, to),
                |to| of.entry(last.as_slice(), to),
            )?;
        }
        self.change(&changes)
    }

    /// Brings what is there of each key together with what is written.
    fn write(
        &mut self,
        table: usize,
        rows: &RecordBatch,
        together: impl for<'i> Fn(Vec<Item<'i>>, Vec<Item<'i>>) -> Vec<Item<'i>>,
    ) -> Result<()> {
        let tables = self.tables.clone();
        let of = tables.at(table)?;
        let written = of.read(rows)?;
        let mut changes = List::default();
        {
            let (state, mut name) = (self.entries.open()?, Vec::new());
            for (number, rows) in by_key(&by_row(&written)) {
                let (key, mut there) = (self.key(number)?, Vec::new());
                self.items(&state, of, key, &mut name, &mut there)?;
                let put = rows.iter().map(|(_, row)| written.item(*row, self.now)).collect();
                let items = together(there, put);
                changes.push(key.hash, |to| to.extend_from_slice(&name), |to| of.entry(&items, to))?;
            }
        }
        self.change(&changes)
    }

    fn change_timers(
        &mut self,
        clock: TimerClock,
        timers: &[Timer],
        change: impl Fn(&mut Vec<i64>, i64),
    ) -> Result<()> {
        let mut by_key: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        timers.iter().for_each(|(key, at)| by_key.entry(*key).or_default().push(*at));
        let mut changes = List::default();
        {
            let (state, mut name) = (self.entries.open()?, Vec::new());
            for (number, all) in by_key {
                let key = self.key(number)?;
                name.clear();
                entry::of_timers(clock, &key.bytes, &mut name);
                let there = self.entry(&state, key.hash, &name)?;
                let mut times = there.map(|(_, bytes)| entry::times(bytes)).transpose()?.unwrap_or_default();
                all.into_iter().for_each(|at| change(&mut times, at));
                changes.push(
                    key.hash,
                    |to| to.extend_from_slice(&name),
                    |to| {
                        to.extend(entry::of_times(&times));
                        Ok::<_, Error>(times.first().copied())
                    },
                )?;
            }
        }
        self.change(&changes)
    }

    /// Takes note of changes, if there is room for them.
    fn change(&mut self, changes: &List) -> Result<()> {
        let added = self.added + changes.size();
        if added > self.entries.room() {
            return Err(Error::data(
                "there is no room for more state (`max-state`): let entries leave, or ask for more",
            ));
        }
        self.added = added;
        self.changes.extend(changes);
        Ok(())
    }
}

/// An entry goes.
fn gone() -> Result<Option<i64>> {
    Ok(None)
}

/// Each row with its key before it: by key, those of a key in their order.
fn by_row(written: &Written) -> Vec<(u32, usize)> {
    let mut rows: Vec<(u32, usize)> = written.keys.iter().copied().zip(0..).collect();
    if !rows.is_sorted() {
        rows.sort_unstable();
    }
    rows
}

/// The rows of each key.
fn by_key(rows: &[(u32, usize)]) -> impl Iterator<Item = (u32, &[(u32, usize)])> {
    let of_one = rows.chunk_by(|(a, _), (b, _)| a == b);
    of_one.filter_map(|rows| Some((rows.first()?.0, rows)))
}

/// By their second key, in its order, those that were put in the place of those that were there.
fn merged<'i>(there: Vec<Item<'i>>, put: Vec<Item<'i>>) -> Vec<Item<'i>> {
    let all = there.into_iter().chain(put).map(|item| (item.second, item));
    all.collect::<BTreeMap<_, _>>().into_values().collect()
}
