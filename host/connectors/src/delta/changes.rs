//! What a commit of a table means to who reads it as a stream.

use super::{DeltaSettings, protocol::Description, read::DataFile};
use deltalake_core::kernel::{Action, Add, AddCDCFile, Protocol, Remove};
use engine::{Error, Result};

/// One file to read.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) file: DataFile,
    /// What all its rows are; none if its own column says so, or nobody asks.
    pub(crate) change: Option<&'static str>,
    /// The commit that it is of, for the change data feed.
    pub(crate) version: u64,
    /// When that was, in milliseconds.
    pub(crate) committed: i64,
}

/// A commit, as far as a stream is concerned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commit {
    pub(crate) entries: Vec<Entry>,
    /// The table's new description, if the commit has one.
    pub(crate) description: Option<Description>,
    pub(crate) protocol: Option<Protocol>,
}

/// What a commit did, by kinds of actions.
struct Did<'a> {
    adds: Vec<&'a Add>,
    removes: Vec<&'a Remove>,
    changes: Vec<&'a AddCDCFile>,
}

impl Commit {
    /// [`engine::Kind::Data`] if the settings do not say what to do about it.
    pub(crate) fn new(version: u64, actions: &[Action], settings: &DeltaSettings) -> Result<Self> {
        let mut commit = Commit::default();
        let mut did = Did { adds: Vec::new(), removes: Vec::new(), changes: Vec::new() };
        let mut committed = 0;
        for action in actions {
            match action {
                Action::Add(add) if add.data_change => did.adds.push(add),
                Action::Remove(remove) if remove.data_change => did.removes.push(remove),
                Action::Cdc(change) => did.changes.push(change),
                Action::Metadata(metadata) => commit.description = Some(Description::of(metadata)?),
                Action::Protocol(protocol) => commit.protocol = Some(protocol.clone()),
                Action::CommitInfo(info) => {
                    committed = info.in_commit_timestamp.or(info.timestamp).unwrap_or(0);
                }
                _ => {}
            }
        }
        let files = match settings.change_data_feed {
            true => did.all_changes()?,
            false => did.appends(version, settings)?,
        };
        let entry = |(file, change)| Entry { file, change, version, committed };
        commit.entries = files.into_iter().map(entry).collect();
        Ok(commit)
    }
}

type Files = Vec<(DataFile, Option<&'static str>)>;

impl Did<'_> {
    /// The files whose rows are new.
    fn appends(&self, version: u64, settings: &DeltaSettings) -> Result<Files> {
        if !self.removes.is_empty() && !settings.ignore_changes {
            if !self.adds.is_empty() {
                return Err(Error::data(format!(
                    "version {version} of the Delta table {} changes rows, and a stream of appends has none for that; set \
                     ignore-changes = true to read the files that it has written as if they were new, or \
                     change-data-feed = true to read changes",
                    settings.path.display()
                )));
            }
            if !settings.ignore_deletes {
                return Err(Error::data(format!(
                    "version {version} of the Delta table {} deletes rows, and a stream of appends has none for that; set \
                     ignore-deletes = true to pass over that, or change-data-feed = true to read deletes",
                    settings.path.display()
                )));
            }
        }
        self.adds.iter().map(|add| Ok((DataFile::of(add)?, None))).collect()
    }

    /// The files of all changes: those written for who reads changes, or else whole files that came or went.
    fn all_changes(&self) -> Result<Files> {
        if !self.changes.is_empty() {
            let file = |change: &&AddCDCFile| DataFile {
                path: change.path.clone(),
                size: u64::try_from(change.size).unwrap_or(0),
                partition: change.partition_values.clone(),
            };
            return Ok(self.changes.iter().map(|change| (file(change), None)).collect());
        }
        let gone = self.removes.iter().map(|remove| Ok((removed(remove)?, Some("delete"))));
        let come = self.adds.iter().map(|add| Ok((DataFile::of(add)?, Some("insert"))));
        gone.chain(come).collect()
    }
}

fn removed(remove: &Remove) -> Result<DataFile> {
    DataFile::of(&Add {
        path: remove.path.clone(),
        size: remove.size.unwrap_or(0),
        partition_values: remove.partition_values.clone().unwrap_or_default(),
        deletion_vector: remove.deletion_vector.clone(),
        ..Add::default()
    })
}
