use crate::{
    Epoch, Error, Offset, QueryId, Range, Releases, Result, Timestamp, Token,
    event_time::{InForce, Watermarks},
    state::{KeyGroups, StateFiles},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the record formats below. A record of another version is refused: another streamhost wrote it.
pub(super) const FORMAT_VERSION: u32 = 2;

/// `metadata`: what never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The query's identity, kept for ever.
    pub id: QueryId,
    /// The identities that it had before resets gave it new ones: records of then say these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<QueryId>,
    /// The pipeline's name when the checkpoint was made.
    pub name: String,
    /// Source name → what it reads. Offsets mean nothing to another source.
    pub sources: BTreeMap<String, String>,
    /// Into how many groups the keys of state are divided.
    #[serde(default)]
    pub key_groups: KeyGroups,
}

/// `owners/<k>`: one per start. The host of the highest `k` owns the query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// Process id, for people.
    pub pid: u32,
    /// When the host started.
    pub started: Timestamp,
}

/// `offsets/<n>`: the plan of epoch n, written before its first row is read. Whatever a replay needs is here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffsetRecord {
    /// The epoch's processing time.
    pub time: Timestamp,
    /// How many partitions sources are asked to divide their range into.
    pub partitions: u32,
    /// Source name → what the epoch reads of it, in order: one range, or several under the continuous trigger. Sources
    /// without new input are absent.
    pub sources: Ranges,
    /// Source name → its position after this epoch, of every source that ever had one.
    pub positions: BTreeMap<String, Offset>,
    /// Step name, or `sinks.` and a sink's name → digest of its plugin.
    pub plugins: BTreeMap<String, String>,
    /// Which versions these are, of plugins that have any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: Releases,
    /// Sources whose range cannot be read again once the epoch is released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumed: Vec<String>,
    /// Table name → the version that the epoch sees.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, serde_json::Value>,
    /// Sources that had been without rows for so long that their watermarks do not hold the others back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle: Vec<String>,
    /// By which watermarks rows are late and state is final.
    #[serde(default, skip_serializing_if = "is_default")]
    pub watermarks: InForce,
}

/// What an epoch reads, by source name.
pub type Ranges = BTreeMap<String, Vec<Range>>;

/// `commits/<n>`: epoch n is in every sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// When it was committed.
    pub time: Timestamp,
    /// Rows read by the epoch.
    pub rows: u64,
    /// Sink name → what the sink wants to be kept.
    pub sinks: BTreeMap<String, Token>,
    /// How far event time had come after the epoch.
    #[serde(default, skip_serializing_if = "is_default")]
    pub watermarks: Watermarks,
    /// Step name → its state after the epoch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub state: BTreeMap<String, StateRecord>,
    /// Step name → a hash of what it put out, of plugins that promise the same output for the same input.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
}

/// The state of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateRecord {
    /// What the step does, in words: state that another step made is not its own.
    pub of: String,
    /// The files that hold it.
    pub files: StateFiles,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a start has to do, from the newest epoch that was planned and the newest that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Nothing was ever planned: begin with epoch 0.
    Fresh,
    /// Run these epochs again, first to last, over their recorded ranges; then plan the one after.
    Replay {
        /// The first epoch without a commit.
        first: Epoch,
        /// The newest planned epoch.
        last: Epoch,
    },
    /// Everything planned is committed, up to this epoch: plan the next one.
    Continue(Epoch),
}

impl Metadata {
    /// Whether a record that says it is of `query` is of this one.
    pub(super) fn is_of(&self, query: &QueryId) -> bool {
        self.id == *query || self.former.contains(query)
    }
}

impl Resume {
    /// Decides from the newest `offsets/n` and the newest `commits/n`.
    pub fn decide(offset: Option<Epoch>, commit: Option<Epoch>) -> Result<Resume> {
        match (offset, commit) {
            (None, None) => Ok(Resume::Fresh),
            (Some(last), None) => Ok(Resume::Replay { first: Epoch(0), last }),
            (Some(o), Some(c)) if o == c => Ok(Resume::Continue(c)),
            (Some(last), Some(c)) if c < last => Ok(Resume::Replay { first: c.next(), last }),
            (_, Some(c)) => Err(Error::data(format!(
                "the checkpoint has commits/{c} but no offsets/{c}: files were removed; restore them from a copy"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_follows_from_the_newest_offset_and_commit_alone() {
        let e = |n| Some(Epoch(n));
        assert_eq!(Resume::decide(None, None).unwrap(), Resume::Fresh);
        assert_eq!(Resume::decide(e(0), None).unwrap(), Resume::Replay { first: Epoch(0), last: Epoch(0) });
        assert_eq!(Resume::decide(e(4), e(4)).unwrap(), Resume::Continue(Epoch(4)));
        assert_eq!(Resume::decide(e(6), e(4)).unwrap(), Resume::Replay { first: Epoch(5), last: Epoch(6) });
        assert!(Resume::decide(e(3), e(4)).is_err());
        assert!(Resume::decide(None, e(0)).is_err());
    }
}
