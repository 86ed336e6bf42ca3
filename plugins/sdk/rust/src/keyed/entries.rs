//! What a table has of the keys of a call.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::{Schema, SchemaRef};

use crate::{Error, Result};

use super::Table;

/// Entries of a table, ordered by key; those of a key as they were appended, or by their second key.
#[derive(Debug, Clone)]
pub struct Entries {
    keys: UInt32Array,
    second: RecordBatch,
    values: RecordBatch,
}

impl Entries {
    /// Takes apart what the host answers.
    pub(crate) fn new(table: &Table, entries: &RecordBatch) -> Result<Self> {
        let keys = entries.columns().first().and_then(|keys| keys.as_primitive_opt::<UInt32Type>());
        let Some(keys) = keys.filter(|keys| keys.null_count() == 0 && keys.values().is_sorted()) else {
            return Err(Error::permanent("the host's entries are not ordered by their keys"));
        };
        let values = 1 + table.second().len();
        Ok(Self {
            keys: keys.clone(),
            second: part(entries, 1..values, Schema::new(table.second().to_vec()).into())?,
            values: part(entries, values..entries.num_columns(), table.value.clone())?,
        })
    }

    /// The key of each entry, as its row in the call's keys.
    pub fn keys(&self) -> &[u32] {
        self.keys.values()
    }

    /// The second keys, a row for each entry; without columns but in a mapping.
    pub fn second(&self) -> &RecordBatch {
        &self.second
    }

    /// The values, a row for each entry.
    pub fn values(&self) -> &RecordBatch {
        &self.values
    }

    /// Where each of so many keys has its entries: those of key `i` are from `ends[i]` to `ends[i + 1]`.
    pub fn ends(&self, keys: usize) -> Vec<u32> {
        let mut ends = Vec::with_capacity(keys + 1);
        let mut entry = 0;
        for key in 0..=keys as u32 {
            while self.keys().get(entry as usize).is_some_and(|of| *of < key) {
                entry += 1;
            }
            ends.push(entry);
        }
        ends
    }
}

/// Some of the columns, under their names.
fn part(entries: &RecordBatch, columns: Range<usize>, schema: SchemaRef) -> Result<RecordBatch> {
    let columns = entries.columns().get(columns).unwrap_or_default().to_vec();
    let options = RecordBatchOptions::new().with_row_count(Some(entries.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}
