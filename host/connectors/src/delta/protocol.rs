//! What a table asks of its readers and writers, and which of it is done here.

use deltalake_core::kernel::{Metadata, Protocol};
use engine::{Error, Kind, Result, ResultExt};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a table is, from its newest `metaData` action.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Description {
    pub(crate) id: String,
    pub(crate) schema_string: String,
    pub(crate) partition_columns: Vec<String>,
    #[serde(default)]
    pub(crate) configuration: BTreeMap<String, String>,
}

impl Description {
    pub(crate) fn of(metadata: &Metadata) -> Result<Self> {
        let text = serde_json::to_value(metadata).doing(Kind::Internal, || "the metadata of a table")?;
        serde_json::from_value(text).doing(Kind::Data, || "the metadata of a table")
    }

    /// Whether a property is set to `true`.
    pub(crate) fn is_on(&self, property: &str) -> bool {
        self.configuration.get(property).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    min_reader_version: i64,
    min_writer_version: i64,
    #[serde(default)]
    reader_features: Option<Vec<String>>,
    #[serde(default)]
    writer_features: Option<Vec<String>>,
}

/// What this reader knows of the features that change how files are read.
const READ: [&str; 4] = ["timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "typeWidening"];

/// What may be on when this writes. The others either ask a writer for more than this does, or are refused by what the
/// table sets below.
const WRITTEN: [&str; 10] = [
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "domainMetadata",
    "generatedColumns",
    "invariants",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    "columnMapping",
];

/// What a writer is about to do to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Add files.
    Append,
    /// Take all files out, and add others.
    Replace,
    /// Take rows out of files, and add others.
    Upsert,
}

/// Refuses a table whose rows cannot be read from its files alone.
pub(crate) fn readable(protocol: &Protocol, table: Option<&Description>) -> Result<()> {
    let versions = versions(protocol)?;
    let asked = versions.reader_features.unwrap_or_default();
    // Deletion vectors are refused file by file: most tables that may have them have none.
    let known =
        |feature: &str| READ.contains(&feature) || ["deletionVectors", "columnMapping"].contains(&feature);
    let unknown: Vec<&str> = asked.iter().map(String::as_str).filter(|f| !known(f)).collect();
    if versions.min_reader_version > 3 || !unknown.is_empty() {
        return Err(beyond("reading", versions.min_reader_version, &unknown));
    }
    table.map_or(Ok(()), mapped)
}

/// Refuses a table whose rules this does not keep.
pub(crate) fn writable(protocol: &Protocol, table: &Description, change: Change) -> Result<()> {
    let versions = versions(protocol)?;
    let asked = versions.writer_features.unwrap_or_default();
    let may = |feature: &str| WRITTEN.contains(&feature) || feature == "deletionVectors";
    let unknown: Vec<&str> = asked.iter().map(String::as_str).filter(|f| !may(f)).collect();
    if versions.min_writer_version > 7 || !unknown.is_empty() {
        return Err(beyond("writing", versions.min_writer_version, &unknown));
    }
    mapped(table)?;
    let rules = [("delta.constraints.", "CHECK constraints")];
    for (start, what) in rules {
        if let Some(name) = table.configuration.keys().find(|key| key.starts_with(start)) {
            return Err(Error::invalid(format!(
                "the table has {what} ({name}), which are not checked here; drop them, or write to another table"
            )));
        }
    }
    for (in_schema, what) in
        [("delta.generationExpression", "generated columns"), ("delta.invariants", "column invariants")]
    {
        if table.schema_string.contains(in_schema) {
            return Err(Error::invalid(format!(
                "the table has {what}, which are not computed here; write to another table"
            )));
        }
    }
    if change == Change::Upsert && table.is_on("delta.enableChangeDataFeed") {
        return Err(Error::invalid(
            "the table records changes (delta.enableChangeDataFeed), which mode = \"update\" does not write; switch that off, or use mode = \"append\"",
        ));
    }
    if change != Change::Append && table.is_on("delta.appendOnly") {
        return Err(Error::invalid(
            "the table is append-only (delta.appendOnly); use mode = \"append\", or change that property",
        ));
    }
    Ok(())
}

fn mapped(table: &Description) -> Result<()> {
    match table.configuration.get("delta.columnMapping.mode").map(String::as_str) {
        None | Some("none") => Ok(()),
        Some(mode) => Err(Error::invalid(format!(
            "the table has delta.columnMapping.mode = {mode:?}, which is not understood here; copy it into a table without"
        ))),
    }
}

fn beyond(doing: &str, version: i64, features: &[&str]) -> Error {
    Error::invalid(format!(
        "{doing} the table needs protocol version {version} and the features [{}], which this streamhost does not have; \
         drop the features, or copy the table",
        features.join(", ")
    ))
}

fn versions(protocol: &Protocol) -> Result<Versions> {
    let text = serde_json::to_value(protocol).doing(Kind::Internal, || "the protocol of a table")?;
    serde_json::from_value(text).doing(Kind::Data, || "the protocol of a table")
}
