//! Entries of an older version of a table.

use arrow_array::RecordBatch;

use crate::row::{ReadRow, WriteRow};
use crate::{Error, Result, row};

/// Entries that an older version of the plugin stored: the second key's columns, if it is a mapping, then the value's, under their
/// names of then.
#[derive(Debug)]
pub struct Before {
    pub(crate) table: String,
    pub(crate) version: u32,
    pub(crate) entries: RecordBatch,
}

impl Before {
    /// The table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The version of its columns.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// A row for each entry.
    pub fn entries(&self) -> &RecordBatch {
        &self.entries
    }

    /// Makes each entry one of now. Both structs have the second key's fields, if it is a mapping, then the value's.
    ///
    /// # Errors
    /// If the entries have other columns, or the function fails for one of them.
    pub fn each<'a, Old: ReadRow<'a>, New: WriteRow>(
        &'a self,
        mut renewed: impl FnMut(Old) -> Result<New>,
    ) -> Result<RecordBatch> {
        let mut builders = New::Builders::default();
        for old in row::read::<Old>(&self.entries)? {
            renewed(old?)?.write(&mut builders);
        }
        New::finish(builders)
    }

    /// That the plugin does not know this version: for the last arm of a `match`.
    pub fn unknown(&self) -> Error {
        let Self { table, version, .. } = self;
        Error::invalid(format_args!(
            "table `{table}` is stored in version {version}, which the plugin does not know how to migrate"
        ))
    }
}
