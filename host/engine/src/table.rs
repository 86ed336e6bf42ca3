//! Sides of joins that are no streams.

use crate::{Kind, Result, ResultExt};
use arrow::{array::RecordBatch, compute::concat_batches, datatypes::SchemaRef};
use async_trait::async_trait;
use serde_json::Value;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Rows that are joined as a whole: read once, and again when they have changed.
#[async_trait]
pub trait Table: Send + Sync {
    /// Its columns, always the same.
    fn schema(&self) -> SchemaRef;

    /// What it consists of now, in its own JSON: another one whenever its rows are others.
    async fn version(&self) -> Result<Value>;

    /// The rows of a version. One that is not there any more is an error.
    async fn read(&self, version: &Value) -> Result<Vec<RecordBatch>>;
}

/// A table, and its rows in the version that the running epoch sees.
pub struct NamedTable {
    /// Its name in the pipeline.
    pub name: String,
    table: Arc<dyn Table>,
    held: Mutex<Option<Arc<TableRows>>>,
}

/// The rows of one version of a table.
#[derive(Debug)]
pub struct TableRows {
    /// The version.
    pub version: Value,
    /// All of its rows.
    pub rows: RecordBatch,
}

impl NamedTable {
    /// A table that holds nothing yet.
    pub fn new(name: impl Into<String>, table: Arc<dyn Table>) -> Self {
        NamedTable { name: name.into(), table, held: Mutex::default() }
    }

    /// Its columns.
    pub fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    /// The rows that are held.
    pub fn held(&self) -> Option<Arc<TableRows>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Holds what it consists of now, and answers the version.
    pub async fn refresh(&self) -> Result<Value> {
        // A table that is written to just now may be another one before it is read: a second look settles it.
        for _ in 0..2 {
            let version = self.version().await?;
            if self.hold(&version).await.is_ok() {
                return Ok(version);
            }
        }
        let version = self.version().await?;
        self.hold(&version).await.map(|()| version)
    }

    async fn version(&self) -> Result<Value> {
        self.table.version().await.map_err(|e| self.of(e))
    }

    /// Holds a version.
    pub async fn hold(&self, version: &Value) -> Result<()> {
        if self.held().is_some_and(|held| held.version == *version) {
            return Ok(());
        }
        let parts = self.table.read(version).await.map_err(|e| self.of(e))?;
        let rows = concat_batches(&self.schema(), &parts);
        let rows = rows.doing(Kind::Data, || format!("table `{}`", self.name))?;
        let held = TableRows { version: version.clone(), rows };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(held));
        Ok(())
    }

    fn of(&self, error: crate::Error) -> crate::Error {
        error.while_doing(format!("table `{}`", self.name))
    }
}

impl fmt::Debug for NamedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedTable").field("name", &self.name).finish_non_exhaustive()
    }
}
