//! Where in a table a source is.

use engine::{Error, Kind, Offset, Range, Result, ResultExt};
use serde::{Deserialize, Serialize};

/// What is read next: the file of this index, of the table as of a version or of what that version's commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    pub(crate) version: u64,
    pub(crate) index: u64,
    /// Whether it is the table as a whole that is read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) snapshot: bool,
}

impl Position {
    /// The first file of a commit.
    pub(crate) fn commit(version: u64) -> Self {
        Position { version, index: 0, snapshot: false }
    }

    /// The first file of the table as of a version.
    pub(crate) fn table(version: u64) -> Self {
        Position { version, index: 0, snapshot: true }
    }

    pub(crate) fn of(offset: &Offset) -> Result<Self> {
        serde_json::from_value(offset.0.clone())
            .doing(Kind::Internal, || "a position in a Delta table is not what this version writes")
    }

    pub(crate) fn offset(self) -> Result<Offset> {
        serde_json::to_value(self).map(Offset).doing(Kind::Internal, || "a position in a Delta table")
    }
}

/// What a range says beside its ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Detail {
    /// Where it starts, also where that is the very beginning.
    pub(crate) start: Position,
    /// The columns as DDL.
    pub(crate) schema: String,
}

impl Detail {
    pub(crate) fn of(range: &Range) -> Result<Self> {
        serde_json::from_value(range.detail.clone()).map_err(|e| {
            Error::internal("a range of a Delta source is not what this version writes").caused_by(e)
        })
    }
}
