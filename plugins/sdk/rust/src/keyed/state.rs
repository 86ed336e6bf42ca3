//! The state of the keys of one call, which the host holds.

use std::cell::RefCell;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{Schema, SchemaRef};

use crate::{Error, Result, ddl, ipc, schema};

use super::{Clock, Entries, Table, TableKind, Timer};

/// Tables and timers of the keys of one call. A key is named by its row in the call's keys.
pub struct State<'a> {
    tables: &'a [Table],
    store: &'a dyn Store,
    /// What is being encoded; kept, as every write needs such a place.
    buffer: RefCell<Vec<u8>>,
}

impl<'a> State<'a> {
    pub(crate) fn new(tables: &'a [Table], store: &'a dyn Store) -> Self {
        Self { tables, store, buffer: RefCell::default() }
    }

    /// A table that the plugin declared.
    ///
    /// # Errors
    /// If it did not.
    pub fn open(&self, name: &str) -> Result<OpenTable<'_>> {
        let table = self.tables.iter().find(|table| table.name == name);
        let table = table
            .ok_or_else(|| Error::permanent(format_args!("the plugin did not declare a table `{name}`")))?;
        Ok(OpenTable { table, state: self })
    }

    /// Sets timers. One that is set already stays one.
    ///
    /// # Errors
    /// If the clock has reached one of them already, or there is no such key, or, on the event-time clock, if the step's input has
    /// no watermark.
    pub fn set_timers(&self, clock: Clock, timers: &[Timer]) -> Result<()> {
        unless_empty(timers, |timers| self.store.set_timers(clock, timers))
    }

    /// Takes timers back. Those that are not set are passed over.
    ///
    /// # Errors
    /// If there is no such key.
    pub fn clear_timers(&self, clock: Clock, timers: &[Timer]) -> Result<()> {
        unless_empty(timers, |timers| self.store.clear_timers(clock, timers))
    }

    /// Takes all timers of these keys back.
    ///
    /// # Errors
    /// If there is no such key.
    pub fn clear_all_timers(&self, clock: Clock, keys: &[u32]) -> Result<()> {
        unless_empty(keys, |keys| self.store.clear_all_timers(clock, keys))
    }
}

/// What changes nothing crosses no boundary.
fn unless_empty<T>(list: &[T], call: impl FnOnce(&[T]) -> Result<()>) -> Result<()> {
    if list.is_empty() { Ok(()) } else { call(list) }
}

/// A table, for the keys of one call. Each method crosses to the host once, for however many entries, and not at all for none.
pub struct OpenTable<'a> {
    table: &'a Table,
    state: &'a State<'a>,
}

