//! `state show` and `state query`: what steps remember.

use crate::{
    answer, checkpoint,
    cli::{self, StateQuery},
    process,
};
use connectors::formats::ddl;
use engine::{
    Epoch, Result, SystemClock,
    checkpoint::StepState,
    sql::{Questions, Rows},
};
use jiff::tz::TimeZone;
use std::{collections::BTreeMap, fmt::Write, path::Path, sync::Arc};

pub(crate) fn state(command: &cli::State) -> Result<()> {
    let text = match command {
        cli::State::Show { checkpoint, epoch } => show(checkpoint, *epoch)?,
        cli::State::Query(asked) => query(asked)?,
    };
    crate::print(&text)
}

fn read(checkpoint: &Path, epoch: Option<u64>) -> Result<(Epoch, Vec<StepState>)> {
    process::block_on(async { checkpoint::open(checkpoint).await?.0.state(epoch.map(Epoch)).await })
}

fn show(checkpoint: &Path, epoch: Option<u64>) -> Result<String> {
    let (epoch, steps) = read(checkpoint, epoch)?;
    let mut out = format!("after epoch {epoch}\n");
    if steps.is_empty() {
        out.push_str("no step remembers anything\n");
    }
    for (number, StepState { step, of, entries, bytes, rows }) in steps.iter().enumerate() {
        let _ = write!(
            out,
            "operator_{number}  {step}: {}\n    {entries} entries, {bytes} bytes in memory\n    columns: {}\n",
            without_types(of),
            ddl::print(&rows.schema)
        );
    }
    Ok(out)
}

/// What a step does, without the types behind it, which the columns show.
fn without_types(of: &str) -> &str {
    of.rsplit_once(" (").map_or(of, |(of, _)| of)
}

fn query(asked: &StateQuery) -> Result<String> {
    let (_, steps) = read(&asked.checkpoint, asked.epoch)?;
    let mut tables: BTreeMap<String, Rows> = BTreeMap::new();
    for (number, StepState { step, rows, .. }) in steps.into_iter().enumerate() {
        tables.insert(format!("operator_{number}"), rows.clone());
        tables.insert(step, rows);
    }
    let rows = Questions::default().ask(&asked.sql, tables, "UTC", Arc::new(SystemClock::new()))?;
    answer::text(&rows, asked.format, TimeZone::UTC)
}
