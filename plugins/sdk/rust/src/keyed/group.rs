//! The rows of one key, as structs.

use std::ops::Range;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;

use crate::row::{ReadRow, Row, Timestamp};
use crate::{Error, Result, RowErrors, row};

use super::{Clock, Groups};

/// The rows of one key, in the order in which they came. A row that cannot be read is a row error, and is left out.
pub struct Group<'r, In> {
    rows: &'r mut dyn Source<In>,
}

impl<'r, In> Group<'r, In> {
    #[doc(hidden)]
    pub fn new(rows: &'r mut dyn Source<In>) -> Self {
        Self { rows }
    }

    /// How many rows have not been read yet.
    pub fn len(&self) -> usize {
        self.rows.left()
    }

    /// Whether all have been read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the function is called once more in this epoch, for more rows of this key: where there are more than a batch has. It
    /// finds there what it leaves in its state now.
    pub fn more(&self) -> bool {
        self.rows.more()
    }

    /// Calls a function for each row. Where it fails, that row is in error, and the others go on.
    pub fn each(self, mut of: impl FnMut(In) -> Result<()>) {
        while let Some(row) = self.rows.next() {
            if let Err(error) = of(row) {
                self.rows.reject(error);
            }
        }
    }
}

impl<In> Iterator for Group<'_, In> {
    type Item = In;

    fn next(&mut self) -> Option<In> {
        self.rows.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.len()))
    }
}

/// Where the rows of a key come from.
#[doc(hidden)]
pub trait Source<In> {
    /// The next row that can be read.
    fn next(&mut self) -> Option<In>;
    /// How many are left.
    fn left(&self) -> usize;
    /// Whether more follow in another call.
    fn more(&self) -> bool;
    /// The row that was given last is in error.
    fn reject(&mut self, error: Error);
}

/// A timer that fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fired {
    /// The clock that it was set on.
    pub clock: Clock,
    /// What it was set to; the clock may be past it.
    pub at: Timestamp,
}

/// The rows of all keys of a call.
#[doc(hidden)]
pub struct Grouped<'a, In: ReadRow<'a>> {
    groups: &'a Groups,
    columns: In::Columns,
}

impl<'a, In: ReadRow<'a>> Grouped<'a, In> {
    /// Opens the columns of `named`, which are those of the groups.
    ///
    /// # Errors
    /// If they are not those of the struct.
    pub fn open(groups: &'a Groups, named: &'a Named) -> Result<Self> {
        let columns = In::columns(&named.rows).map_err(|error| match &named.told {
            Some(told) => error.context(told),
            None => error,
        })?;
        Ok(Self { groups, columns })
    }

    /// The rows of the key at `key`.
    pub fn begin<'r>(&'r self, key: usize, errors: &'r mut RowErrors) -> Reading<'r, 'a, In> {
        let (rows, more) = (self.groups.range(key), self.groups.more(key));
        Reading { columns: &self.columns, last: rows.start, rows, more, errors }
    }

    /// All rows of a key are in error.
    pub fn reject(&self, key: usize, error: &Error, errors: &mut RowErrors) {
        self.groups.range(key).for_each(|row| errors.add(row, error.clone()));
    }
}

/// The rows of one key.
#[doc(hidden)]
pub struct Reading<'r, 'a, In: ReadRow<'a>> {
    columns: &'r In::Columns,
    rows: Range<usize>,
    last: usize,
    more: bool,
    errors: &'r mut RowErrors,
}

impl<'a, In: ReadRow<'a>> Source<In> for Reading<'_, 'a, In> {
    fn next(&mut self) -> Option<In> {
        loop {
            self.last = self.rows.next()?;
            match In::read(self.columns, self.last) {
                Ok(row) => return Some(row),
                Err(error) => self.errors.add(self.last, error),
            }
        }
    }

    fn left(&self) -> usize {
        self.rows.len()
    }

    fn more(&self) -> bool {
        self.more
    }

    fn reject(&mut self, error: Error) {
        self.errors.add(self.last, error);
    }
}

/// The columns of the rows, under the names of the struct's fields.
#[doc(hidden)]
pub struct Named {
    rows: RecordBatch,
    /// Which column is which field, if the configuration says so.
    told: Option<String>,
}

/// Gives columns the names of the fields, if the configuration names them: the first is the first field, and so on.
#[doc(hidden)]
pub fn named<R: Row>(rows: &RecordBatch, reads: Option<Vec<String>>) -> Result<Named> {
    let Some(reads) = reads else { return Ok(Named { rows: rows.clone(), told: None }) };
    let names = row::names::<R>();
    let told = format!("config: {} are read as {}", quoted(&reads), quoted(&names));
    if names.len() != reads.len() {
        return Err(Error::invalid(format_args!("{told}: there has to be one for each")));
    }
    let mut fields = Vec::with_capacity(names.len());
    let mut columns = Vec::with_capacity(names.len());
    for (column, name) in reads.iter().zip(names) {
        let place = rows.schema_ref().index_of(column).map_err(Error::invalid)?;
        fields.push(rows.schema_ref().field(place).clone().with_name(name));
        columns.push(rows.column(place).clone());
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let rows = RecordBatch::try_new_with_options(Schema::new(fields).into(), columns, &options)?;
    Ok(Named { rows, told: Some(told) })
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
