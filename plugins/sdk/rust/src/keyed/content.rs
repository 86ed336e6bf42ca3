//! What a function has of a table for one key, as Rust's own types.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use crate::row::{ReadRow, Row, WriteRow};
use crate::{Result, row};

use super::{Entries, OpenTable, Table};

/// `Option<S>` is a value, `Vec<S>` a sequence, `BTreeMap<K, S>` a mapping.
pub trait Content: Clone + Default {
    /// Columns of stored entries, opened.
    type Columns<'a>;
    /// What is to be written.
    type Changes: Default;

    /// The table that this is a key's part of.
    fn declare(name: &str) -> Table;

    /// Opens the columns.
    ///
    /// # Errors
    /// If they are others.
    fn open(entries: &Entries) -> Result<Self::Columns<'_>>;

    /// Reads the entries of one key.
    ///
    /// # Errors
    /// If they have a null where the struct has none.
    fn read(columns: &Self::Columns<'_>, entries: Range<usize>) -> Result<Self>;

    /// Notes what is to be written so that the key's entries are these, in the place of the stored ones.
    ///
    /// # Errors
    /// As for [`Content::read`].
    fn note(
        self,
        key: u32,
        columns: &Self::Columns<'_>,
        stored: Range<usize>,
        changes: &mut Self::Changes,
    ) -> Result<()>;

    /// Writes what was noted of all keys.
    ///
    /// # Errors
    /// If the host cannot take it.
    fn write(changes: Self::Changes, table: &OpenTable<'_>) -> Result<()>;
}

/// A struct that is kept: it owns what it has, and is read from any batch.
pub trait Kept: for<'a> ReadRow<'a> + WriteRow + Clone {}

impl<S: for<'a> ReadRow<'a> + WriteRow + Clone> Kept for S {}

/// Rows that are being written, and the key of each.
pub struct Rows<S: WriteRow> {
    keys: Vec<u32>,
    builders: S::Builders,
}

impl<S: WriteRow> Default for Rows<S> {
    fn default() -> Self {
        Self { keys: Vec::new(), builders: S::Builders::default() }
    }
}

impl<S: WriteRow> Rows<S> {
    fn add(&mut self, key: u32, row: S) {
        self.keys.push(key);
        row.write(&mut self.builders);
    }

    /// Hands them on, if there are any.
    fn hand(self, to: impl FnOnce(&[u32], &RecordBatch) -> Result<()>) -> Result<()> {
        if self.keys.is_empty() { Ok(()) } else { to(&self.keys, &S::finish(self.builders)?) }
    }
}

fn schema<R: Row>() -> Schema {
    Schema::new(R::fields())
}

impl<S: Kept> Content for Option<S> {
    type Columns<'a> = <S as ReadRow<'a>>::Columns;
    type Changes = (Rows<S>, Vec<u32>);

    fn declare(name: &str) -> Table {
        Table::value(name, schema::<S>())
    }

    fn open(entries: &Entries) -> Result<Self::Columns<'_>> {
        S::columns(entries.values())
    }

    #[inline]
    fn read(columns: &Self::Columns<'_>, mut entries: Range<usize>) -> Result<Self> {
        entries.next().map(|entry| S::read(columns, entry)).transpose()
    }

    #[inline]
    fn note(
        self,
        key: u32,
        columns: &Self::Columns<'_>,
        mut stored: Range<usize>,
        (put, removed): &mut Self::Changes,
    ) -> Result<()> {
        match (self, stored.next()) {
            (Some(value), Some(entry)) if value.stands(columns, entry) => {}
            (Some(value), _) => put.add(key, value),
            (None, Some(_)) => removed.push(key),
            (None, None) => {}
        }
        Ok(())
    }

    fn write((put, removed): Self::Changes, table: &OpenTable<'_>) -> Result<()> {
        put.hand(|keys, values| table.put(keys, values))?;
        table.remove(&removed)
    }
}

/// What a list becomes: other items, more items, or none.
pub struct ListChanges<S: WriteRow> {
    put: Rows<S>,
    appended: Rows<S>,
    removed: Vec<u32>,
}

impl<S: WriteRow> Default for ListChanges<S> {
    fn default() -> Self {
        Self { put: Rows::default(), appended: Rows::default(), removed: Vec::new() }
    }
}

impl<S: Kept> Content for Vec<S> {
    type Columns<'a> = <S as ReadRow<'a>>::Columns;
    type Changes = ListChanges<S>;

