//! The newest row of each key in a batch.

use std::cmp::Ordering;

use streamhost::arrow::array::UInt32Array;
use streamhost::arrow::compute::{DynComparator, make_comparator};
use streamhost::prelude::*;

/// The rows that are the newest of their key, in the order in which they came. Of rows that are equally new the last one counts; a
/// row without a time is older than any.
pub(crate) fn rows(batch: &RecordBatch, keys: &[String], newest: &str) -> Result<UInt32Array> {
    let by_key = keys.iter().map(|key| key_column(batch, key)).collect::<Result<Vec<_>>>()?;
    let by_time = comparator(batch, newest)?;
    let same_key = |a: usize, b: usize| order(&by_key, a, b);
    let mut rows: Vec<usize> = (0..batch.num_rows()).collect();
    rows.sort_by(|a, b| same_key(*a, *b).then_with(|| by_time(*a, *b)));
    let mut last: Vec<u32> = rows
        .chunk_by(|a, b| same_key(*a, *b).is_eq())
        .filter_map(|same| same.last().map(|row| *row as u32))
        .collect();
    last.sort_unstable();
    Ok(last.into())
}

/// SQL takes no two nulls for the same, so a null in a key would be another row at each epoch.
fn key_column(batch: &RecordBatch, key: &str) -> Result<DynComparator> {
    let column = batch.column_by_name(key);
    if column.is_some_and(|column| column.null_count() > 0) {
        return Err(Error::permanent(format!(
            "a row has no `{key}`, which is a key; leave such rows out before"
        )));
    }
    comparator(batch, key)
}

fn comparator(batch: &RecordBatch, name: &str) -> Result<DynComparator> {
    let Some(column) = batch.column_by_name(name) else {
        return Err(Error::invalid(format!("there is no column `{name}`")));
    };
    Ok(make_comparator(column, column, Default::default())?)
}

fn order(columns: &[DynComparator], a: usize, b: usize) -> Ordering {
    columns.iter().map(|column| column(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
