//! A checkpoint in an object store.

use super::{Environment, Root, failed};
use async_trait::async_trait;
use bytes::Bytes;
use engine::{CheckpointStore, Created, Result};
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use std::path::Path;

/// Records are objects. One is created by a put that the store refuses if there is an object of that name, so of two hosts one
/// wins.
#[derive(Debug)]
pub(super) struct ObjectCheckpoint(Root);

impl ObjectCheckpoint {
    /// The checkpoint at an address; nothing is asked of it yet. [`engine::Kind::Invalid`] if there can be none.
    pub(super) fn new(path: &Path, environment: &Environment) -> Result<Self> {
        Root::new(path, environment).map(ObjectCheckpoint)
    }

    fn doing(&self, what: &str, name: &str) -> String {
        format!("{what} the checkpoint record {}/{name}", self.0.shown)
    }
}

#[async_trait]
impl CheckpointStore for ObjectCheckpoint {
    async fn read(&self, name: &str) -> Result<Option<Bytes>> {
        let object = self.0.at(name)?;
        let read = async { self.0.store.get(&object).await?.bytes().await };
        match read.await {
            Err(StoreError::NotFound { .. }) => Ok(None),
            read => read.map(Some).map_err(|e| failed(self.doing("reading", name), e)),
        }
    }

    async fn create(&self, name: &str, record: Bytes) -> Result<Created> {
        let object = self.0.at(name)?;
        let put = self.0.store.put_opts(&object, record.clone().into(), PutOptions::from(PutMode::Create));
        match put.await {
            Ok(_) => Ok(Created::Won),
            // The library sends a put again that it got no answer to, and is then told of its own. No two hosts write the same.
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                match self.read(name).await? == Some(record) {
                    true => Ok(Created::Won),
                    false => Ok(Created::Lost),
                }
            }
            Err(error) => Err(failed(self.doing("writing", name), error)),
        }
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = self.0.at(folder)?;
        let listed = self.0.store.list_with_delimiter(Some(&prefix)).await;
        let listed = listed.map_err(|e| failed(self.doing("listing", folder), e))?;
        let names = listed.objects.iter().filter_map(|object| object.location.filename().map(str::to_owned));
        Ok(names.collect())
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let object = self.0.at(name)?;
        match self.0.store.delete(&object).await {
            Err(StoreError::NotFound { .. }) => Ok(()),
            deleted => deleted.map_err(|e| failed(self.doing("deleting", name), e)),
        }
    }

    fn location(&self) -> String {
        self.0.shown.clone()
    }
}
