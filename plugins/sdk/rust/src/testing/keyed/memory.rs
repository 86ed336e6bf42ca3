//! The host's state, in memory: for the keys of one call at a time.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use serde_json::Value;

use super::super::json;
use super::key::{Key, Keys};
use super::shelf::Shelf;
use super::timer;
use crate::keyed::{Clock, Store, Table, TableKind, Timer};
use crate::{Context, Error, Result, Timestamp, ipc};

/// Tables and timers of all keys.
#[derive(Clone)]
pub(super) struct Memory {
    within: RefCell<Within>,
}

#[derive(Clone)]
struct Within {
    keys: Keys,
    shelves: Vec<Shelf>,
    event_time: OfClock,
    processing_time: OfClock,
    now: i64,
    /// The keys of the call.
    call: Vec<Key>,
}

#[derive(Clone, Default)]
struct OfClock {
    reached: Option<i64>,
    timers: BTreeSet<(i64, Key)>,
}

impl Memory {
    /// Refuses tables as the host does.
    pub(super) fn new(tables: &[Table], keys: &SchemaRef) -> Result<Self> {
        for (i, table) in tables.iter().enumerate() {
            refuse(table)?;
            if tables.iter().take(i).any(|before| before.name == table.name) {
                return Err(Error::invalid(format_args!("it has two tables `{}`", table.name)));
            }
        }
        let shelves = tables.iter().cloned().map(Shelf::new).collect();
        let (event_time, processing_time) = (OfClock::default(), OfClock::default());
        let (keys, call) = (Keys::new(keys), Vec::new());
        Ok(Self { within: Within { keys, shelves, event_time, processing_time, now: 0, call }.into() })
    }

    /// Begins with an epoch.
    pub(super) fn begin(&self, cx: &Context) {
        let mut within = self.within.borrow_mut();
        within.now = cx.now;
        within.event_time.reached = cx.watermark;
        within.processing_time.reached = Some(cx.now);
        within.shelves.iter_mut().for_each(|shelf| shelf.expire(cx.now));
    }

    /// Begins with a call of these keys.
    pub(super) fn enter(&self, keys: &RecordBatch) -> Result<()> {
        let mut within = self.within.borrow_mut();
        within.call = within.keys.of(keys)?;
        Ok(())
    }

    /// Takes the timers that a clock has reached, by their time, then by their key.
    pub(super) fn due(&self, clock: Clock) -> Result<Vec<(i64, Key)>> {
        let mut within = self.within.borrow_mut();
        let order = within.keys.order()?;
        let of = within.of(clock);
        let Some(reached) = of.reached else { return Ok(Vec::new()) };
        let later = of.timers.split_off(&(reached.saturating_add(1), 0));
        let mut due: Vec<_> = std::mem::replace(&mut of.timers, later).into_iter().collect();
        due.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| order(a.1, b.1)));
        Ok(due)
    }

    /// Begins with a call for timers; answers its keys, and its timers.
    pub(super) fn enter_due(&self, due: &[(i64, Key)]) -> Result<(RecordBatch, Vec<Timer>)> {
        let mut within = self.within.borrow_mut();
        let order = within.keys.order()?;
        let mut keys: Vec<Key> = due.iter().map(|(_, key)| *key).collect();
        keys.sort_by(|a, b| order(*a, *b));
        keys.dedup();
        let place = |key: Key| keys.iter().position(|of| *of == key).unwrap_or_default();
        let timers = due.iter().map(|(at, key)| timer(place(*key), *at)).collect();
        let rows = within.keys.rows(&keys)?;
        within.call = keys;
        Ok((rows, timers))
    }

    /// What a table has, as JSON.
    pub(super) fn entries(&self, table: &str) -> Result<Vec<Value>> {
        let within = self.within.borrow();
        let shelf =
            within.shelves.iter().find(|shelf| shelf.table.name == table).ok_or_else(|| none(table))?;
        let order = within.keys.order()?;
        let mut keys: Vec<Key> = shelf.keys().collect();
        keys.sort_by(|a, b| order(*a, *b));
        let mut rows = Vec::new();
        for key in keys {
            for entry in shelf.get(key)? {
                let entry = json::write(&entry)?.pop().unwrap_or_default();
                rows.push(joined(within.keys.json(key)?, entry));
            }
        }
        Ok(rows)
    }

    /// The timers of a clock, as JSON.
    pub(super) fn timers(&self, clock: Clock) -> Result<Vec<Value>> {
        let mut within = self.within.borrow_mut();
        let timers: Vec<_> = within.of(clock).timers.iter().copied().collect();
        let timer = |(at, key)| Ok(joined(within.keys.json(key)?, serde_json::json!({ "at": at })));
        timers.into_iter().map(timer).collect()
    }

    fn change(
        &self,
        table: &str,
        messages: &[u8],
        columns: impl Fn(&Table) -> SchemaRef,
        change: impl Fn(&mut Shelf, Key, RecordBatch, i64) -> Result<()>,
    ) -> Result<()> {
        let mut within = self.within.borrow_mut();
        let (entries, now) = (within.read(table, messages, columns)?, within.now);
        let shelf = within.shelf(table)?;
        entries.into_iter().try_for_each(|(key, columns)| change(shelf, key, columns, now))
    }
}

