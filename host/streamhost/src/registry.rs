//! `plugin …` and `key …`: the registry.

use crate::{
    checkpoint,
    cli::{self, AddArgs, PluginCommand, SignArgs},
    process,
    progress::HoldAt,
};
use engine::{Clock, Error, Result, SystemClock};
use pipeline::World;
use plugin::registry::{Added, Details, Listed, Package, Pin, Registry, Release, SigningKey, sign_package};
use std::{collections::BTreeSet, fmt::Write, path::Path};

pub(crate) fn plugin(command: &PluginCommand, registry: Option<&Path>) -> Result<()> {
    let registry = || process::registry(registry).ok_or_else(pipeline::no_registry);
    let text = match command {
        PluginCommand::Add(args) => process::block_on(add(args, &registry()?))?,
        PluginCommand::List => list(&registry()?.list()?),
        PluginCommand::Search { words } => list(&registry()?.search(words)?),
        PluginCommand::Info { plugin } => info(&registry()?, plugin)?,
        PluginCommand::Verify { releases } => verify(&registry()?, releases)?,
        PluginCommand::Yank { release, reason, undo } => yank(&registry()?, release, reason, *undo)?,
        PluginCommand::Remove { release } => process::block_on(remove(&registry()?, release))?,
        PluginCommand::Gc { yanked } => process::block_on(collect(&registry()?, *yanked))?,
        PluginCommand::Sign(args) => sign(args, registry)?,
    };
    crate::print(&text)
}

pub(crate) fn key(command: &cli::Key) -> Result<()> {
    let cli::Key::New { file } = command;
    let public = SigningKey::create(file)?;
    crate::print(&format!("{public}\n"))
}

async fn add(args: &AddArgs, registry: &Registry) -> Result<String> {
    let world = process::world(None)?;
    let mut package = package(&args.plugin, &world).await?;
    if let Some(key) = &args.sign {
        package.sign(&SigningKey::read(key)?, SystemClock::new().now())?;
    }
    let release = package.release()?;
    let hold = HoldAt::new(process::environment("STREAMHOST_HOLD_AT"));
    Ok(match registry.add(&package, &|step| hold.step(step))? {
        Added::New => format!("added {release} to {}\n", registry.dir().display()),
        Added::Same => format!("{release} is in {} already\n", registry.dir().display()),
    })
}

/// A component, the source of one, a folder with one, or a package that was made before.
async fn package(path: &Path, world: &World) -> Result<Package> {
    if !path.is_dir() {
        return Package::gather(&world.runtime, path, None).await;
    }
    if Package::is_in(path) {
        return Package::read(&world.runtime, path).await;
    }
    let component = path.join("component.wasm");
    let component = if component.is_file() { component } else { world.build(path)? };
    Package::gather(&world.runtime, &component, Some(path)).await
}

fn list(releases: &[Listed]) -> String {
    let mut out = String::new();
    for Listed { release, summary, worlds, yanked, .. } in releases {
        let yanked = if yanked.is_some() { "  (yanked)" } else { "" };
        let _ = writeln!(out, "{:<32}  {:<14}  {summary}{yanked}", release.to_string(), worlds.join(", "));
    }
    if out.is_empty() {
        out.push_str("no plugin\n");
    }
    out
}

fn info(registry: &Registry, plugin: &str) -> Result<String> {
    let release = match plugin.contains('@') {
        true => Release::parse(plugin)?,
        false => newest(registry, plugin)?,
    };
    let Details { manifest, signed_by, yanked, folder } = registry.info(&release)?;
    let mut out = String::new();
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(out, "{what:<14} {value}");
    };
    let list = |items: &[String]| if items.is_empty() { "nothing".into() } else { items.join(", ") };
    line("name", &manifest.name);
    line("version", &manifest.version);
    line("summary", &manifest.summary);
    line("world", &manifest.worlds.join(", "));
    line("deterministic", if manifest.deterministic { "yes" } else { "no" });
    line("asks for", &list(&manifest.asks));
    line("contract", &manifest.contract);
    line("digest", manifest.component());
    let signed_by: Vec<String> = signed_by.iter().map(ToString::to_string).collect();
    line("signed by", &if signed_by.is_empty() { "nobody".into() } else { signed_by.join(", ") });
    if let Some(reason) = yanked {
        line("yanked", if reason.is_empty() { "yes" } else { &reason });
    }
    line("files", &manifest.files.keys().cloned().collect::<Vec<_>>().join(", "));
    line("folder", &folder.display().to_string());
    Ok(out)
}

fn newest(registry: &Registry, name: &str) -> Result<Release> {
    let wanted = plugin::registry::Wanted::parse(name);
    let wanted = wanted
        .ok_or_else(|| Error::invalid(format!("{name:?} is no plugin's name; write name or name@1.2.3")))?;
    Ok(registry.resolve(&wanted?)?.release)
}

fn verify(registry: &Registry, releases: &[String]) -> Result<String> {
    let mut wrong = Vec::new();
    let mut looked_at = releases.len();
    for release in releases {
        wrong.extend(registry.verify(&Release::parse(release)?)?);
    }
    if releases.is_empty() {
        wrong = registry.verify_all()?;
        looked_at = registry.list()?.len();
    }
    match wrong.is_empty() {
        true => Ok(format!("{looked_at} verified\n")),
        false => Err(Error::data(wrong.join("\n"))),
    }
}

fn yank(registry: &Registry, release: &str, reason: &str, undo: bool) -> Result<String> {
    let release = Release::parse(release)?;
    if undo {
        registry.unyank(&release)?;
        return Ok(format!("{release} may be chosen again\n"));
    }
    registry.yank(&release, reason)?;
    Ok(format!("{release} is chosen by nobody any more; queries that run it go on with it\n"))
}

async fn remove(registry: &Registry, release: &str) -> Result<String> {
    let release = Release::parse(release)?;
    registry.remove(&release, needs).await?;
    Ok(format!("removed {release}\n"))
}

async fn collect(registry: &Registry, yanked: bool) -> Result<String> {
    let gone = registry.collect(yanked, needs).await?;
    Ok(gone.iter().map(|what| format!("removed {what}\n")).collect())
}

/// The digests that the checkpoint of a pin needs; none if it is gone. One that has planned nothing yet needs what it was started
/// with.
async fn needs(pin: &Pin) -> Result<Option<BTreeSet<String>>> {
    let Some(checkpoint) = checkpoint::look(Path::new(&pin.checkpoint)).await? else { return Ok(None) };
    let records = checkpoint.in_force().await?;
    if records.is_empty() {
        return Ok(Some(pin.plugins.values().cloned().collect()));
    }
    let of_releases = |record: &engine::checkpoint::OffsetRecord| {
        let releases = record.releases.values().map(|release| release.digest.clone());
        record.plugins.values().cloned().chain(releases).collect::<Vec<_>>()
    };
    Ok(Some(records.iter().flat_map(of_releases).collect()))
}

fn sign(args: &SignArgs, registry: impl Fn() -> Result<Registry>) -> Result<String> {
    let key = SigningKey::read(&args.key)?;
    let now = SystemClock::new().now();
    let folder = Path::new(&args.plugin);
    if Package::is_in(folder) {
        sign_package(folder, &key, now)?;
    } else {
        registry()?.sign(&Release::parse(&args.plugin)?, &key, now)?;
    }
    Ok(format!("{} is signed by {}\n", args.plugin, key.public()?))
}
