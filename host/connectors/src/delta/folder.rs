//! Where a table is: its log, its files.

use crate::stores::{Environment, Root, failed};
use deltalake_core::{
    DeltaTableError,
    kernel::{Action, Snapshot, transaction::TransactionError},
    logstore::{CommitOrBytes, LogStore, LogStoreRef, StorageConfig, default_logstore, get_actions},
};
use engine::{Error, Kind, Result, ResultExt};
use object_store::{ObjectStore, path::Path as ObjectPath, prefix::PrefixStore};
use std::{path::Path, sync::Arc};

/// The place of a table, which need not be there yet.
#[derive(Clone)]
pub(crate) struct Folder {
    root: Root,
    log: LogStoreRef,
}

/// How an attempt to commit a version ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// The version is ours.
    Won,
    /// It was there already.
    Lost,
}

impl Folder {
    /// Asks nothing of the place yet. [`Kind::Invalid`] if there can be no such place.
    pub(crate) fn new(path: &Path, environment: &Environment) -> Result<Self> {
        let root = Root::new(path, environment)?;
        let own = PrefixStore::new(root.store.clone(), root.prefix.clone());
        let log = default_logstore(Arc::new(own), root.store.clone(), &root.url, &StorageConfig::default());
        Ok(Folder { root, log })
    }

    /// As people wrote it.
    pub(crate) fn shown(&self) -> &str {
        &self.root.shown
    }

    /// Whatever way it was written.
    pub(crate) fn address(&self) -> &str {
        self.root.url.as_str()
    }

    /// Objects by their names below the table.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.log.object_store(None)
    }

    pub(crate) fn log(&self) -> &LogStoreRef {
        &self.log
    }

    /// The table as of a version, or as it is now; none if there is no table.
    pub(crate) async fn snapshot(&self, version: Option<u64>) -> Result<Option<Snapshot>> {
        if !self.is_there().await? {
            return Ok(None);
        }
        let loaded = Snapshot::try_new(&*self.log, version).await;
        loaded.map(Some).map_err(|e| self.failed("reading the log of", e))
    }

    /// Whether there is a table.
    pub(crate) async fn is_there(&self) -> Result<bool> {
        self.log.is_delta_table_location().await.map_err(|e| self.failed("looking for", e))
    }

    /// What a version did; none if it is not there.
    pub(crate) async fn commit(&self, version: u64) -> Result<Option<Vec<Action>>> {
        let read = self.log.read_commit_entry(version).await;
        let Some(bytes) = read.map_err(|e| self.failed("reading the log of", e))? else { return Ok(None) };
        let actions = get_actions(version, &bytes);
        actions.map(Some).map_err(|e| self.failed(&format!("version {version} of"), e))
    }

    /// Commits a version, unless it is there already. After an error it may be there or not.
    pub(crate) async fn write(&self, version: u64, actions: &[Action]) -> Result<Committed> {
        let mut text = String::new();
        for action in actions {
            let line = serde_json::to_string(action).doing(Kind::Internal, || "writing a commit")?;
            text.push_str(&line);
            text.push('\n');
        }
        let bytes = CommitOrBytes::LogBytes(text.into());
        match self.log.write_commit_entry(version, bytes, uuid::Uuid::new_v4()).await {
            Ok(()) => Ok(Committed::Won),
            Err(TransactionError::VersionAlreadyExists(_)) => Ok(Committed::Lost),
            Err(e) => Err(self.failed("committing to", e.into())),
        }
    }

    /// Deletes files of the table that nobody knows of.
    pub(crate) async fn discard(&self, files: Vec<ObjectPath>) {
        use futures::StreamExt;
        let named = futures::stream::iter(files.into_iter().map(Ok)).boxed();
        // What cannot be deleted now is deleted by a vacuum.
        self.store().delete_stream(named).for_each(|_| async {}).await;
    }

    /// An error of the library, by who has to act.
    pub(crate) fn failed(&self, doing: &str, error: DeltaTableError) -> Error {
        let doing = format!("{doing} the Delta table {}", self.root.shown);
        match error {
            DeltaTableError::ObjectStore { source } => failed(doing, source),
            error => {
                let kind = match &error {
                    DeltaTableError::NotATable(_) | DeltaTableError::InvalidVersion(_) => Kind::Data,
                    DeltaTableError::Io { .. } => Kind::Unavailable,
                    _ => Kind::Data,
                };
                Error::new(kind, doing).caused_by(error)
            }
        }
    }
}
