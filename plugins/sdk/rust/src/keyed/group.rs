//! The rows of one key, as structs.

use std::ops::Range;

use arrow_array::RecordBatch;
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
    /// Opens the columns of `rows`, which are those of the groups.
    ///
    /// # Errors
    /// If they are not those of the struct.
    pub fn open(groups: &'a Groups, rows: &'a RecordBatch) -> Result<Self> {
        Ok(Self { groups, columns: In::columns(rows)? })
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

/// The columns under the names of the struct's fields, if the plugin reads columns that its configuration names: the first is the
/// first field, and so on.
#[doc(hidden)]
pub fn renamed<R: Row>(rows: &RecordBatch, reads: Option<Vec<String>>) -> Result<RecordBatch> {
    let Some(reads) = reads else { return Ok(rows.clone()) };
    let fields = row::names::<R>();
    if fields.len() != reads.len() {
        let (read, wanted) = (reads.join(", "), fields.join(", "));
        return Err(Error::invalid(format_args!("the columns {read} are read as {wanted}: not one for each")));
    }
    let of = reads.iter().map(|name| rows.schema_ref().index_of(name));
    let picked = rows.project(&of.collect::<std::result::Result<Vec<_>, _>>().map_err(Error::invalid)?)?;
    let named = picked.schema_ref().fields().iter().zip(fields);
    let named = named.map(|(field, name)| field.as_ref().clone().with_name(name)).collect::<Vec<_>>();
    Ok(picked.with_schema(Schema::new(named).into())?)
}
