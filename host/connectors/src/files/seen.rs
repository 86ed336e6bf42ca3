//! Which files were read already, across restarts.

use super::listing::FileEntry;
use bytes::Bytes;
use engine::{Error, History, Range, Result, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// What a range says of itself besides its offsets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Detail {
    /// The files to read, in order.
    pub(crate) files: Vec<FileEntry>,
    /// The columns as DDL, if the source found them out by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<String>,
}

impl Detail {
    pub(crate) fn of(range: &Range) -> Result<Self> {
        serde_json::from_value(range.detail.clone()).map_err(|e| {
            Error::internal("a range of a files source is not what this version writes").caused_by(e)
        })
    }

    pub(crate) fn value(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|e| Error::internal("writing a range").caused_by(e))
    }
}

/// The files of all ranges so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When each was written.
    files: HashMap<Box<str>, Timestamp>,
    /// The newest columns as DDL, if the source finds them out by itself.
    pub(crate) schema: Option<String>,
    /// Ranges added since the last snapshot.
    ranges: usize,
}

/// What [`Seen`] leaves in the checkpoint.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    files: BTreeMap<Box<str>, Timestamp>,
}

impl Seen {
    /// From what the checkpoint has.
    pub(crate) fn restore(history: &History) -> Result<Self> {
        let mut seen = Seen::default();
        if let Some(bytes) = &history.snapshot {
            let snapshot: Snapshot = serde_json::from_slice(bytes)
                .map_err(|e| Error::internal("the log of seen files is damaged").caused_by(e))?;
            seen.files = snapshot.files.into_iter().collect();
            seen.schema = snapshot.schema;
        }
        for range in &history.ranges {
            seen.add(&Detail::of(range)?);
        }
        Ok(seen)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether it was this file that was read, and not another one of its name.
    pub(crate) fn has_exactly(&self, file: &FileEntry) -> bool {
        self.files.get(&*file.path) == Some(&file.modified)
    }

    /// Adds the files of a range; adding them again changes nothing.
    pub(crate) fn add(&mut self, detail: &Detail) {
        self.files.extend(detail.files.iter().map(|f| (Box::from(&*f.path), f.modified)));
        if detail.schema.is_some() {
            self.schema.clone_from(&detail.schema);
        }
        self.ranges += 1;
    }

    /// Forgets files that are no longer in the directory, so that the log does not grow for ever.
    pub(crate) fn forget(&mut self, files: &[FileEntry]) {
        for file in files {
            self.files.remove(&*file.path);
        }
    }

    /// A snapshot, when there are ranges enough to be worth it: its cost per range is that of writing a hundred names.
    pub(crate) fn snapshot(&mut self) -> Result<Option<Bytes>> {
        if self.ranges < 20.max(self.files.len() / 100) {
            return Ok(None);
        }
        self.ranges = 0;
        let files = self.files.clone().into_iter().collect();
        let bytes = serde_json::to_vec(&Snapshot { schema: self.schema.clone(), files })
            .map_err(|e| Error::internal("writing the log of seen files").caused_by(e))?;
        Ok(Some(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Offset;

    fn detail(name: &str) -> Detail {
        let file = FileEntry { path: name.into(), size: 1, modified: Timestamp(0) };
        Detail { files: vec![file], schema: Some(format!("{name} INT")) }
    }

    #[test]
    fn a_snapshot_and_the_ranges_after_it_give_everything_back() {
        let mut seen = Seen::default();
        let mut snapshot = None;
        for i in 0..20 {
            seen.add(&detail(&format!("f{i}")));
            snapshot = seen.snapshot().unwrap();
        }
        let range = Range { start: None, end: Offset(Value::Null), detail: detail("g").value().unwrap() };
        let back = Seen::restore(&History { snapshot, ranges: vec![range] }).unwrap();
        assert!((0..20).all(|i| back.has(&format!("f{i}"))) && back.has("g") && !back.has("h"));
        assert_eq!(back.schema.as_deref(), Some("g INT"));
    }

    #[test]
    fn snapshots_get_rarer_as_the_log_grows() {
        let mut seen = Seen::default();
        let snapshots = (0..4000).filter(|i| {
            seen.add(&detail(&format!("f{i}")));
            seen.snapshot().unwrap().is_some()
        });
        assert!(snapshots.count() < 200);
    }

    #[test]
    fn a_damaged_log_is_an_error() {
        let history = History { snapshot: Some(Bytes::from_static(b"{")), ranges: Vec::new() };
        assert_eq!(Seen::restore(&history).unwrap_err().kind(), engine::Kind::Internal);
    }
}
