//! `test`: a pipeline's `[[tests]]`, or the fixtures of a plugin.

use crate::process;
use engine::{Error, Result};
use pipeline::{PipelineFile, fixtures, testing, testing::Outcome};
use std::{fmt::Write, path::Path, sync::Arc};

pub(crate) fn test(path: &Path, update: bool) -> Result<()> {
    let is_plugin = path.is_dir() && path.join("Cargo.toml").exists();
    let outcomes = process::block_on(async {
        let world = process::world()?;
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
    for outcome in outcomes {
        let word = if outcome.differences.is_empty() { "ok" } else { "FAILED" };
        let _ = writeln!(text, "test {} ... {word}", outcome.name);
        for difference in &outcome.differences {
            let _ = writeln!(text, "  {difference}");
        }
    }
    let failed = outcomes.iter().filter(|o| !o.differences.is_empty()).count();
    let _ = writeln!(text, "{} passed, {failed} failed", outcomes.len() - failed);
    crate::print(&text)?;
    match (outcomes.len(), failed) {
        (0, _) => Err(Error::invalid(format!(
            "{} has no tests; add a [[tests]] section to a pipeline, or tests/<case>.toml to a plugin",
            path.display()
        ))),
        (_, 0) => Ok(()),
        _ => Err(Error::data(format!("{failed} of {} tests failed", outcomes.len()))),
    }
}
