use crate::{
    formats::encode::Codec,
    units::{ByteSize, Interval},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// `[sources.<name>.delta]`: the rows of a Delta table, and then those that are appended to it.
///
/// The first epochs read the table as it is when the query starts for the first time, file by file, as `max-per-trigger`
/// says in files or bytes (default: 1,000 files); then each commit is read as it comes. The columns are those of the table.
/// When they change, the query ends and reads the new ones at its next start; with `evolve` on the source new columns are
/// read at once.
///
/// A stream of appends has no rows for what is deleted or changed in the table, so a commit that does so ends the query
/// with an error; `ignore-deletes`, `ignore-changes` and `change-data-feed` say what happens instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { path = \"data/table\" }"
)]
pub struct DeltaSettings {
    /// The table: a directory, `s3://bucket/path` or `az://container/path`.
    pub path: PathBuf,
    /// The first commit to read: a version, or `"latest"` for only what comes after the first start, which an epoch without rows puts
    /// down. Default: the whole table, then what comes.
    #[serde(default)]
    pub starting_version: Option<StartingVersion>,
    /// Read what was committed at this time and later, such as `2025-03-01T12:00:00Z`.
    #[serde(default)]
    pub starting_timestamp: Option<String>,
    /// Pass over commits that only delete rows. Default: false.
    #[serde(default)]
    pub ignore_deletes: bool,
    /// Read the files that a change has written, as if they were new: rows that were in them before come once more. Passes over
    /// deletes too. Default: false.
    #[serde(default)]
    pub ignore_changes: bool,
    /// Read every change as a row, with `_change_type` (insert, update_preimage, update_postimage, delete),
    /// `_commit_version` and `_commit_timestamp`. The table must have `delta.enableChangeDataFeed = true`. Default: false.
    #[serde(default)]
    pub change_data_feed: bool,
    /// How often to look for new commits. Default: `1s`.
    #[serde(default = "default_poll")]
    pub poll: Interval,
}

/// The first commit of a table to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(with = "VersionOrWord")]
pub enum StartingVersion {
    /// This one.
    Version(u64),
    /// The one after the newest.
    #[serde(serialize_with = "latest")]
    Latest,
}

/// What the schema says of a [`StartingVersion`].
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum VersionOrWord {
    Version(u64),
    Word(String),
}

fn latest<S: serde::Serializer>(to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str("latest")
}

impl<'de> Deserialize<'de> for StartingVersion {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StartingVersionWritten)
    }
}

struct StartingVersionWritten;

impl serde::de::Visitor<'_> for StartingVersionWritten {
    type Value = StartingVersion;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a version, such as 12, or \"latest\"")
    }

    fn visit_u64<E: serde::de::Error>(self, version: u64) -> Result<StartingVersion, E> {
        Ok(StartingVersion::Version(version))
    }

    fn visit_i64<E: serde::de::Error>(self, version: i64) -> Result<StartingVersion, E> {
        let version = u64::try_from(version);
        version.map(StartingVersion::Version).map_err(|_| E::custom("a version is 0 or more"))
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<StartingVersion, E> {
        match word {
            "latest" => Ok(StartingVersion::Latest),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
        }
    }
}

impl DeltaSettings {
    /// All of a table.
    pub fn of(path: PathBuf) -> Self {
        DeltaSettings {
            path,
            starting_version: None,
            starting_timestamp: None,
            ignore_deletes: false,
            ignore_changes: false,
            change_data_feed: false,
            poll: default_poll(),
        }
    }
}

const fn default_poll() -> Interval {
    Interval::millis(1_000)
}

/// `[tables.<name>.delta]`: a Delta table that streams are joined with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { path = \"data/table\" }"
)]
pub struct DeltaTableSettings {
    /// The table: a directory, `s3://bucket/path` or `az://container/path`. Each epoch sees its newest version at the time.
    pub path: PathBuf,
}

/// `[sinks.<name>.delta]`: a Delta table, each row exactly once.
///
/// `mode = "append"` adds the rows of an epoch, `"complete"` puts them in the place of all others, and `"update"` puts each in
/// the place of the row with the same `keys`. An epoch is one commit of the table, and holds which epoch it is, so that a
/// replay adds nothing. An epoch without rows commits nothing, unless it replaces the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { path = \"out/table\" }"
)]
pub struct DeltaSinkSettings {
    /// The table: a directory, `s3://bucket/path` or `az://container/path`. It is created if it is not there.
    pub path: PathBuf,
    /// Columns by whose values the files of a new table are divided, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_by: Vec<String>,
    /// For `mode = "update"`: the columns that tell rows apart. Of rows of one epoch with the same keys the last one counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// For `mode = "update"`: how many bytes of rows an epoch may have. They are held in memory until its end, for only then is it known
    /// which row of a key is the last; an epoch of more is refused. Default: `1GiB`.
    #[serde(default = "one_gib")]
    pub max_held: ByteSize,
    /// Whether columns that the table does not have are added to it. Default: false, they are refused.
    #[serde(default)]
    pub merge_schema: bool,
    /// How the files are compressed. Default: snappy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Codec>,
    /// Properties of a new table, such as `delta.checkpointInterval = "50"`; by default every 100th commit sums up the log.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// Putting small files together. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compact: Option<Compact>,
    /// Deleting files that the table has not used for some time. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vacuum: Option<Vacuum>,
}

impl DeltaSinkSettings {
    /// A table at `path`, everything else as it is by default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        DeltaSinkSettings {
            path: path.into(),
            partition_by: Vec::new(),
            keys: Vec::new(),
            max_held: one_gib(),
            merge_schema: false,
            compression: None,
            properties: BTreeMap::new(),
            compact: None,
            vacuum: None,
        }
    }
}

const fn one_gib() -> ByteSize {
    ByteSize(1 << 30)
}

/// When small files are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { files = 100, target = \"128MiB\" }"
)]
pub struct Compact {
    /// Once a partition has so many small files.
    pub files: u64,
    /// About how large the files become. A file is small below half of that. Default: `128MiB`.
    #[serde(default = "default_target")]
    pub target: ByteSize,
}

const fn default_target() -> ByteSize {
    ByteSize(128 << 20)
}

/// When files are deleted that the table does not use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { retain = \"7 days\", every = \"1 day\" }"
)]
pub struct Vacuum {
    /// How long ago a file must have been taken out of the table. Whoever reads an older version than that finds no files. From 7 days
    /// on, files that old which never came into the table are deleted too; such a file that is younger may be about to.
    /// Default: `7 days`.
    #[serde(default = "seven_days")]
    pub retain: Interval,
    /// How often to look for such files, from the first epoch of a start on. Default: `1 day`.
    #[serde(default = "one_day")]
    pub every: Interval,
}

impl Default for Vacuum {
    fn default() -> Self {
        Vacuum { retain: seven_days(), every: one_day() }
    }
}

const fn seven_days() -> Interval {
    Interval::millis(7 * 24 * 3_600_000)
}

const fn one_day() -> Interval {
    Interval::millis(24 * 3_600_000)
}