impl OpenTable<'_> {
    /// The entries of all keys.
    ///
    /// # Errors
    /// If the host cannot read them.
    pub fn get(&self) -> Result<Entries> {
        self.entries(self.told(self.state.store.get(&self.table.name, None))?)
    }

    /// The entries of these keys, ordered by key, in whichever order the keys are named.
    ///
    /// # Errors
    /// If there is no such key, or the host cannot read them.
    pub fn get_of(&self, keys: &[u32]) -> Result<Entries> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return self.entries(Vec::new());
        }
        self.entries(self.told(self.state.store.get(&self.table.name, Some(&keys)))?)
    }

    /// Of a mapping: those entries that are there of these, which are a key each and a row of the second key's columns.
    ///
    /// # Errors
    /// If the table is no mapping, there is no such key, or the columns are others.
    pub fn find(&self, keys: &[u32], second: &RecordBatch) -> Result<Entries> {
        let places = self.places()?;
        if keys.is_empty() {
            return self.entries(Vec::new());
        }
        let store = self.state.store;
        self.entries(self.encoded(keys, second, &places, |of| store.find(&self.table.name, of))?)
    }

    /// Inserts or overwrites: a key each, and a row of the second key's columns and the value's. What a sequence has of a key is all
    /// its rows from now on.
    ///
    /// # Errors
    /// If there is no such key, the columns are others, or the state would be larger than it may be.
    pub fn put(&self, keys: &[u32], columns: &RecordBatch) -> Result<()> {
        self.write(keys, columns, |entries| self.state.store.put(&self.table.name, entries))
    }

    /// Of a sequence: adds values at the end, a key each and a row of the value's columns.
    ///
    /// # Errors
    /// As for [`OpenTable::put`], or if the table is no sequence.
    pub fn append(&self, keys: &[u32], columns: &RecordBatch) -> Result<()> {
        if self.table.kind != TableKind::Sequence {
            return Err(self.wrong("is no sequence, so nothing is appended to it"));
        }
        self.write(keys, columns, |entries| self.state.store.append(&self.table.name, entries))
    }

    /// Removes all entries of these keys.
    ///
    /// # Errors
    /// If there is no such key.
    pub fn remove(&self, keys: &[u32]) -> Result<()> {
        self.told(unless_empty(keys, |keys| self.state.store.remove(&self.table.name, keys)))
    }

    /// Of a mapping: removes entries, named as for [`OpenTable::find`].
    ///
    /// # Errors
    /// As for [`OpenTable::find`].
    pub fn remove_found(&self, keys: &[u32], second: &RecordBatch) -> Result<()> {
        let places = self.places()?;
        if keys.is_empty() {
            return Ok(());
        }
        let store = self.state.store;
        self.encoded(keys, second, &places, |of| store.remove_found(&self.table.name, of))
    }

    fn write(
        &self,
        keys: &[u32],
        columns: &RecordBatch,
        write: impl FnOnce(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if keys.is_empty() && columns.num_rows() == 0 {
            return Ok(());
        }
        self.encoded(keys, columns, &self.table.entry(), write)
    }

    /// Hands on the entries of these keys, once their columns are those of the table.
    fn encoded<T>(
        &self,
        keys: &[u32],
        columns: &RecordBatch,
        schema: &SchemaRef,
        hand_on: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        let wanted = schema.fields().iter().skip(1);
        let alike = wanted.len() == columns.num_columns()
            && wanted.zip(columns.columns()).all(|(field, column)| field.data_type() == column.data_type());
        if !alike {
            let takes = Schema::new(schema.fields().get(1..).unwrap_or_default().to_vec());
            let (takes, given) = (ddl::print(&takes), ddl::print(columns.schema_ref()));
            return Err(self.wrong(&format!("takes {takes}, and is given {given}")));
        }
        if keys.len() != columns.num_rows() {
            let (keys, rows) = (keys.len(), columns.num_rows());
            return Err(self.wrong(&format!("is given {keys} keys for {rows} rows")));
        }
        let keys: ArrayRef = Arc::new(UInt32Array::from(keys.to_vec()));
        let columns = [keys].into_iter().chain(columns.columns().iter().cloned());
        let entries = RecordBatch::try_new(schema::nullable(schema), columns.collect())?;
        let mut buffer = self.state.buffer.borrow_mut();
        buffer.clear();
        self.told(ipc::encode(&entries, &mut buffer).and_then(|()| hand_on(&buffer)))
    }

    fn places(&self) -> Result<SchemaRef> {
        match self.table.kind {
            TableKind::Mapping(_) => Ok(self.table.place()),
            _ => Err(self.wrong("is no mapping, so nothing is found in it by a second key")),
        }
    }

    fn entries(&self, messages: Vec<u8>) -> Result<Entries> {
        let read = ipc::decode_one(messages, &self.table.entry());
        self.told(read.and_then(|entries| Entries::new(self.table, &entries)))
    }

    fn told<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.context(format_args!("table `{}`", self.table.name)))
    }

    fn wrong(&self, why: &str) -> Error {
        Error::permanent(format_args!("table `{}` {why}", self.table.name))
    }
}

/// Where state is: with the host, or in a test.
pub(crate) trait Store {
    fn get(&self, table: &str, keys: Option<&[u32]>) -> Result<Vec<u8>>;
    fn find(&self, table: &str, of: &[u8]) -> Result<Vec<u8>>;
    fn put(&self, table: &str, entries: &[u8]) -> Result<()>;
    fn append(&self, table: &str, entries: &[u8]) -> Result<()>;
    fn remove(&self, table: &str, keys: &[u32]) -> Result<()>;
    fn remove_found(&self, table: &str, of: &[u8]) -> Result<()>;
    fn set_timers(&self, clock: Clock, timers: &[Timer]) -> Result<()>;
    fn clear_timers(&self, clock: Clock, timers: &[Timer]) -> Result<()>;
    fn clear_all_timers(&self, clock: Clock, keys: &[u32]) -> Result<()>;
}
