use super::replay;
use crate::{CheckpointStore, Epoch, Result, state::KeyGroups};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// More epochs or groups than a record can name; what says more was not written here.
const MAX_NAMED: u64 = 1 << 16;

/// The files that the state of one operator follows from after a commit, and which of them has the newest full content
/// of each key group. Part of the commit record:
///
/// ```json
/// { "files": { "5e1f": "17,40-63", "77aa": "64-66" }, "full": { "17": "0-2", "40": "3", "41": "4" } }
/// ```
///
/// Files are named by what makes them unique and by their epochs. The content of a group is its full block and the
/// blocks of changes that later files have of it; a group without a full block is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct StateFiles {
    files: BTreeMap<Epoch, Arc<str>>,
    full: BTreeMap<u16, Epoch>,
}

/// The name of one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileRef {
    /// The epoch whose commit wrote it.
    pub(super) epoch: Epoch,
    /// What tells it from what another start wrote for that epoch.
    pub(super) unique: Arc<str>,
}

/// [`StateFiles`] as a record has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<Arc<str>, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    full: BTreeMap<Epoch, String>,
}

impl FileRef {
    /// The record's name in the checkpoint.
    pub(super) fn path(&self, operator: &str) -> String {
        format!("{}/{}-{}.state", folder(operator), self.epoch, self.unique)
    }

    /// The file of this name in its folder, if it is one.
    fn parse(name: &str) -> Option<Self> {
        let (epoch, unique) = name.strip_suffix(".state")?.split_once('-')?;
        is_unique(unique).then_some(())?;
        Some(FileRef { epoch: Epoch(epoch.parse().ok()?), unique: unique.into() })
    }
}

/// Whether a text can tell files apart: it is part of a file's name.
pub(super) fn is_unique(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn folder(operator: &str) -> String {
    format!("state/{operator}")
}

impl StateFiles {
    /// From the files, and for each key group, from 0, the epoch of its full content.
    pub(super) fn new(
        files: impl Iterator<Item = FileRef>,
        full: impl Iterator<Item = Option<Epoch>>,
    ) -> Self {
        StateFiles {
            files: files.map(|f| (f.epoch, f.unique)).collect(),
            full: (0..).zip(full).filter_map(|(group, epoch)| Some((group, epoch?))).collect(),
        }
    }

    /// Whether there is none: the table was always empty.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// The files, ascending by epoch.
    pub(super) fn refs(&self) -> impl Iterator<Item = FileRef> {
        self.files.iter().map(|(epoch, unique)| FileRef { epoch: *epoch, unique: unique.clone() })
    }

    /// The epoch of the full content of a key group.
    pub(super) fn full_of(&self, group: u16) -> Option<Epoch> {
        self.full.get(&group).copied()
    }

    /// The key groups whose full content is in the file of this epoch.
    pub(super) fn full_in(&self, epoch: Epoch) -> impl Iterator<Item = u16> {
        self.full.iter().filter(move |(_, e)| **e == epoch).map(|(group, _)| *group)
    }

    /// Reads all of it, and succeeds if [`StateTable::restore`](super::StateTable::restore) would, which fails in the
    /// same way: so the newest commit whose state is whole can be found.
    pub async fn verify(&self, store: &dyn CheckpointStore, operator: &str, groups: KeyGroups) -> Result<()> {
        replay::replay(store, operator, groups, self, |_, _| ()).await.map(drop)
    }

    /// Deletes files of the operator that none of the kept ones names.
    ///
    /// Files of epochs after the newest kept one stay: they may be those of a host that has taken over.
    pub(super) async fn forget(
        store: &dyn CheckpointStore,
        operator: &str,
        kept: &[StateFiles],
    ) -> Result<()> {
        let named: BTreeSet<FileRef> = kept.iter().flat_map(StateFiles::refs).collect();
        let Some(newest) = named.last().map(|f| f.epoch) else { return Ok(()) };
        for name in store.list(&folder(operator)).await? {
            let file = FileRef::parse(&name).filter(|f| f.epoch <= newest && !named.contains(f));
            if let Some(file) = file {
                store.delete(&file.path(operator)).await?;
            }
        }
        Ok(())
    }
}

impl From<StateFiles> for Text {
    fn from(files: StateFiles) -> Self {
        let mut by_unique: BTreeMap<Arc<str>, Vec<u64>> = BTreeMap::new();
        for (epoch, unique) in files.files {
            by_unique.entry(unique).or_default().push(epoch.0);
        }
        let mut by_epoch: BTreeMap<Epoch, Vec<u64>> = BTreeMap::new();
        for (group, epoch) in files.full {
            by_epoch.entry(epoch).or_default().push(group.into());
        }
        Text {
            files: by_unique.into_iter().map(|(unique, epochs)| (unique, format_runs(&epochs))).collect(),
            full: by_epoch.into_iter().map(|(epoch, groups)| (epoch, format_runs(&groups))).collect(),
        }
    }
}

impl TryFrom<Text> for StateFiles {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        let mut files = StateFiles::default();
        for (unique, epochs) in text.files {
            if !is_unique(&unique) {
                return Err(format!("`{unique}` is no part of the name of a state file"));
            }
            for epoch in parse_runs(&epochs)? {
                if files.files.insert(Epoch(epoch), unique.clone()).is_some() {
                    return Err(format!("epoch {epoch} has two state files"));
                }
            }
        }
        for (epoch, groups) in text.full {
            if !files.files.contains_key(&epoch) {
                return Err(format!("epoch {epoch} has no state file, but full key groups"));
            }
            for group in parse_runs(&groups)? {
                let group = u16::try_from(group).map_err(|_| format!("there is no key group {group}"))?;
                if files.full.insert(group, epoch).is_some() {
                    return Err(format!("key group {group} is full twice"));
                }
            }
        }
        Ok(files)
    }
}

