//! A Delta table as the static side of a join.

use super::{
    DeltaTableSettings,
    folder::Folder,
    protocol::{self, Description},
    read::{DataFile, rows_of},
    schema, state,
};
use crate::stores::Environment;
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use engine::{Error, Result, Table, Wanted};
use futures::TryStreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Mutex;

/// A Delta table, whose version is the version.
pub(super) struct DeltaTable {
    folder: Folder,
    schema: SchemaRef,
    newest: Mutex<u64>,
}

impl DeltaTable {
    /// Looks at the table. [`engine::Kind::Invalid`] if there is none.
    pub(super) async fn open(settings: &DeltaTableSettings, environment: &Environment) -> Result<Self> {
        let folder = Folder::new(&settings.path, environment)?;
        let snapshot = folder.snapshot(None).await?.ok_or_else(|| missing(&folder))?;
        let description = Description::of(snapshot.metadata())?;
        protocol::readable(snapshot.protocol(), Some(&description))?;
        let schema = Arc::new(schema::columns(&description)?);
        Ok(DeltaTable { folder, schema, newest: Mutex::new(snapshot.version()) })
    }
}

fn missing(folder: &Folder) -> Error {
    Error::invalid(format!("there is no Delta table {}; correct `path`, or create it first", folder.shown()))
}

#[async_trait]
impl Table for DeltaTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    async fn version(&self) -> Result<Value> {
        let mut newest = self.newest.lock().await;
        while self.folder.commit(*newest + 1).await?.is_some() {
            *newest += 1;
        }
        Ok(json!({ "version": *newest }))
    }

    async fn read(&self, version: &Value) -> Result<Vec<RecordBatch>> {
        let number = version.get("version").and_then(Value::as_u64);
        let number = number.ok_or_else(|| Error::internal("the version of a Delta table"))?;
        let snapshot = self.folder.snapshot(Some(number)).await?.ok_or_else(|| missing(&self.folder))?;
        let now = schema::columns(&Description::of(snapshot.metadata())?)?;
        if !schema::has_all(&now, &self.schema) {
            return Err(Error::data(format!(
                "the Delta table {} has other columns than when the query started; start the query anew",
                self.folder.shown()
            )));
        }
        let mut rows = Vec::new();
        for add in state::files(&self.folder, &snapshot).await?.values() {
            let file =
                rows_of(self.folder.store(), DataFile::of(add)?, self.schema.clone(), &Wanted::All).await?;
            rows.extend(file.try_collect::<Vec<_>>().await?);
        }
        Ok(rows)
    }
}
