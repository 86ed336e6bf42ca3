//! `build`, `build --watch` and `doctor`: from the source of a plugin to its component.

use crate::process;
use engine::{Error, Result};
use pipeline::World;
use plugin::project::{Changes, Condition, Health, doctor as look};
use std::{fmt::Write, path::Path};

/// `streamhost build`.
pub(crate) fn build(folder: &Path) -> Result<()> {
    once(&process::world(None)?, folder)
}

/// `streamhost build --watch`: what does not compile is said, and the next change is waited for.
pub(crate) fn watch(folder: &Path) -> Result<()> {
    let world = process::world(None)?;
    let mut changes = Changes::of(folder)?;
    loop {
        if let Err(e) = once(&world, folder) {
            eprintln!("{}", crate::message(&e));
        }
        changes.wait()?;
    }
}

fn once(world: &World, folder: &Path) -> Result<()> {
    let wasm = world.build(folder)?;
    crate::print(&format!("{}\n", wasm.display()))
}

/// `streamhost doctor`.
pub(crate) fn doctor(folder: Option<&Path>) -> Result<()> {
    let own = folder.map(language).transpose()?;
    let mut health = look(folder.unwrap_or(Path::new(".")));
    health.retain(|health| own.is_none_or(|own| health.language == own));
    crate::print(&health.iter().map(shown).collect::<String>())?;
    // A language that nobody here writes in may be missing.
    match own.is_some() && !health.iter().all(Health::is_ready) {
        true => Err(Error::invalid("what builds this plugin is not all there")),
        false => Ok(()),
    }
}

fn language(folder: &Path) -> Result<&'static str> {
    let language = plugin::project::language_of(folder);
    language.ok_or_else(|| Error::invalid(format!("{} is no folder of a plugin's source", folder.display())))
}

fn shown(health: &Health) -> String {
    let mut text =
        format!("{}: {}\n", health.language, if health.is_ready() { "ready" } else { "not ready" });
    for (tool, condition) in &health.tools {
        let _ = match condition {
            Condition::Ready(version) => writeln!(text, "  {tool}: {version}"),
            Condition::Wanting(what) => writeln!(text, "  {tool}: {what}"),
        };
    }
    for brought in &health.brings {
        let _ = writeln!(text, "  the first build brings {brought}");
    }
    text
}
