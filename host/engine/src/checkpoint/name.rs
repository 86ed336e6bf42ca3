use super::record::FORMAT_VERSION;
use crate::{Epoch, Error, QueryId, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;

/// Which record of a checkpoint it is: its file is called after it, and it says so of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub(super) enum Name {
    Metadata,
    Owner { number: u64 },
    Offsets { epoch: Epoch },
    Commit { epoch: Epoch },
    Snapshot { source: String, epoch: Epoch },
    Layout { step: String },
}

impl Name {
    pub(super) fn path(&self) -> String {
        match self {
            Name::Metadata => "metadata".into(),
            Name::Owner { number } => format!("owners/{number}"),
            Name::Offsets { epoch } => format!("offsets/{epoch}"),
            Name::Commit { epoch } => format!("commits/{epoch}"),
            Name::Snapshot { source, epoch } => format!("sources/{source}/{epoch}"),
            Name::Layout { step } => format!("state/{step}/layout"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Metadata => f.write_str("the metadata"),
            Name::Owner { number } => write!(f, "start {number}"),
            Name::Offsets { epoch } => write!(f, "the plan of epoch {epoch}"),
            Name::Commit { epoch } => write!(f, "the commit of epoch {epoch}"),
            Name::Snapshot { source, epoch } => {
                write!(f, "what source `{source}` remembers up to epoch {epoch}")
            }
            Name::Layout { step } => write!(f, "the layout of the state of step `{step}`"),
        }
    }
}

/// The first keys of every record: so one that was copied or moved over another is told from it.
#[derive(Debug, Serialize, Deserialize)]
struct Stamp {
    version: u32,
    #[serde(flatten)]
    name: Name,
    query: QueryId,
}

/// Why bytes are not the record that they should be.
#[derive(Debug)]
pub(super) enum Wrong {
    /// Another streamhost wrote it, by this version.
    Version(u32),
    /// They are not as they were written.
    Damaged(serde_json::Error, usize),
    /// They are another record.
    Other(Name, QueryId),
}

/// The text of a record: JSON for people, one line a key.
pub(super) fn format<T: Serialize>(name: &Name, query: &QueryId, record: &T) -> Result<Bytes> {
    #[derive(Serialize)]
    struct Stamped<'r, T> {
        #[serde(flatten)]
        stamp: Stamp,
        #[serde(flatten)]
        record: &'r T,
    }
    let mut text = serde_json::to_vec_pretty(&Stamped { stamp: stamp(name, query), record })
        .map_err(|e| Error::internal("formatting a checkpoint record").caused_by(e))?;
    text.push(b'\n');
    Ok(text.into())
}

/// A record whose content is a source's own: the stamp is the line above it.
pub(super) fn wrap(name: &Name, query: &QueryId, content: &[u8]) -> Result<Bytes> {
    let mut text = serde_json::to_vec(&stamp(name, query))
        .map_err(|e| Error::internal("formatting a checkpoint record").caused_by(e))?;
    text.push(b'\n');
    text.extend_from_slice(content);
    Ok(text.into())
}

fn stamp(name: &Name, query: &QueryId) -> Stamp {
    Stamp { version: FORMAT_VERSION, name: name.clone(), query: query.clone() }
}

/// Reads what [`format()`] wrote, if it is the record `name` of a query that is `ours`.
pub(super) fn parse<T: DeserializeOwned>(
    bytes: &[u8],
    name: &Name,
    ours: impl Fn(&QueryId) -> bool,
) -> Result<T, Wrong> {
    check(bytes, bytes.len(), name, ours)?;
    serde_json::from_slice(bytes).map_err(|e| Wrong::Damaged(e, bytes.len()))
}

/// Reads what [`wrap`] wrote, likewise.
pub(super) fn unwrap(bytes: &Bytes, name: &Name, ours: impl Fn(&QueryId) -> bool) -> Result<Bytes, Wrong> {
    let line = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
    check(&bytes.slice(..line), bytes.len(), name, ours)?;
    Ok(bytes.slice((line + 1).min(bytes.len())..))
}

fn check(stamp: &[u8], has: usize, name: &Name, ours: impl Fn(&QueryId) -> bool) -> Result<(), Wrong> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let damaged = |e| Wrong::Damaged(e, has);
    let Versioned { version } = serde_json::from_slice(stamp).map_err(damaged)?;
    if version != FORMAT_VERSION {
        return Err(Wrong::Version(version));
    }
    let stamp: Stamp = serde_json::from_slice(stamp).map_err(damaged)?;
    match stamp.name == *name && ours(&stamp.query) {
        true => Ok(()),
        false => Err(Wrong::Other(stamp.name, stamp.query)),
    }
}
