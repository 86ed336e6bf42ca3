//! `checkpoint show`, `checkpoint reset` and `checkpoint migrate`.

use crate::{
    cli::{self, MigrateArgs},
    process,
};
use connectors::stores::{self, Environment};
use engine::{
    Clock, Epoch, Error, Result, SystemClock,
    checkpoint::{Checkpoint, EpochSummary, Metadata, Migration},
};
use std::{fmt::Write, path::Path};

pub(crate) fn checkpoint(command: cli::Checkpoint) -> Result<()> {
    let text = process::block_on(async {
        match &command {
            cli::Checkpoint::Show { checkpoint } => show(checkpoint).await,
            cli::Checkpoint::Reset { checkpoint, to, new_id, restored } => {
                reset(checkpoint, Epoch(*to), *new_id, *restored).await
            }
            cli::Checkpoint::Migrate(args) => migrate(args).await,
        }
    })?;
    crate::print(&text)
}

/// The checkpoint at this place, if there is one.
pub(crate) async fn look(path: &Path) -> Result<Option<Checkpoint>> {
    let checkpoint = Checkpoint::new(stores::checkpoint(path, &Environment::new(process::environment))?);
    Ok(checkpoint.metadata().await?.map(|_| checkpoint))
}

pub(crate) async fn open(path: &Path) -> Result<(Checkpoint, Metadata)> {
    let checkpoint = Checkpoint::new(stores::checkpoint(path, &Environment::new(process::environment))?);
    let metadata = checkpoint.metadata().await?;
    let metadata = metadata.ok_or_else(|| {
        Error::invalid(format!("{} is no checkpoint: it has no file `metadata`", path.display()))
    })?;
    Ok((checkpoint, metadata))
}

async fn show(path: &Path) -> Result<String> {
    let (checkpoint, metadata) = open(path).await?;
    let mut out = format!("query {}  {}\n", metadata.id, metadata.name);
    for (name, what) in &metadata.sources {
        let _ = writeln!(out, "source {name}  {what}");
    }
    let _ = writeln!(
        out,
        "\n{:>6}  {:<24}  {:<9}  {:>12}  {:>8}  offsets",
        "epoch", "planned", "state", "rows", "bytes"
    );
    for epoch in checkpoint.epochs().await? {
        out.push_str(&row(&epoch));
    }
    Ok(out)
}

fn row(summary: &EpochSummary) -> String {
    let planned = summary.offsets.as_ref().map_or_else(String::new, |o| o.time.to_string());
    let state = if summary.commit.is_some() { "committed" } else { "planned" };
    let rows = summary.commit.as_ref().map_or_else(String::new, |c| c.rows.to_string());
    let offsets = summary.offsets.iter().flat_map(|o| &o.sources).map(|(name, ranges)| {
        let start = ranges.first().and_then(|r| r.start.as_ref()).map_or("start".into(), |o| o.0.to_string());
        let end = ranges.last().map_or_else(String::new, |r| r.end.0.to_string());
        format!("{name} {start} → {end}")
    });
    format!(
        "{:>6}  {planned:<24}  {state:<9}  {rows:>12}  {:>8}  {}\n",
        summary.epoch,
        summary.bytes,
        offsets.collect::<Vec<_>>().join(", ")
    )
}

async fn reset(path: &Path, to: Epoch, new_id: bool, restored: bool) -> Result<String> {
    let (checkpoint, _) = open(path).await?;
    // The commits after it may be why somebody goes back: only the one that stays is read.
    let stays = checkpoint.commit(to).await?;
    let again = checkpoint.reset(to, new_id, restored, SystemClock::new().now()).await?;
    let sinks = stays.map(|commit| commit.sinks.into_keys().collect::<Vec<_>>().join(", "));
    let epochs = if again.len() == 1 { "epoch" } else { "epochs" };
    let mut out = format!(
        "back at epoch {to}: {} {epochs} after it will run again, over the same input\n",
        again.len()
    );
    if new_id {
        let _ = writeln!(
            out,
            "the query has a new identity: sinks that stored these epochs will store them once more ({})",
            sinks.unwrap_or_default()
        );
    }
    Ok(out)
}

async fn migrate(args: &MigrateArgs) -> Result<String> {
    let renamed = args.rename.iter().map(|names| {
        let split = names.split_once('=').filter(|(old, new)| !old.is_empty() && !new.is_empty());
        let (old, new) = split.ok_or_else(|| {
            Error::invalid(format!("--rename {names}: write the old and the new name, as in counts=totals"))
        })?;
        Ok((old.to_owned(), new.to_owned()))
    });
    let migration = Migration {
        renamed: renamed.collect::<Result<_>>()?,
        forgotten: args.forget.iter().cloned().collect(),
        empty: args.empty.iter().cloned().collect(),
    };
    let (from, _) = open(&args.from).await?;
    let to = Checkpoint::new(stores::checkpoint(&args.to, &Environment::new(process::environment))?);
    let last = from.migrate(&to, &migration, SystemClock::new().now()).await?;
    Ok(format!(
        "{} goes on after epoch {last}; the host of {} is replaced\n",
        args.to.display(),
        args.from.display()
    ))
}
