//! `test`: a pipeline's `[[tests]]`, or the fixtures of a plugin.

use crate::process;
use engine::{Error, Kind, Result};
use pipeline::{PipelineFile, fixtures, testing, testing::Outcome};
use std::{fmt::Write, path::Path, sync::Arc};

pub(crate) fn test(path: &Path, update: bool, registry: Option<&Path>) -> Result<()> {
    let is_plugin = plugin::project::is_source(path);
    let outcomes = process::block_on(async {
        let world = process::world(registry)?;
        if is_plugin {
            return fixtures::run(path, update, &world).await;
        }
        if update {
            return Err(Error::invalid("--update is for the fixtures of a plugin's folder"));
        }
        let file = if path.is_dir() { path.join("pipeline.toml") } else { path.to_owned() };
        let file = Arc::new(PipelineFile::read(&file, &process::environment)?);
        testing::run(file, &world).await
    })?;
    report(path, &outcomes)
}

fn report(path: &Path, outcomes: &[Outcome]) -> Result<()> {
    let mut text = String::new();
    for Outcome { name, differences } in outcomes {
        let word = match differences {
            Ok(differences) if differences.is_empty() => "ok",
            Ok(_) => "FAILED",
            Err(_) => "ERROR",
        };
        let _ = writeln!(text, "test {name} ... {word}");
        for difference in differences.iter().flatten() {
            let _ = writeln!(text, "  {difference}");
        }
    }
    let errors: Vec<&Error> = outcomes.iter().filter_map(|o| o.differences.as_ref().err()).collect();
    let differ = |o: &&Outcome| o.differences.as_ref().is_ok_and(|differences| !differences.is_empty());
    let failed = outcomes.iter().filter(differ).count();
    let passed = outcomes.len() - failed - errors.len();
    let _ = writeln!(text, "{passed} passed, {failed} failed{}", in_error(errors.len()));
    crate::print(&text)?;
    match (outcomes.len(), failed, unable(&errors)) {
        (0, ..) => Err(Error::invalid(format!(
            "{} has no tests; add a [[tests]] section to a pipeline, or tests/<case>.toml to a plugin",
            path.display()
        ))),
        (.., Some(error)) => Err(error),
        (_, 0, None) => Ok(()),
        (all, ..) => Err(Error::data(format!("{failed} of {all} tests failed"))),
    }
}

fn in_error(count: usize) -> String {
    if count == 0 { String::new() } else { format!(", {count} in error") }
}

/// What kept tests from running, a line for each. Who wrote one that cannot be read has to act first.
fn unable(errors: &[&Error]) -> Option<Error> {
    let kinds: Vec<Kind> = errors.iter().map(|error| error.kind()).collect();
    let kind = kinds.iter().find(|kind| **kind == Kind::Invalid).or(kinds.first())?;
    let lines: Vec<String> = errors.iter().map(|error| error.report()).collect();
    Some(Error::new(*kind, lines.join("\n")))
}
