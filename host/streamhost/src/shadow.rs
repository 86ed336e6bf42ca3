//! `shadow`: another version of a plugin beside the one that runs.

use crate::{
    cli::{RunArgs, ShadowArgs},
    process,
    progress::{HoldAt, Shown},
    run,
};
use engine::Result;
use pipeline::shadow::Shadow;
use std::{path::Path, sync::Arc};

pub(crate) fn shadow(args: ShadowArgs, registry: Option<&Path>) -> Result<()> {
    let ShadowArgs { pipeline, step, with, trigger, checkpoint } = args;
    let overrides = RunArgs { trigger, checkpoint, ..RunArgs::default() };
    let file = Arc::new(run::overridden(&pipeline, &overrides)?);
    let shadow = Arc::new(Shadow::new(step, with));
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
