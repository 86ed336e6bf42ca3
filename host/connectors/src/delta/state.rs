//! What a writer knows of a table, kept up to date commit by commit.

use super::{folder::Folder, protocol::Description, schema};
use arrow::datatypes::Schema;
use deltalake_core::{
    DeltaResult,
    kernel::{Action, Add, EagerSnapshot, LogicalFileView, Metadata, Protocol, Snapshot},
};
use engine::{Error, Kind, Result};
use futures::{Stream, TryStreamExt};
use std::collections::BTreeMap;

/// Commits behind which the log is loaded anew: reading its checkpoint is then the shorter way.
const FAR_BEHIND: u64 = 200;

/// A table as of a version.
///
/// It is loaded once and then follows the log by reading each new commit: what a commit costs does not depend on how many
/// there were before.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) version: u64,
    pub(crate) protocol: Protocol,
    pub(crate) description: Description,
    /// The columns, as the engine has them.
    pub(crate) columns: Schema,
    /// The newest epoch of the sink that the table has.
    pub(crate) stored: Option<i64>,
    /// The table's files by path, if the sink has use for them.
    pub(crate) files: Option<BTreeMap<String, Add>>,
}

/// Whose epochs to look for, and whether to know every file.
#[derive(Clone, Debug)]
pub(crate) struct Interest {
    /// The sink's name in the log.
    pub(crate) app: String,
    pub(crate) files: bool,
}

impl State {
    /// The table as it is now; none if there is none.
    pub(crate) async fn load(folder: &Folder, interest: &Interest) -> Result<Option<State>> {
        if !folder.is_there().await? {
            return Ok(None);
        }
        let log = &**folder.log();
        let unread = |e| folder.failed("reading the log of", e);
        let snapshot = EagerSnapshot::try_new(log, None).await.map_err(unread)?;
        let description = Description::of(snapshot.metadata())?;
        let stored = snapshot.transaction_version(log, &interest.app).await.map_err(unread)?;
        let files = match interest.files {
            true => Some(collected(snapshot.file_views(log, None)).await.map_err(unread)?),
            false => None,
        };
        Ok(Some(State {
            version: snapshot.version(),
            protocol: snapshot.protocol().clone(),
            columns: schema::columns(&description)?,
            description,
            stored,
            files,
        }))
    }

    /// Follows the log to its end.
    pub(crate) async fn catch_up(&mut self, folder: &Folder, interest: &Interest) -> Result<()> {
        let from = self.version;
        while self.version - from < FAR_BEHIND {
            let Some(actions) = folder.commit(self.version + 1).await? else { return Ok(()) };
            self.apply(&actions, interest)?;
        }
        self.reload(folder, interest).await
    }

    async fn reload(&mut self, folder: &Folder, interest: &Interest) -> Result<()> {
        let gone = || Error::new(Kind::Unavailable, format!("the Delta table {} is gone", folder.shown()));
        *self = State::load(folder, interest).await?.ok_or_else(gone)?;
        Ok(())
    }

    /// Takes the next version in.
    pub(crate) fn apply(&mut self, actions: &[Action], interest: &Interest) -> Result<()> {
        for action in actions {
            match action {
                Action::Metadata(metadata) => self.describe(metadata)?,
                Action::Protocol(protocol) => self.protocol = protocol.clone(),
                Action::Txn(txn) if txn.app_id == interest.app => self.stored = Some(txn.version),
                Action::Add(add) => {
                    self.files.iter_mut().for_each(|files| drop(files.insert(add.path.clone(), add.clone())));
                }
                Action::Remove(remove) => {
                    self.files.iter_mut().for_each(|files| drop(files.remove(&remove.path)));
                }
                _ => {}
            }
        }
        self.version += 1;
        Ok(())
    }

    fn describe(&mut self, metadata: &Metadata) -> Result<()> {
        self.description = Description::of(metadata)?;
        self.columns = schema::columns(&self.description)?;
        Ok(())
    }
}

/// Every file of a version.
pub(crate) async fn files(folder: &Folder, snapshot: &Snapshot) -> Result<BTreeMap<String, Add>> {
    let views = snapshot.file_views(&**folder.log(), None);
    collected(views).await.map_err(|e| folder.failed("reading the log of", e))
}

#[allow(
    deprecated,
    reason = "the actions are what is written to the log when a file is taken out of the table"
)]
async fn collected(
    views: impl Stream<Item = DeltaResult<LogicalFileView>>,
) -> DeltaResult<BTreeMap<String, Add>> {
    views.map_ok(|file| file.add_action()).map_ok(|add| (add.path.clone(), add)).try_collect().await
}
