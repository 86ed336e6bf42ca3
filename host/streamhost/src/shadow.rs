//! `shadow` and `replay`: looking at what a step's plugin does, or another one in its place.

use crate::{
    cli::{ReplayArgs, RunArgs, ShadowArgs},
    process,
    progress::{HoldAt, Shown},
    run,
};
use connectors::stores;
use engine::{Epoch, Error, Result};
use pipeline::shadow::Shadow;
use std::{
    path::{Path, absolute},
    sync::Arc,
};

pub(crate) fn shadow(args: ShadowArgs, registry: Option<&Path>) -> Result<()> {
    let ShadowArgs { pipeline, step, with, trigger, checkpoint } = args;
    let overrides = RunArgs { trigger, checkpoint, ..RunArgs::default() };
    let file = Arc::new(run::overridden(&pipeline, &overrides)?);
    let shadow = Arc::new(Shadow::new(step, Some(with)));
    process::block_on(async {
        let hold = Arc::new(HoldAt::new(process::environment("STREAMHOST_HOLD_AT")));
        let mut world = process::world(registry)?;
        let at_step = hold.clone();
        world.at_step = Some(Arc::new(move |step| at_step.step(step)));
        let shown = Arc::new(Shown { watch: Vec::new(), hold });
        let query = pipeline::query_beside(&file, &world, shown, &shadow)?;
        query.run(&process::stop_on_signal()?).await
    })?;
    crate::print(&shadow.to_string())
}

/// `streamhost replay`.
pub(crate) fn replay(args: ReplayArgs, registry: Option<&Path>) -> Result<()> {
    let ReplayArgs { checkpoint, epoch, step, with, pipeline } = args;
    let mut file = run::read(&pipeline)?;
    // The checkpoint's path starts at the working directory, not at the file's folder.
    let is_path = stores::address(&checkpoint).is_none();
    let checkpoint = if is_path { absolute(&checkpoint).unwrap_or(checkpoint) } else { checkpoint };
    file.settings.checkpoint = Some(checkpoint);
    let file = Arc::new(file);
    let compares = with.is_some();
    let shadow = Arc::new(Shadow::new(step, with));
    let differing = process::block_on(async {
        let world = process::world(registry)?;
        let shown = Arc::new(Shown { watch: Vec::new(), hold: Arc::default() });
        let query = pipeline::query_beside(&file, &world, shown, &shadow)?;
        query.again(Epoch(epoch)).await
    })?;
    let rows = || shadow.take_rows().into_iter().map(|row| row + "\n").collect();
    crate::print(&if compares { shadow.to_string() } else { rows() })?;
    match differing.as_slice() {
        [] => Ok(()),
        steps => Err(Error::plugin(format!(
            "epoch {epoch}, again: what step {} puts out is not what it put out then, and its plugin says that it is deterministic",
            steps.join(", ")
        ))),
    }
}
