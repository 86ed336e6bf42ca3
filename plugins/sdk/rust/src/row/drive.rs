//! Runs a function over the rows of a batch. A row that cannot be read, or for which the function fails, becomes a row error.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_buffer::BooleanBuffer;

use super::{ReadRow, WriteRow};
use crate::{Output, Result, RowErrors};

/// The rows of a batch, one after the other; an error for each that cannot be read.
///
/// # Errors
/// If the batch lacks a column of the row.
pub fn read<'a, R: ReadRow<'a>>(batch: &'a RecordBatch) -> Result<impl Iterator<Item = Result<R>>> {
    let columns = R::columns(batch)?;
    Ok((0..batch.num_rows()).map(move |row| R::read(&columns, row)))
}

/// Keeps the rows for which the function says so.
///
/// # Errors
/// If the batch lacks a column of the row.
pub fn filter<'a, R: ReadRow<'a>>(
    batch: &'a RecordBatch,
    errors: &mut RowErrors,
    mut keep: impl FnMut(R) -> Result<bool>,
) -> Result<Output> {
    let columns = R::columns(batch)?;
    let kept = BooleanBuffer::collect_bool(batch.num_rows(), |row| {
        errors.value(row, R::read(&columns, row).and_then(&mut keep)).unwrap_or(false)
    });
    Ok(Output::Keep(BooleanArray::new(kept, None)))
}

/// Adds columns to every row.
///
/// # Errors
/// If the batch lacks a column of the row.
pub fn map<'a, R: ReadRow<'a>, W: WriteRow>(
    batch: &'a RecordBatch,
    errors: &mut RowErrors,
    mut add: impl FnMut(R) -> Result<W>,
) -> Result<Output> {
    let columns = R::columns(batch)?;
    let mut builders = W::Builders::default();
    for row in 0..batch.num_rows() {
        // The host drops a row in error and what stands beside it: any row keeps the columns in step.
        match errors.value(row, R::read(&columns, row).and_then(&mut add)) {
            Some(added) => added.write(&mut builders),
            None => W::write_null(&mut builders),
        }
    }
    Ok(Output::Extend(W::finish(builders)?))
}

/// Adds columns to the rows for which the function gives them, and drops the others.
///
/// # Errors
/// If the batch lacks a column of the row.
pub fn filter_map<'a, R: ReadRow<'a>, W: WriteRow>(
    batch: &'a RecordBatch,
    errors: &mut RowErrors,
    mut add: impl FnMut(R) -> Result<Option<W>>,
) -> Result<Output> {
    let columns = R::columns(batch)?;
    let mut builders = W::Builders::default();
    let kept = BooleanBuffer::collect_bool(batch.num_rows(), |row| {
        let added = errors.value(row, R::read(&columns, row).and_then(&mut add)).flatten();
        added.map(|added| added.write(&mut builders)).is_some()
    });
    Ok(Output::KeepExtend(BooleanArray::new(kept, None), W::finish(builders)?))
}

/// Replaces every row by any number of rows.
///
/// # Errors
/// If the batch lacks a column of the row.
pub fn expand<'a, R: ReadRow<'a>, W: WriteRow, I: IntoIterator<Item = W>>(
    batch: &'a RecordBatch,
    errors: &mut RowErrors,
    mut rows: impl FnMut(R) -> Result<I>,
) -> Result<Output> {
    let columns = R::columns(batch)?;
    let mut builders = W::Builders::default();
    for row in 0..batch.num_rows() {
        let made = errors.value(row, R::read(&columns, row).and_then(&mut rows));
        made.into_iter().flatten().for_each(|made| made.write(&mut builders));
    }
    Ok(Output::Replace(W::finish(builders)?, Vec::new()))
}
