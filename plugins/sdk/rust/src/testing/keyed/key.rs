//! Keys by number: the same columns are the same number in every epoch.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_ord::ord::make_comparator;
use arrow_schema::{SchemaRef, SortOptions};
use arrow_select::concat::concat_batches;
use serde_json::Value;

use super::super::json;
use crate::Result;

/// A key's row in [`Keys`].
pub(super) type Key = usize;

/// Every key that came so far.
#[derive(Clone)]
pub(super) struct Keys {
    rows: RecordBatch,
    /// By their columns as JSON.
    numbers: HashMap<String, Key>,
}

impl Keys {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self { rows: RecordBatch::new_empty(schema.clone()), numbers: HashMap::new() }
    }

    /// The keys of these rows; new ones are added.
    pub(super) fn of(&mut self, rows: &RecordBatch) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        for (row, columns) in json::write(rows)?.iter().enumerate() {
            let next = self.numbers.len();
            let key = *self.numbers.entry(columns.to_string()).or_insert(next);
            if key == next {
                let rows = concat_batches(self.rows.schema_ref(), [&self.rows, &rows.slice(row, 1)])?;
                self.rows = rows;
            }
            keys.push(key);
        }
        Ok(keys)
    }

    /// The rows of these keys.
    pub(super) fn rows(&self, keys: &[Key]) -> Result<RecordBatch> {
        let rows: Vec<_> = keys.iter().map(|key| self.rows.slice(*key, 1)).collect();
        Ok(concat_batches(self.rows.schema_ref(), &rows)?)
    }

    /// The columns of a key.
    pub(super) fn json(&self, key: Key) -> Result<Value> {
        Ok(json::write(&self.rows.slice(key, 1))?.pop().unwrap_or_default())
    }

    /// The order of keys.
    pub(super) fn order(&self) -> Result<impl Fn(Key, Key) -> Ordering + use<>> {
        order(&self.rows)
    }
}

/// The order of rows, by their columns from the first on, nulls first.
pub(super) fn order(rows: &RecordBatch) -> Result<impl Fn(usize, usize) -> Ordering + use<>> {
    let columns = rows.columns().iter();
    let columns = columns.map(|column| make_comparator(column, column, SortOptions::new(false, true)));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(move |a, b| {
        columns.iter().map(|column| column(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    })
}
