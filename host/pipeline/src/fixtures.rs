//! The fixtures of a plugin: `tests/<what it shows>.toml` in its folder, run on the built component.

mod function;
mod keyed;
mod sink;

use crate::{
    compare::{compare, lines},
    file,
    testing::Outcome,
    world::World,
};
use arrow::array::{AsArray, RecordBatch};
use connectors::{formats::ddl, given};
use engine::{Batch, EpochContext, Error, Kind, Place, Result, ResultExt, Step};
use indexmap::{IndexMap, IndexSet};
use jiff::tz::TimeZone;
use plugin::{BindSettings, DEAD_LETTER_PORT, OnError, Plugin, PluginStep, Role};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use toml_edit::DocumentMut;

/// One fixture. The plugin SDK's README describes the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    config: toml::Table,
    #[serde(default)]
    schema: String,
    function: Option<String>,
    #[serde(default)]
    input: String,
    #[serde(default)]
    expect: String,
    #[serde(default)]
    errors: Vec<String>,
    failure: Option<String>,
    #[serde(default)]
    outputs: IndexMap<String, String>,
    #[serde(default)]
    statements: Vec<sink::Statement>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    epochs: Vec<keyed::Epoch>,
}

/// What a plugin answered to a case.
#[derive(Default)]
struct Answer {
    main: Vec<RecordBatch>,
    errors: Vec<String>,
    outputs: IndexMap<String, Vec<RecordBatch>>,
    statements: Vec<sink::Executed>,
}

