//! `run`, `check`, `explain` and `schema`: what is done with a pipeline.

use crate::{
    cli::{ProgressStyle, RunArgs},
    flags,
    live::{self, Asked, Listener},
    process,
    progress::{HoldAt, JsonLines, LiveLine, Shown, Watch, Watched},
};
use clap::{ArgMatches, parser::ValueSource};
use connectors::stores;
use engine::{Error, Kind, Result, ResultExt, sql::Questions};
use pipeline::{PipelineFile, World, settings::Pipeline};
use std::{
    io::{IsTerminal, stderr, stdout},
    path::{Path, PathBuf},
    sync::Arc,
};

/// `streamhost run`.
pub(crate) fn run(args: RunArgs, matches: &ArgMatches, registry: Option<&Path>) -> Result<()> {
    let file = Arc::new(pipeline(&args, matches)?);
    let style = args.progress.unwrap_or_else(|| match stderr().is_terminal() && args.watch.is_none() {
        true => ProgressStyle::Live,
        false => ProgressStyle::None,
    });
    process::block_on(async {
        let hold = Arc::new(HoldAt::new(process::environment("STREAMHOST_HOLD_AT")));
        let mut world = process::world(registry)?;
        let at_step = hold.clone();
        world.at_step = Some(Arc::new(move |step| at_step.step(step)));
        let mut watch: Vec<Box<dyn Watch>> = match style {
            ProgressStyle::Json => vec![Box::new(JsonLines)],
            ProgressStyle::Live => vec![Box::new(LiveLine::new())],
            ProgressStyle::None => Vec::new(),
        };
        if let Some(name) = &args.watch {
            watch.push(Box::new(watched(name, &file, &world)?));
        }
        let shown = Arc::new(Shown { watch, hold });
        let started = world.clock.monotonic();
        let query = pipeline::query(&file, &world, shown.clone())?;
        let _listener = listen(&file, &world)?;
        query.run(&process::stop_on_signal()?).await?;
        shown.watch.ended(world.clock.monotonic() - started);
        Ok(())
    })
}

/// What `--watch` draws.
fn watched(name: &str, file: &PipelineFile, world: &World) -> Result<Watched> {
    let memory = file.settings.leaves().into_iter().filter(|leaf| leaf.sink.memory.is_some());
    let names: Vec<String> = memory.map(|leaf| leaf.name).collect();
    if !names.iter().any(|known| known == name) {
        let there =
            if names.is_empty() { "it has none".into() } else { format!("it has {}", names.join(", ")) };
        return Err(Error::invalid(format!(
            "--watch {name}: the pipeline has no sink [sinks.{name}.memory]; {there}"
        )));
    }
    Ok(Watched {
        name: name.to_owned(),
        table: world.live.table(name),
        zone: pipeline::time_zone(file)?,
        redraw: stdout().is_terminal(),
    })
}

/// Answers `streamhost query`, if there is a table to ask.
fn listen(file: &PipelineFile, world: &World) -> Result<Option<Listener>> {
    if file.settings.leaves().iter().all(|leaf| leaf.sink.memory.is_none()) {
        return Ok(None);
    }
    let asked = Asked {
        tables: world.live.clone(),
        time_zone: file.settings.time_zone.clone(),
        clock: world.clock.clone(),
        questions: Arc::new(Questions::with_functions(world.functions.clone())),
    };
    live::listen(&file.name(), asked)
}

fn pipeline(args: &RunArgs, matches: &ArgMatches) -> Result<PipelineFile> {
    let Some(path) = &args.pipeline else {
        let table = flags::pipeline(args, &config_owners(matches))?;
        return PipelineFile::from_table(table);
    };
    let doubled = beside_a_file(matches);
    if !doubled.is_empty() {
        return Err(Error::invalid(format!(
            "{} says what to read, do and write; leave {} out, or leave the file out",
            path.display(),
            doubled.join(", ")
        )));
    }
    overridden(path, args)
}

/// A file with what flags say otherwise.
pub(crate) fn overridden(path: &Path, args: &RunArgs) -> Result<PipelineFile> {
    let mut file = read(path)?;
    let mut table = toml::Table::new();
    flags::overrides(args, &mut table)?;
    if let Some(checkpoint) = &args.checkpoint {
        // A flag's path starts at the working directory, not at the file's folder.
        let path = match stores::address(checkpoint.as_ref()) {
            Some(address) => PathBuf::from(address),
            None => std::path::absolute(checkpoint)
                .doing(Kind::Invalid, || format!("--checkpoint {checkpoint}"))?,
        };
        table.insert("checkpoint".into(), path.display().to_string().into());
    }
    let Pipeline { name, trigger, checkpoint, parallelism, .. } =
        table.try_into().map_err(|e: toml::de::Error| Error::invalid(format!("flags: {}", e.message())))?;
    let settings = &mut file.settings;
    settings.name = name.or_else(|| settings.name.take());
    settings.checkpoint = checkpoint.or_else(|| settings.checkpoint.take());
    settings.parallelism = parallelism.or(settings.parallelism);
    if args.trigger.is_some() {
        settings.trigger = trigger;
    }
    Ok(file)
}

/// The flags given that say what only a pipeline file may say once there is one.
fn beside_a_file(matches: &ArgMatches) -> Vec<String> {
    /// What may be said of a file's pipeline from outside.
    const MAY: [&str; 9] =
        ["pipeline", "name", "trigger", "checkpoint", "parallelism", "progress", "watch", "log", "registry"];
    let Some((_, run)) = matches.subcommand() else { return Vec::new() };
    let given = run.ids().map(|id| id.as_str()).filter(|id| !MAY.contains(id));
    let given = given.filter(|id| run.value_source(id) == Some(ValueSource::CommandLine));
    // clap lists the group of all flags among them, which no flag is called after.
    given.filter(|id| *id != "RunArgs").map(|id| format!("--{}", id.replace('_', "-"))).collect()
}

/// For each `--plugin-config`, how many `--plugin` stand before it.
fn config_owners(matches: &ArgMatches) -> Vec<usize> {
    let Some((_, run)) = matches.subcommand() else { return Vec::new() };
    let plugins: Vec<usize> = run.indices_of("plugin").into_iter().flatten().collect();
    let configs = run.indices_of("plugin_config").into_iter().flatten();
    configs.map(|at| plugins.iter().filter(|plugin| **plugin < at).count()).collect()
}

pub(crate) fn read(path: &Path) -> Result<PipelineFile> {
    let path: PathBuf = if path.is_dir() { path.join("pipeline.toml") } else { path.to_owned() };
    PipelineFile::read(&path, &process::environment)
}

/// `streamhost check`.
pub(crate) fn check(path: &Path, registry: Option<&Path>) -> Result<()> {
    let file = Arc::new(read(path)?);
    process::block_on(async {
        let world = process::world(registry)?;
        pipeline::explain::explain(&file, &world).await?;
        pipeline::testing::check(&file, &world).await
    })?;
    crate::print(&format!("{}: ok\n", path.display()))
}

/// `streamhost explain`.
pub(crate) fn explain(path: &Path, registry: Option<&Path>) -> Result<()> {
    let file = Arc::new(read(path)?);
    let text =
        process::block_on(async { pipeline::explain::explain(&file, &process::world(registry)?).await })?;
    crate::print(&text)
}

/// `streamhost schema`.
pub(crate) fn schema() -> Result<()> {
    crate::print(&pipeline::settings::json_schema()?)
}
