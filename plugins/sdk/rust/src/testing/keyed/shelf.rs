//! One table, of all keys.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;

use super::super::json;
use super::key::{Key, order};
use crate::keyed::{Table, TableKind};
use crate::{Error, Result};

/// The entries of a table.
#[derive(Clone)]
pub(super) struct Shelf {
    pub(super) table: Table,
    keys: BTreeMap<Key, Vec<Entry>>,
}

/// A row of an entry's columns, without its key.
#[derive(Clone)]
struct Entry {
    columns: RecordBatch,
    /// The second key as JSON; empty where there is none.
    second: String,
    put: i64,
}

impl Shelf {
    pub(super) fn new(table: Table) -> Self {
        Self { table, keys: BTreeMap::new() }
    }

    /// Removes what is too old.
    pub(super) fn expire(&mut self, now: i64) {
        let Some(ttl) = self.table.ttl else { return };
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).saturating_mul(1000);
        for entries in self.keys.values_mut() {
            entries.retain(|entry| now.saturating_sub(entry.put) < ttl);
        }
    }

    /// The entries of a key, in their order.
    pub(super) fn get(&self, key: Key) -> Result<Vec<RecordBatch>> {
        let entries = self.keys.get(&key).map(Vec::as_slice).unwrap_or_default();
        let entries: Vec<_> = entries.iter().map(|entry| entry.columns.clone()).collect();
        let count = self.table.second().len();
        if count == 0 || entries.is_empty() {
            return Ok(entries);
        }
        let all = concat_batches(&self.table.columns(), &entries)?;
        let order = order(&all.project(&(0..count).collect::<Vec<_>>())?)?;
        let mut rows: Vec<usize> = (0..entries.len()).collect();
        rows.sort_by(|a, b| order(*a, *b));
        Ok(rows.into_iter().map(|row| all.slice(row, 1)).collect())
    }

    /// The entry of a key with this second key, given as the first columns of a row.
    pub(super) fn find(&self, key: Key, place: &RecordBatch) -> Result<Option<RecordBatch>> {
        let second = self.second(place)?;
        let entries = self.keys.get(&key).map(Vec::as_slice).unwrap_or_default();
        Ok(entries.iter().find(|entry| entry.second == second).map(|entry| entry.columns.clone()))
    }

    /// Inserts or overwrites the entry of a value or a mapping.
    pub(super) fn put(&mut self, key: Key, columns: RecordBatch, now: i64) -> Result<()> {
        let second = self.second(&columns)?;
        let entries = self.keys.entry(key).or_default();
        entries.retain(|entry| entry.second != second);
        entries.push(Entry { columns, second, put: now });
        Ok(())
    }

    /// Adds to a sequence.
    pub(super) fn append(&mut self, key: Key, columns: RecordBatch, now: i64) -> Result<()> {
        if self.table.kind != TableKind::Sequence {
            return Err(Error::invalid("it is no sequence table, so nothing is appended to it"));
        }
        self.keys.entry(key).or_default().push(Entry { columns, second: String::new(), put: now });
        Ok(())
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.keys.remove(&key);
    }

    pub(super) fn remove_found(&mut self, key: Key, place: &RecordBatch) -> Result<()> {
        let second = self.second(place)?;
        self.keys.entry(key).or_default().retain(|entry| entry.second != second);
        Ok(())
    }

    /// Keys that have entries.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.keys.iter().filter(|(_, entries)| !entries.is_empty()).map(|(key, _)| *key)
    }

    fn second(&self, columns: &RecordBatch) -> Result<String> {
        match self.table.second().len() {
            0 => Ok(String::new()),
            count => {
                let second = columns.project(&(0..count).collect::<Vec<_>>())?;
                Ok(json::print(&json::write(&second)?))
            }
        }
    }
}