/// Ascending numbers as text: `0-3,9`.
fn format_runs(numbers: &[u64]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b).filter_map(|run| match run {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first}-{last}")),
    });
    runs.collect::<Vec<_>>().join(",")
}

fn parse_runs(text: &str) -> Result<Vec<u64>, String> {
    let mut numbers = Vec::new();
    for run in text.split(',') {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        let wrong = |_| format!("`{run}` is no number and no run of them, such as 4-7");
        let (first, last): (u64, u64) = (first.parse().map_err(wrong)?, last.parse().map_err(wrong)?);
        if first > last || last - first >= MAX_NAMED - numbers.len() as u64 {
            return Err(format!("`{run}` is more than was ever written"));
        }
        numbers.extend(first..=last);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::MemoryStore;
    use serde_json::json;

    fn file(epoch: u64, unique: &str) -> FileRef {
        FileRef { epoch: Epoch(epoch), unique: unique.into() }
    }

    fn files() -> StateFiles {
        let files = [file(17, "5e1f"), file(40, "5e1f"), file(41, "5e1f"), file(42, "77aa")];
        StateFiles::new(files.into_iter(), [17, 17, 17, 40, 17].into_iter().map(|e| Some(Epoch(e))))
    }

    #[test]
    fn a_record_names_runs_of_epochs_and_groups() {
        let text =
            json!({ "files": { "5e1f": "17,40-41", "77aa": "42" }, "full": { "17": "0-2,4", "40": "3" } });
        assert_eq!(serde_json::to_value(files()).unwrap(), text);
        assert_eq!(serde_json::from_value::<StateFiles>(text).unwrap(), files());
        assert_eq!(serde_json::to_string(&StateFiles::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<StateFiles>("{}").unwrap(), StateFiles::default());
    }

    #[test]
    fn a_record_that_was_not_written_here_is_refused() {
        for (text, why) in [
            (r#"{"files":{"../../x":"1"}}"#, "no part of the name"),
            (r#"{"files":{"a":"0-18446744073709551615"}}"#, "more than was ever written"),
            (r#"{"files":{"a":"0-65535,70000"}}"#, "more than was ever written"),
            (r#"{"files":{"a":"5-4"}}"#, "more than was ever written"),
            (r#"{"files":{"a":""}}"#, "no number"),
            (r#"{"files":{"a":"1","b":"1"}}"#, "two state files"),
            (r#"{"files":{"a":"1"},"full":{"2":"0"}}"#, "no state file"),
            (r#"{"files":{"a":"1-2"},"full":{"1":"0","2":"0"}}"#, "full twice"),
            (r#"{"files":{"a":"1"},"full":{"1":"65536"}}"#, "no key group"),
        ] {
            let error = serde_json::from_str::<StateFiles>(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn what_no_kept_commit_names_is_deleted_but_nothing_newer() {
        let store = MemoryStore::default();
        let mut names: Vec<_> = files().refs().map(|f| f.path("counts")).collect();
        let others = [file(16, "5e1f"), file(41, "dead"), file(43, "77aa")].map(|f| f.path("counts"));
        let foreign = ["state/counts/notes.txt", "state/other/1-a.state"].map(str::to_owned);
        for name in names.iter().chain(&others).chain(&foreign) {
            let _ = store.create(name, "x".into()).await.unwrap();
        }
        StateFiles::forget(&store, "counts", &[]).await.unwrap();
        assert_eq!(store.list("state/counts").await.unwrap().len(), 8);
        StateFiles::forget(&store, "counts", &[StateFiles::default(), files()]).await.unwrap();
        let mut left = store.list("state").await.unwrap();
        left.iter_mut().for_each(|name| name.insert_str(0, "state/"));
        names.extend(foreign);
        names.push(others[2].clone());
        names.sort();
        left.sort();
        assert_eq!(left, names);
    }
}
