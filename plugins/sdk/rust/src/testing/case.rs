//! Cases in files: what `streamhost test` runs on the component, run natively.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{
    Answer, Executed, Job, Stored, bind, bind_functions, bind_keyed, bind_sink, json, print_failure,
};
use crate::{BatchSink, Functions, Keyed, Plugin, Result};

/// One file of a plugin's `tests` folder.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Case {
    #[serde(default)]
    config: toml::Table,
    /// The input's columns, as DDL; of a function they are its arguments.
    #[serde(default)]
    schema: String,
    /// The function that is called, if the plugin has several.
    function: Option<String>,
    /// The input's rows, a JSON object a line.
    #[serde(default)]
    input: String,
    /// The rows that leave.
    #[serde(default)]
    expect: String,
    /// The rows that leave by side outputs, or that are stored in outputs.
    #[serde(default)]
    outputs: BTreeMap<String, String>,
    /// The statements that are run on outputs, in order.
    #[serde(default)]
    statements: Vec<Statement>,
    /// The row errors: `row 2: message`.
    #[serde(default)]
    errors: Vec<String>,
    /// How the plugin refuses the configuration, the schema or the whole input: `invalid: message`.
    failure: Option<String>,
}

/// A statement, and the rows that it is run for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    output: String,
    statement: String,
    parameters: String,
}

/// One file of a plugin that keeps state: epochs, one after the other.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct KeyedCase {
    #[serde(default)]
    config: toml::Table,
    schema: String,
    /// The columns of the key, as the step's `keys`.
    keys: Vec<String>,
    #[serde(default)]
    epochs: Vec<EpochCase>,
    /// How the plugin refuses the configuration, the schema or the keys.
    failure: Option<String>,
}

/// An epoch: clocks, rows in, rows out.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct EpochCase {
    /// From this epoch on: `2025-03-01T12:00:00Z`.
    watermark: Option<String>,
    /// The epoch's time, from this one on.
    now: Option<String>,
    #[serde(default)]
    input: String,
    #[serde(default)]
    expect: String,
    #[serde(default)]
    outputs: BTreeMap<String, String>,
    /// `row 2: message`, and `timer 0: message` for timers in the order in which they fire.
    #[serde(default)]
    errors: Vec<String>,
    /// How the epoch fails; what it did is gone then.
    failure: Option<String>,
}

/// Runs every `tests/*.toml` of the plugin whose folder this is, `env!("CARGO_MANIFEST_DIR")`.
///
/// # Panics
/// If there is none, or if one of them gives something else than it expects.
#[track_caller]
pub fn cases<P: Plugin>(folder: &str) {
    each(folder, run::<P>);
}

/// The same of a plugin that stores epochs: what a case gives it is one epoch.
///
/// # Panics
/// As [`cases`] does.
#[track_caller]
pub fn sink_cases<P: BatchSink>(folder: &str) {
    each(folder, run_sink::<P>);
}

/// The same of a plugin that keeps state for each key: what a case gives it is epochs.
///
/// # Panics
/// As [`cases`] does.
#[track_caller]
pub fn keyed_cases<P: Keyed>(folder: &str) {
    each(folder, run_keyed::<P>);
}

/// The same of a plugin of functions: each row of a case is a call.
///
/// # Panics
/// As [`cases`] does.
#[track_caller]
pub fn function_cases<P: Functions>(folder: &str) {
    each(folder, run_function::<P>);
}

#[track_caller]
#[allow(clippy::panic, reason = "an assertion")]
fn each(folder: &str, run: fn(&Path) -> Result<()>) {
    let files = files(&Path::new(folder).join("tests"));
    assert!(!files.is_empty(), "no cases in {folder}/tests: put one there as a .toml file");
    for file in files {
        if let Err(error) = run(&file) {
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
            assert_eq!(
                sides(&answer),
                expected(&case.outputs)?,
                "{file}: the side outputs (left), and expected"
            );
        }
        Err(failure) => assert_eq!(Some(failure), case.failure, "{file}: the failure (left), and expected"),
    }
    Ok(())
}

fn run_sink<P: BatchSink>(file: &Path) -> Result<()> {
    let case: Case = toml::from_str(&fs::read_to_string(file)?)?;
    let file = file.display();
    match stored::<P>(&case)? {
        Ok(stored) => {
            assert_eq!(case.failure, None, "{file}: a failure was expected, and there is {stored:?}");
            let outputs: BTreeMap<_, _> =
                stored.outputs.iter().map(|(name, rows)| (name.clone(), json::print(rows))).collect();
            assert_eq!(outputs, expected(&case.outputs)?, "{file}: the outputs (left), and expected");
            let statements = case.statements.iter().map(statement).collect::<Result<Vec<_>>>()?;
            assert_eq!(stored.statements, statements, "{file}: the statements (left), and expected");
        }
        Err(failure) => assert_eq!(Some(failure), case.failure, "{file}: the failure (left), and expected"),
    }
    Ok(())
}