/// Builds the plugin in `folder` and runs its fixtures, each whatever became of the others; with `update`, writes what came into the files instead.
pub async fn run(folder: &Path, update: bool, world: &World) -> Result<Vec<Outcome>> {
    let plugin = world.load(folder).await?;
    let mut outcomes = Vec::new();
    for file in files(folder)? {
        let name = file.file_stem().map_or_else(String::new, |n| n.to_string_lossy().replace('-', " "));
        let differences = one(&plugin, &file, update).await;
        outcomes.push(Outcome { name, differences });
    }
    Ok(outcomes)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let tests = folder.join("tests");
    let Ok(entries) = fs::read_dir(&tests) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.doing(Kind::Unavailable, || format!("listing {}", tests.display()))?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

async fn one(plugin: &Plugin, file: &Path, update: bool) -> Result<Vec<String>> {
    let text = fs::read_to_string(file)
        .doing(Kind::Invalid, || format!("cannot read the fixture {}", file.display()))?;
    let case: Case = file::parse(file, &text)?;
    run_case(plugin, file, &text, &case, update)
        .await
        .map_err(|e| e.while_doing(format!("fixture {}", file.display())))
}

async fn run_case(
    plugin: &Plugin,
    file: &Path,
    text: &str,
    case: &Case,
    update: bool,
) -> Result<Vec<String>> {
    if !case.keys.is_empty() {
        return keyed::run(plugin, file, text, case, update).await;
    }
    match (answer(plugin, case).await, &case.failure) {
        (Ok(answer), _) if update => write(file, text, case, &answer),
        (Ok(answer), None) => differences(case, &answer),
        (Ok(_), Some(failure)) => Ok(vec![no_failure(failure)]),
        (Err(error), Some(failure)) => Ok(other_failure(failure, &error)),
        (Err(error), None) => Err(error),
    }
}

fn no_failure(expected: &str) -> String {
    format!("expected the failure {expected:?}, got rows")
}

/// What is wrong with a failure where `invalid: …`, or its like, is expected.
fn other_failure(expected: &str, error: &Error) -> Vec<String> {
    let message = expected.split_once(": ").map_or(expected, |(_, message)| message);
    let report = error.report();
    match report.contains(message) {
        true => Vec::new(),
        false => vec![format!("expected the failure {expected:?}, got {report:?}")],
    }
}

async fn answer(plugin: &Plugin, case: &Case) -> Result<Answer> {
    let config = serde_json::to_string(&case.config).doing(Kind::Invalid, || "the config is no JSON")?;
    if plugin.roles() == [Role::Functions] || case.function.is_some() {
        return function::results(plugin, case, config).await;
    }
    let schema = Arc::new(ddl::parse(&case.schema)?);
    if !plugin.roles().contains(&Role::Transform) {
        return sink::stored(plugin, case, config, schema).await;
    }
    // A case that expects a failure wants the call to fail; any other wants to see its rows in error.
    let on_error = if case.failure.is_some() { OnError::Fail } else { OnError::DeadLetter };
    let settings = BindSettings { config, on_error, ..BindSettings::new("test", schema.clone()) };
    let step = plugin.bind(settings).await?;
    let rows = given::exact(&case.input, &schema, &TimeZone::UTC)?;
    let place = Place::At { of: "input".into(), unit: "row", first: 0 };
    let mut out = Vec::new();
    let mut worker = step.worker().await?;
    worker.process(&EpochContext::alone("test"), Batch::read(rows, place), &mut out).await?;
    collect(&step, out)
}

fn collect(step: &PluginStep, out: Vec<(usize, Batch)>) -> Result<Answer> {
    let mut answer = Answer::default();
    for (port, batch) in out {
        let name = step.ports().get(port).map_or("", |p| p.name.as_str());
        match name {
            "" => answer.main.push(batch.rows),
            DEAD_LETTER_PORT => answer.errors.extend(errors(&batch.rows)?),
            side => answer.outputs.entry(side.to_owned()).or_default().push(batch.rows),
        }
    }
    Ok(answer)
}

/// `row 2: message`, for each dead letter.
fn errors(rows: &RecordBatch) -> Result<Vec<String>> {
    let column = |name: &str| {
        let column = rows.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        column.ok_or_else(|| Error::internal(format!("dead letters have no column {name}")))
    };
    let (positions, messages) = (column("_position")?, column("_error")?);
    let row = |position: &str| position.rsplit(' ').next().unwrap_or_default().to_owned();
    let pairs = positions.iter().zip(messages.iter());
    Ok(pairs.map(|(p, m)| format!("row {}: {}", row(p.unwrap_or_default()), m.unwrap_or_default())).collect())
}

/// What is wrong with the rows that came, of the main output and of the others.
fn of_rows(expect: &str, outputs: &IndexMap<String, String>, answer: &Answer) -> Result<Vec<String>> {
    let mut differences = compare("expect", expect, &answer.main)?;
    // An output with rows that the fixture does not name is a difference too.
    let names: IndexSet<&String> = outputs.keys().chain(answer.outputs.keys()).collect();
    for name in names {
        let expected = outputs.get(name).map_or("", String::as_str);
        let rows = answer.outputs.get(name).map_or(&[][..], Vec::as_slice);
        differences.extend(compare(&format!("outputs.{name}"), expected, rows)?);
    }
    Ok(differences)
}

fn differences(case: &Case, answer: &Answer) -> Result<Vec<String>> {
    let mut differences = of_rows(&case.expect, &case.outputs, answer)?;
    differences.extend(sink::differences(&case.statements, &answer.statements)?);
    let expected: Vec<String> = case.errors.iter().map(|e| e.replacen(" (retry):", ":", 1)).collect();
    if expected != answer.errors {
        differences.push(format!("errors: expected {expected:?}, got {:?}", answer.errors));
    }
    Ok(differences)
}

/// Puts what came in the place of what was expected; everything else of the file stays as it is.
fn write(file: &Path, text: &str, case: &Case, answer: &Answer) -> Result<Vec<String>> {
    let mut document: DocumentMut = text.parse().doing(Kind::Invalid, || "is no TOML")?;
    document.remove("failure");
    if case.expect.is_empty() && answer.main.is_empty() {
        document.remove("expect");
    } else {
        document.insert("expect", block(&answer.main)?);
    }
    write_outputs(&mut document, case, answer)?;
    sink::write(&mut document, &answer.statements)?;
    match answer.errors.is_empty() {
        true => document.remove("errors"),
        false => document.insert("errors", toml_edit::value(toml_edit::Array::from_iter(&answer.errors))),
    };
    fs::write(file, document.to_string()).doing(Kind::Unavailable, || "cannot be written")?;
    Ok(Vec::new())
}

fn write_outputs(document: &mut DocumentMut, case: &Case, answer: &Answer) -> Result<()> {
    if answer.outputs.is_empty() {
        document.remove("outputs");
        return Ok(());
    }
    let outputs = document.entry("outputs").or_insert_with(toml_edit::table).as_table_like_mut();
    let outputs = outputs.ok_or_else(|| Error::invalid("`outputs` is no table"))?;
    for name in case.outputs.keys().filter(|name| !answer.outputs.contains_key(*name)) {
        outputs.remove(name);
    }
    for (name, rows) in &answer.outputs {
        outputs.insert(name, block(rows)?);
    }
    Ok(())
}

/// Rows as a literal block, a row a line.
fn block(rows: &[RecordBatch]) -> Result<toml_edit::Item> {
    let text = lines(rows)?.join("\n");
    let literal = format!("'''\n{text}{}'''", if text.is_empty() { "" } else { "\n" });
    let value: toml_edit::Value = literal.parse().doing(Kind::Internal, || "writing rows as TOML")?;
    Ok(toml_edit::Item::Value(value))
}