    fn declare(name: &str) -> Table {
        Table::sequence(name, schema::<S>())
    }

    fn open(entries: &Entries) -> Result<Self::Columns<'_>> {
        S::columns(entries.values())
    }

    fn read(columns: &Self::Columns<'_>, entries: Range<usize>) -> Result<Self> {
        entries.map(|entry| S::read(columns, entry)).collect()
    }

    fn note(
        self,
        key: u32,
        columns: &Self::Columns<'_>,
        stored: Range<usize>,
        changes: &mut Self::Changes,
    ) -> Result<()> {
        let count = stored.len();
        let grown =
            self.len() >= count && self.iter().zip(stored).all(|(item, entry)| item.stands(columns, entry));
        if grown {
            self.into_iter().skip(count).for_each(|item| changes.appended.add(key, item));
        } else if self.is_empty() {
            changes.removed.push(key);
        } else {
            self.into_iter().for_each(|item| changes.put.add(key, item));
        }
        Ok(())
    }

    fn write(changes: Self::Changes, table: &OpenTable<'_>) -> Result<()> {
        changes.put.hand(|keys, values| table.put(keys, values))?;
        changes.appended.hand(|keys, values| table.append(keys, values))?;
        table.remove(&changes.removed)
    }
}

/// Entries that are put, entries that are gone, and keys that have none left.
pub struct MapChanges<K: WriteRow, S: WriteRow> {
    put: (Rows<K>, Rows<S>),
    gone: Rows<K>,
    removed: Vec<u32>,
}

impl<K: WriteRow, S: WriteRow> Default for MapChanges<K, S> {
    fn default() -> Self {
        Self { put: Default::default(), gone: Rows::default(), removed: Vec::new() }
    }
}

impl<K: Kept + Ord, S: Kept> Content for BTreeMap<K, S> {
    type Columns<'a> = (<K as ReadRow<'a>>::Columns, <S as ReadRow<'a>>::Columns);
    type Changes = MapChanges<K, S>;

    fn declare(name: &str) -> Table {
        Table::mapping(name, schema::<K>(), schema::<S>())
    }

    fn open(entries: &Entries) -> Result<Self::Columns<'_>> {
        Ok((K::columns(entries.second())?, S::columns(entries.values())?))
    }

    fn read((second, values): &Self::Columns<'_>, entries: Range<usize>) -> Result<Self> {
        entries.map(|entry| Ok((K::read(second, entry)?, S::read(values, entry)?))).collect()
    }

    fn note(
        self,
        key: u32,
        (second, values): &Self::Columns<'_>,
        stored: Range<usize>,
        changes: &mut Self::Changes,
    ) -> Result<()> {
        if self.is_empty() {
            changes.removed.extend((!stored.is_empty()).then_some(key));
            return Ok(());
        }
        let stored = stored.map(|entry| Ok((K::read(second, entry)?, entry)));
        let mut stored = stored.collect::<Result<BTreeMap<K, usize>>>()?;
        for (of, value) in self {
            if stored.remove(&of).is_none_or(|entry| !value.stands(values, entry)) {
                changes.put.0.add(key, of);
                changes.put.1.add(key, value);
            }
        }
        stored.into_keys().for_each(|of| changes.gone.add(key, of));
        Ok(())
    }

    fn write(changes: Self::Changes, table: &OpenTable<'_>) -> Result<()> {
        let (second, values) = changes.put;
        values.hand(|keys, values| {
            let columns = row::beside(&K::finish(second.builders)?, values)?;
            table.put(keys, &columns)
        })?;
        changes.gone.hand(|keys, second| table.remove_found(keys, second))?;
        table.remove(&changes.removed)
    }
}
