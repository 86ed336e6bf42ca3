//! Cases in files: what `streamhost test` runs on the component, run natively.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{Answer, bind, json, print_failure};
use crate::{Plugin, Result};

/// One file of a plugin's `tests` folder.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Case {
    #[serde(default)]
    config: toml::Table,
    /// The input's columns, as DDL.
    schema: String,
    /// The input's rows, a JSON object a line.
    #[serde(default)]
    input: String,
    /// The rows that leave.
    #[serde(default)]
    expect: String,
    /// The rows that leave by side outputs.
    #[serde(default)]
    outputs: BTreeMap<String, String>,
    /// The row errors: `row 2: message`.
    #[serde(default)]
    errors: Vec<String>,
    /// How the plugin refuses the configuration, the schema or the whole input: `invalid: message`.
    failure: Option<String>,
}

/// Runs every `tests/*.toml` of the plugin whose folder this is, `env!("CARGO_MANIFEST_DIR")`.
///
/// # Panics
/// If there is none, or if one of them gives something else than it expects.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion")]
pub fn cases<P: Plugin>(folder: &str) {
    let files = files(&Path::new(folder).join("tests"));
    assert!(!files.is_empty(), "no cases in {folder}/tests: put one there as a .toml file");
    for file in files {
        if let Err(error) = run::<P>(&file) {
            panic!("{}: {error}", file.display());
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn run<P: Plugin>(file: &Path) -> Result<()> {
    let case: Case = toml::from_str(&fs::read_to_string(file)?)?;
    let file = file.display();
    match answer::<P>(&case)? {
        Ok(answer) => {
            assert_eq!(case.failure, None, "{file}: a failure was expected, and the plugin gave {answer:?}");
            answer.expect(&case.expect);
            assert_eq!(answer.errors, case.errors, "{file}: the row errors (left), and expected");
            assert_eq!(sides(&answer), expected(&case)?, "{file}: the side outputs (left), and expected");
        }
        Err(failure) => assert_eq!(Some(failure), case.failure, "{file}: the failure (left), and expected"),
    }
    Ok(())
}

/// What the plugin gives, or how it fails.
fn answer<P: Plugin>(case: &Case) -> Result<Result<Answer, String>> {
    let config = serde_json::to_string(&case.config)?;
    Ok(match bind::<P>(&config, &case.schema) {
        Ok(bound) => bound.run(&case.input).map_err(|error| print_failure(error, false)),
        Err(error) => Err(print_failure(error, true)),
    })
}

fn sides(answer: &Answer) -> BTreeMap<String, String> {
    answer.side.iter().map(|(name, rows)| (name.clone(), json::print(rows))).collect()
}

fn expected(case: &Case) -> Result<BTreeMap<String, String>> {
    let rows = |text: &String| json::lines(text).map(|rows: Vec<Value>| json::print(&rows));
    case.outputs.iter().map(|(name, text)| Ok((name.clone(), rows(text)?))).collect()
}
