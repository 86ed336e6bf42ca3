//! What all sources have in common: the keys that sit beside the connector in `[sources.<name>]`.

use crate::{
    choice::Choice,
    formats::{ddl, infer::extended},
    stores::Environment,
    units::ByteSize,
};
use arrow::datatypes::{DataType, Field, Schema};
use engine::Result;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings that the caller reads from `[sources.<name>]` itself and hands to every source.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// The columns; none: what the format has by itself, which is `value STRING` for text, the file's own
    /// columns for Parquet, and an error for the others.
    pub schema: Option<SchemaOption>,
    /// The most that one epoch takes.
    pub max_per_trigger: Option<Limit>,
    /// What happens to input that does not fit the schema.
    pub on_bad_data: OnBadData,
    /// A column that gets, as a JSON string, fields that the schema does not know and values of a wrong type.
    pub rescue: Option<String>,
    /// Whether new columns in new files extend the schema.
    pub evolve: bool,
    /// The zone of times that name none.
    pub time_zone: TimeZone,
    /// Where the credentials of object stores are.
    pub environment: Environment,
}

impl Default for SourceOptions {
    fn default() -> Self {
        SourceOptions {
            schema: None,
            max_per_trigger: None,
            on_bad_data: OnBadData::default(),
            rescue: None,
            evolve: false,
            time_zone: TimeZone::UTC,
            environment: Environment::default(),
        }
    }
}

impl SourceOptions {
    /// The columns of a DDL, made [`SourceOptions::complete`].
    pub(crate) fn columns(&self, ddl: &str) -> Result<Schema> {
        ddl::parse(ddl).map(|schema| self.complete(&schema))
    }

    /// These columns, each of which may be missing in a row whatever the schema says, and the rescue column.
    pub(crate) fn complete(&self, schema: &Schema) -> Schema {
        let nullable = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
        self.with_rescue(Schema::new(nullable.collect::<Vec<_>>()))
    }

    /// The schema with the rescue column, last unless it has a place already.
    pub(crate) fn with_rescue(&self, schema: Schema) -> Schema {
        let rescue =
            self.rescue.as_ref().map(|name| Schema::new(vec![Field::new(name, DataType::Utf8, true)]));
        rescue.and_then(|rescue| extended(&schema, &rescue)).unwrap_or(schema)
    }
}

/// Columns as Spark's DDL, such as `user_id INT, event STRING`, or `infer` to look at the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub enum SchemaOption {
    /// Look at the first files.
    Infer,
    /// These columns.
    Ddl(String),
}

impl From<String> for SchemaOption {
    fn from(text: String) -> Self {
        if text.trim().eq_ignore_ascii_case("infer") { SchemaOption::Infer } else { SchemaOption::Ddl(text) }
    }
}

impl From<SchemaOption> for String {
    fn from(schema: SchemaOption) -> Self {
        match schema {
            SchemaOption::Infer => "infer".into(),
            SchemaOption::Ddl(text) => text,
        }
    }
}

/// The most that one epoch takes from a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// This many files.
    Files(u64),
    /// Files of less than this many bytes together; at least one file.
    Bytes(ByteSize),
    /// This many rows.
    Rows(u64),
}

impl Choice for Limit {
    const WRITTEN: &'static str = "{ files = 10 }, { bytes = \"64MiB\" } or { rows = 1000 }";
}

/// What happens to input that does not fit the schema. What is let through or left out is counted in the progress, and warned
/// of once an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadData {
    /// A value that does not fit becomes NULL, a row that cannot be read becomes a row of NULLs. A `_corrupt_record`
    /// column in the schema gets the text of the row. Values of columns that no step and no sink looks at are not read, so
    /// they are not counted either.
    #[default]
    Permissive,
    /// The row is left out.
    Drop,
    /// The query ends with an error that names file and line.
    Fail,
}