fn run_keyed<P: Keyed>(file: &Path) -> Result<()> {
    let case: KeyedCase = toml::from_str(&fs::read_to_string(file)?)?;
    let file = file.display();
    let keys: Vec<&str> = case.keys.iter().map(String::as_str).collect();
    let mut job = match bind_keyed::<P>(&serde_json::to_string(&case.config)?, &case.schema, &keys) {
        Ok(job) => job,
        Err(error) => {
            let failure = Some(print_failure(error, true));
            assert_eq!(failure, case.failure, "{file}: the failure (left), and expected");
            return Ok(());
        }
    };
    assert_eq!(case.failure, None, "{file}: a failure was expected, and the plugin was bound");
    for (number, epoch) in case.epochs.iter().enumerate() {
        run_epoch(&mut job, epoch, &format!("{file}: epoch {number}"))?;
    }
    Ok(())
}

fn run_function<P: Functions>(file: &Path) -> Result<()> {
    let case: Case = toml::from_str(&fs::read_to_string(file)?)?;
    let file = file.display();
    match results::<P>(&case)? {
        Ok(results) => {
            assert_eq!(case.failure, None, "{file}: a failure was expected, and the results are {results:?}");
            let expected = json::print(&json::lines(&case.expect)?);
            assert_eq!(json::print(&results), expected, "{file}: the results (left), and expected");
        }
        Err(failure) => assert_eq!(Some(failure), case.failure, "{file}: the failure (left), and expected"),
    }
    Ok(())
}

fn run_epoch<P: Keyed>(job: &mut Job<P>, epoch: &EpochCase, which: &str) -> Result<()> {
    epoch.watermark.as_deref().map(|at| job.watermark(at).map(drop)).transpose()?;
    epoch.now.as_deref().map(|at| job.now(at).map(drop)).transpose()?;
    match job.epoch(&epoch.input) {
        Ok(answer) => {
            assert_eq!(epoch.failure, None, "{which}: a failure was expected, and there is {answer:?}");
            let rows = json::print(&json::lines(&epoch.expect)?);
            assert_eq!(json::print(&answer.rows), rows, "{which}: the rows (left), and expected");
            assert_eq!(answer.errors, epoch.errors, "{which}: the errors (left), and expected");
            let side = expected(&epoch.outputs)?;
            assert_eq!(sides(&answer), side, "{which}: the side outputs (left), and expected");
        }
        Err(error) => {
            let failure = Some(print_failure(error, false));
            assert_eq!(failure, epoch.failure, "{which}: the failure (left), and expected");
        }
    }
    Ok(())
}

/// The results, each as a column that is called as the function; or how the plugin fails.
fn results<P: Functions>(case: &Case) -> Result<Result<Vec<Value>, String>> {
    let bound = match bind_functions::<P>(&serde_json::to_string(&case.config)?) {
        Ok(bound) => bound,
        Err(error) => return Ok(Err(print_failure(error, true))),
    };
    let name = bound.named(case.function.as_deref())?;
    Ok(match bound.call(name, &case.input) {
        Ok(results) => Ok(results.into_iter().map(|result| json::named(name, result)).collect()),
        Err(error) => Err(print_failure(error, false)),
    })
}

/// What an epoch stores, or how the plugin fails.
fn stored<P: BatchSink>(case: &Case) -> Result<Result<Stored, String>> {
    let config = serde_json::to_string(&case.config)?;
    Ok(match bind_sink::<P>(&config, &case.schema) {
        Ok(bound) => bound.run(&case.input).map_err(|error| print_failure(error, false)),
        Err(error) => Err(print_failure(error, true)),
    })
}

fn statement(written: &Statement) -> Result<Executed> {
    Ok(Executed {
        output: written.output.clone(),
        statement: written.statement.trim().to_owned(),
        parameters: json::lines(&written.parameters)?,
    })
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

fn expected(outputs: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let rows = |text: &String| json::lines(text).map(|rows: Vec<Value>| json::print(&rows));
    outputs.iter().map(|(name, text)| Ok((name.clone(), rows(text)?))).collect()
}
