//! A table, key after key.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::Result;

use super::{Content, Entries, OpenTable};

/// What a table has of the keys of a call: read in one crossing, and written in one, of which only what was changed is.
#[doc(hidden)]
pub struct Held<'a, C: Content> {
    columns: C::Columns<'a>,
    ends: Vec<u32>,
    key: usize,
    /// Of the key that is being worked on.
    value: C,
    /// Keys that may come again in this call, as they are now; none if no key does.
    later: Option<BTreeMap<usize, C>>,
    changes: C::Changes,
}

impl<'a, C: Content> Held<'a, C> {
    /// Opens the entries of so many keys, each of which comes once.
    ///
    /// # Errors
    /// If their columns are others.
    pub fn open(entries: &'a Entries, keys: usize) -> Result<Self> {
        Ok(Self {
            columns: C::open(entries)?,
            ends: entries.ends(keys),
            key: 0,
            value: C::default(),
            later: None,
            changes: C::Changes::default(),
        })
    }

    /// Keys come any number of times.
    #[must_use]
    pub fn again(self) -> Self {
        Self { later: Some(BTreeMap::new()), ..self }
    }

    /// Begins with a key. What was not kept of the one before is as it was.
    ///
    /// # Errors
    /// If what is stored cannot be read.
    #[inline]
    pub fn begin(&mut self, key: usize) -> Result<()> {
        self.key = key;
        self.value = match self.later.as_ref().and_then(|later| later.get(&key)) {
            Some(value) => value.clone(),
            None => C::read(&self.columns, self.stored(key))?,
        };
        Ok(())
    }

    /// What the key has.
    #[inline]
    pub fn value(&mut self) -> &mut C {
        &mut self.value
    }

    /// Keeps what the key has now.
    ///
    /// # Errors
    /// If what is stored cannot be read.
    #[inline]
    pub fn keep(&mut self) -> Result<()> {
        let value = std::mem::take(&mut self.value);
        if let Some(later) = &mut self.later {
            later.insert(self.key, value);
            return Ok(());
        }
        value.note(self.key as u32, &self.columns, self.stored(self.key), &mut self.changes)
    }

    /// Writes what was changed.
    ///
    /// # Errors
    /// If the host cannot take it.
    pub fn write(mut self, table: &OpenTable<'_>) -> Result<()> {
        for (key, value) in self.later.take().unwrap_or_default() {
            value.note(key as u32, &self.columns, self.stored(key), &mut self.changes)?;
        }
        C::write(self.changes, table)
    }

    #[inline]
    fn stored(&self, key: usize) -> Range<usize> {
        match self.ends.get(key..) {
            Some([start, end, ..]) => *start as usize..*end as usize,
            _ => 0..0,
        }
    }
}
