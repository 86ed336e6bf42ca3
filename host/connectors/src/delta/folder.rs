//! Where a table is: its log, its files.

use crate::stores::{Environment, Root, failed};
use deltalake_core::{
    DeltaTableError,
    kernel::{Action, Snapshot, transaction::TransactionError},
    logstore::{CommitOrBytes, LogStore, LogStoreRef, StorageConfig, default_logstore, get_actions},
};
use engine::{Error, Kind, Result, ResultExt};
use object_store::{ObjectStore, ObjectStoreExt, path::Path as ObjectPath, prefix::PrefixStore};
use std::{error::Error as StdError, path::Path, sync::Arc};

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

    /// Whether a version that was not in the log a moment ago was taken out of it: others have summed up the log beyond it since.
    pub(crate) async fn summed_up(&self, version: u64) -> Result<bool> {
        #[derive(serde::Deserialize)]
        struct Checkpoint {
            version: u64,
        }
        let path = self.log.log_path().clone().join("_last_checkpoint");
        let doing = || format!("reading the log of the Delta table {}", self.root.shown);
        let read = match self.store().get(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            read => read.map_err(|e| failed(doing(), e))?.bytes().await.map_err(|e| failed(doing(), e))?,
        };
        // One that is being written by somebody else, in a place where that takes more than a moment, is looked at again later.
        let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(&read) else { return Ok(false) };
        Ok(checkpoint.version >= version && self.commit(version).await?.is_none())
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
                    error if may_pass(error) => Kind::Unavailable,
                    _ => Kind::Data,
                };
                Error::new(kind, doing).caused_by(error)
            }
        }
    }
}

/// Whether the reason for an error is a store that failed to answer, not what it has answered.
fn may_pass(error: &DeltaTableError) -> bool {
    // The error of the library that reads logs names no reason, and its type is not to be had here.
    if let DeltaTableError::KernelError(kernel) = error {
        let said = format!("{kernel:?}");
        let said = said.strip_prefix("Backtraced { source: ").unwrap_or(&said);
        let of_store = ["ObjectStore(Generic", "IOError(", "Reqwest(", "JoinFailure("];
        return of_store.iter().any(|of| said.starts_with(of));
    }
    let mut reason: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = reason {
        let store = error.downcast_ref::<object_store::Error>();
        if matches!(store, Some(object_store::Error::Generic { .. })) || error.is::<std::io::Error>() {
            return true;
        }
        reason = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_version_that_was_taken_out_of_the_log_is_told_from_one_that_is_to_come() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path(), &Environment::default()).unwrap();
        let log = dir.path().join("_delta_log");
        std::fs::create_dir(&log).unwrap();
        assert!(!folder.summed_up(3).await.unwrap());
        std::fs::write(log.join("_last_checkpoint"), "{\"version\":5,\"size\":1}").unwrap();
        assert!(folder.summed_up(3).await.unwrap() && !folder.summed_up(6).await.unwrap());
        // It came just now.
        std::fs::write(log.join("00000000000000000003.json"), "{}").unwrap();
        assert!(!folder.summed_up(3).await.is_ok_and(|gone| gone));
    }

    #[test]
    fn a_store_that_fails_to_answer_may_do_so_later_and_a_damaged_log_stays_one() {
        let folder = Folder::new(Path::new("table"), &Environment::default()).unwrap();
        let kind = |error: DeltaTableError| folder.failed("reading", error).kind();
        let reset = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let generic = || object_store::Error::Generic { store: "S3", source: reset().into() };
        for passing in [
            DeltaTableError::KernelError(generic().into()),
            DeltaTableError::KernelError(reset().into()),
            DeltaTableError::ObjectStore { source: generic() },
            DeltaTableError::GenericError { source: generic().into() },
        ] {
            let shown = format!("{passing:?}");
            assert_eq!(kind(passing), Kind::Unavailable, "{shown}");
        }
        let damaged = serde_json::from_str::<u8>("x").unwrap_err();
        for lasting in [DeltaTableError::KernelError(damaged.into()), DeltaTableError::NotATable("t".into())]
        {
            let shown = format!("{lasting:?}");
            assert_eq!(kind(lasting), Kind::Data, "{shown}");
        }
    }
}
