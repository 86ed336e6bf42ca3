//! `[[tests]]`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One test of a pipeline: input rows by source or step, expected rows by step or side output.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table with name, input and expect")]
pub struct Test {
    /// A sentence that says what holds.
    pub name: String,
    /// Rows by source or table, or by the step whose input they replace: JSON lines, which mean what they mean in a file of the
    /// source; or a list of such texts, one for each epoch. Behind the last one come epochs without rows for as long as the
    /// watermark makes rows final. A source that is not named has none, a table that is not named those of its files. Where neither `schema` nor its format says a source's columns, they are those of the rows.
    pub input: IndexMap<String, Given>,
    /// Expected rows by step, source or side output, in order: JSON lines, with TIMESTAMPs in UTC. At least one is named; `''`
    /// stands for no rows.
    pub expect: IndexMap<String, String>,
}

/// Rows of a test: JSON lines, all in one epoch or in several.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "rows as JSON lines in a string, or a list of such strings, one for each epoch"
)]
pub enum Given {
    /// In one epoch.
    Once(String),
    /// Those of each epoch.
    Epochs(Vec<String>),
}

impl Given {
    /// The rows of each epoch.
    pub fn epochs(&self) -> &[String] {
        match self {
            Given::Once(rows) => std::slice::from_ref(rows),
            Given::Epochs(epochs) => epochs,
        }
    }

    /// All rows.
    pub fn all(&self) -> String {
        self.epochs().join("\n")
    }
}
