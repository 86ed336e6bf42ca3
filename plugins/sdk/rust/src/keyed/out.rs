//! The rows that leave a call, from structs.

use std::sync::Arc;

use arrow_array::RecordBatch;

use crate::row::WriteRow;
use crate::{Error, Result, pick, row};

use super::Output;

/// Rows that leave.
#[doc(hidden)]
pub struct Out<W: WriteRow> {
    builders: W::Builders,
    /// The key of each row, if the key's columns stand before the row's.
    keys: Option<Vec<u32>>,
}

impl<W: WriteRow> Out<W> {
    /// No rows yet.
    pub fn new(with_keys: bool) -> Self {
        Self { builders: W::Builders::default(), keys: with_keys.then(Vec::new) }
    }

    /// Adds rows of the key at `key`.
    #[inline]
    pub fn extend(&mut self, key: usize, rows: impl IntoIterator<Item = W>) {
        for row in rows {
            row.write(&mut self.builders);
            if let Some(keys) = &mut self.keys {
                keys.push(key as u32);
            }
        }
    }

    /// The rows, with what they need of the keys of the call.
    ///
    /// # Errors
    /// If a row has a column that the key has as well.
    pub fn finish(self, keys: &RecordBatch) -> Result<Output> {
        let rows = W::finish(self.builders)?;
        let Some(of) = self.keys else { return Ok(rows.into()) };
        let twice =
            W::fields().into_iter().find(|field| keys.schema_ref().column_with_name(field.name()).is_some());
        if let Some(twice) = twice {
            return Err(Error::invalid(format_args!(
                "`{}` is a column of the key, and the plugin adds one of that name: rename the key's before this step",
                twice.name()
            )));
        }
        let columns =
            keys.columns().iter().map(|column| pick::take_rows(column, &of)).collect::<Result<_>>()?;
        Ok(row::beside(&RecordBatch::try_new(Arc::clone(keys.schema_ref()), columns)?, &rows)?.into())
    }
}
