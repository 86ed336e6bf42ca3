//! `[tables.<name>]`: files that are read whole, and again when they have changed.

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use connectors::{
    files::{FileSource, FilesSettings},
    source::SourceOptions,
};
use engine::{Clock, Error, History, Range, Reach, Result, Source, Table};
use futures::TryStreamExt;
use serde_json::Value;
use std::sync::Arc;

/// A table of files. Its version is the range that a source of these files would plan.
pub(crate) struct FileTable {
    pub(crate) name: String,
    pub(crate) settings: FilesSettings,
    pub(crate) options: SourceOptions,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) schema: SchemaRef,
}

impl FileTable {
    pub(crate) fn new(
        name: &str,
        settings: FilesSettings,
        options: SourceOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let source = FileSource::new(name, settings.clone(), options.clone(), clock.clone())?;
        Ok(FileTable { name: name.to_owned(), schema: source.schema(None)?, settings, options, clock })
    }

    /// A source remembers what it has read: each look is by a new one.
    fn source(&self) -> Result<FileSource> {
        FileSource::new(&*self.name, self.settings.clone(), self.options.clone(), self.clock.clone())
    }
}

#[async_trait]
impl Table for FileTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    async fn version(&self) -> Result<Value> {
        let source = self.source()?;
        source.restore(History::default(), Reach::Once).await?;
        match source.latest(None).await? {
            None => Ok(Value::Null),
            Some(planned) => serde_json::to_value(planned.range)
                .map_err(|e| Error::internal("the version of a table").caused_by(e)),
        }
    }

    async fn read(&self, version: &Value) -> Result<Vec<RecordBatch>> {
        if version.is_null() {
            return Ok(Vec::new());
        }
        let range: Range = serde_json::from_value(version.clone())
            .map_err(|e| Error::internal("the version of a table").caused_by(e))?;
        let source = self.source()?;
        if source.schema(Some(&range))? != self.schema {
            return Err(Error::data(
                "its files have other columns than when the query started: set `schema`, or start the query anew",
            ));
        }
        let mut rows = Vec::new();
        for part in source.read(&range, 1).await? {
            rows.extend(part.map_ok(|batch| batch.rows).try_collect::<Vec<_>>().await?);
        }
        let bad = source.bad_rows();
        if bad.count > 0 {
            tracing::warn!(table = self.name, rows = bad.count, "rows of the table do not fit its columns");
        }
        Ok(rows)
    }
}