impl Within {
    fn of(&mut self, clock: Clock) -> &mut OfClock {
        match clock {
            Clock::EventTime => &mut self.event_time,
            Clock::ProcessingTime => &mut self.processing_time,
        }
    }

    fn shelf(&mut self, table: &str) -> Result<&mut Shelf> {
        self.shelves.iter_mut().find(|shelf| shelf.table.name == table).ok_or_else(|| none(table))
    }

    /// The key of this row of the call's keys.
    fn key(&self, row: u32) -> Result<Key> {
        self.call.get(row as usize).copied().ok_or_else(|| {
            Error::invalid(format_args!("it names key {row}, and the call has {} keys", self.call.len()))
        })
    }

    /// Entries, or their places, each with its key. All are looked at before any is used.
    fn read(
        &mut self,
        table: &str,
        messages: &[u8],
        columns: impl Fn(&Table) -> SchemaRef,
    ) -> Result<Vec<(Key, RecordBatch)>> {
        let schema = columns(&self.shelf(table)?.table);
        let entries = ipc::decode_one(messages.to_vec(), &schema)?;
        let keys = entries.column(0).as_primitive::<UInt32Type>().clone();
        let columns = entries.project(&(1..entries.num_columns()).collect::<Vec<_>>())?;
        let each = keys.values().iter().enumerate();
        each.map(|(row, key)| Ok((self.key(*key)?, columns.slice(row, 1)))).collect()
    }

    /// Entries as the host sends them.
    fn send(&mut self, table: &str, entries: Vec<(u32, RecordBatch)>) -> Result<Vec<u8>> {
        let table = &self.shelf(table)?.table;
        let (keys, rows): (Vec<u32>, Vec<RecordBatch>) = entries.into_iter().unzip();
        let rows = concat_batches(&table.columns(), &rows)?;
        let keys: ArrayRef = Arc::new(UInt32Array::from(keys));
        let columns = [keys].into_iter().chain(rows.columns().iter().cloned()).collect();
        let mut messages = Vec::new();
        ipc::encode(&RecordBatch::try_new(table.entry(), columns)?, &mut messages)?;
        Ok(messages)
    }
}

impl Store for Memory {
    fn get(&self, table: &str, keys: Option<&[u32]>) -> Result<Vec<u8>> {
        let mut within = self.within.borrow_mut();
        let mut keys = keys.map_or_else(|| (0..within.call.len() as u32).collect(), <[u32]>::to_vec);
        keys.sort_unstable();
        keys.dedup();
        let mut entries = Vec::new();
        for row in keys {
            let key = within.key(row)?;
            entries.extend(within.shelf(table)?.get(key)?.into_iter().map(|entry| (row, entry)));
        }
        within.send(table, entries)
    }

    fn find(&self, table: &str, of: &[u8]) -> Result<Vec<u8>> {
        let mut within = self.within.borrow_mut();
        let mut entries = Vec::new();
        for (key, place) in within.read(table, of, Table::place)? {
            let row = within.call.iter().position(|of| *of == key).unwrap_or_default() as u32;
            entries.extend(within.shelf(table)?.find(key, &place)?.map(|entry| (row, entry)));
        }
        entries.sort_by_key(|(row, _)| *row);
        within.send(table, entries)
    }

    fn put(&self, table: &str, entries: &[u8]) -> Result<()> {
        let sequence = self.within.borrow_mut().shelf(table)?.table.kind == TableKind::Sequence;
        if !sequence {
            return self.change(table, entries, Table::entry, Shelf::put);
        }
        // The rows of a key are its whole list from now on.
        self.change(table, entries, Table::entry, |shelf, key, _, _| {
            shelf.remove(key);
            Ok(())
        })?;
        self.append(table, entries)
    }

    fn append(&self, table: &str, entries: &[u8]) -> Result<()> {
        self.change(table, entries, Table::entry, Shelf::append)
    }

    fn remove(&self, table: &str, keys: &[u32]) -> Result<()> {
        let mut within = self.within.borrow_mut();
        let keys = keys.iter().map(|key| within.key(*key)).collect::<Result<Vec<_>>>()?;
        let shelf = within.shelf(table)?;
        keys.into_iter().for_each(|key| shelf.remove(key));
        Ok(())
    }

    fn remove_found(&self, table: &str, of: &[u8]) -> Result<()> {
        self.change(table, of, Table::place, |shelf, key, place, _| shelf.remove_found(key, &place))
    }

    fn set_timers(&self, clock: Clock, timers: &[Timer]) -> Result<()> {
        let mut within = self.within.borrow_mut();
        let keys = timers.iter().map(|timer| within.key(timer.key)).collect::<Result<Vec<_>>>()?;
        let of = within.of(clock);
        if let Some(early) = timers.iter().find(|timer| of.reached.is_some_and(|reached| timer.at <= reached))
        {
            let (at, reached) = (Timestamp(early.at), Timestamp(of.reached.unwrap_or_default()));
            let name = match clock {
                Clock::EventTime => "the watermark",
                Clock::ProcessingTime => "the time of the epoch",
            };
            return Err(Error::invalid(format_args!(
                "it sets a timer at {at}, which {name}, {reached}, has reached"
            )));
        }
        of.timers.extend(timers.iter().map(|timer| timer.at).zip(keys));
        Ok(())
    }

    fn clear_timers(&self, clock: Clock, timers: &[Timer]) -> Result<()> {
        let mut within = self.within.borrow_mut();
        let keys = timers.iter().map(|timer| within.key(timer.key)).collect::<Result<Vec<_>>>()?;
        let of = within.of(clock);
        for (timer, key) in timers.iter().zip(keys) {
            of.timers.remove(&(timer.at, key));
        }
        Ok(())
    }

    fn clear_all_timers(&self, clock: Clock, keys: &[u32]) -> Result<()> {
        let mut within = self.within.borrow_mut();
        let keys = keys.iter().map(|key| within.key(*key)).collect::<Result<BTreeSet<_>>>()?;
        within.of(clock).timers.retain(|(_, key)| !keys.contains(key));
        Ok(())
    }
}

/// Tables that cannot be.
fn refuse(table: &Table) -> Result<()> {
    let Table { name, kind, value, ttl, .. } = table;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(Error::invalid(format_args!(
            "table `{name}`: a name has 1 to 64 letters, digits, `-` and `_`"
        )));
    }
    let wrong = |why: &str| Err(Error::invalid(format_args!("its table `{name}` {why}")));
    match kind {
        _ if value.fields().is_empty() => wrong("has values of no columns"),
        TableKind::Mapping(second) if second.fields().is_empty() => wrong("has a second key of no columns"),
        _ if ttl.is_some_and(|ttl| ttl.as_millis() == 0) => wrong("lets values go after no time"),
        _ => Ok(()),
    }
}

fn none(table: &str) -> Error {
    Error::invalid(format_args!("it opens a table `{table}`, which it did not declare"))
}

fn joined(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut members), Value::Object(more)) => {
            members.extend(more);
            Value::Object(members)
        }
        (one, _) => one,
    }
}
