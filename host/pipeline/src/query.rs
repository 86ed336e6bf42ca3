use crate::{
    file::PipelineFile,
    planner::Planner,
    settings::{self, Leaf, Pipeline},
    shadow::Shadow,
    world::World,
};
use connectors::stores;
use engine::{
    CheckpointStore, Observer, Query, QuerySettings, Restart, Result, Trigger, checkpoint::MemoryStore,
};
use std::sync::Arc;

/// The query of a pipeline, ready to run.
pub fn query(file: &Arc<PipelineFile>, world: &World, observer: Arc<dyn Observer>) -> Result<Query> {
    of_planner(Planner::new(file.clone(), world.clone())?, file, world, observer)
}

/// The query of a pipeline, with another plugin beside that of one of its steps.
pub fn query_beside(
    file: &Arc<PipelineFile>,
    world: &World,
    observer: Arc<dyn Observer>,
    shadow: &Arc<Shadow>,
) -> Result<Query> {
    let planner = Planner::new(file.clone(), world.clone())?.with_shadow(shadow.clone())?;
    of_planner(planner, file, world, observer)
}

fn of_planner(
    planner: Planner,
    file: &Arc<PipelineFile>,
    world: &World,
    observer: Arc<dyn Observer>,
) -> Result<Query> {
    let store: Arc<dyn CheckpointStore> = match &file.settings.checkpoint {
        Some(path) => stores::checkpoint(&file.resolve(path), &planner.secrets().stores()?)?,
        None => {
            warn_of_what_comes_twice(&file.settings);
            Arc::new(MemoryStore::default())
        }
    };
    Ok(Query {
        settings: query_settings(file.name(), &file.settings),
        audit: planner.audit()?,
        planner: Arc::new(planner),
        store,
        clock: world.clock.clone(),
        observer,
    })
}

/// Into how many partitions an epoch is divided.
pub(crate) fn parallelism(pipeline: &Pipeline) -> u32 {
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    pipeline.parallelism.unwrap_or_else(cores)
}

/// Without a checkpoint every start reads from the beginning, which is no harm where nothing lasts.
fn warn_of_what_comes_twice(pipeline: &Pipeline) {
    if let Some(Leaf { name, .. }) = pipeline.leaves().into_iter().find(|leaf| leaf.sink.lasts()) {
        tracing::warn!(sink = name, "there is no `checkpoint`: another run stores all rows once more");
    }
}

fn query_settings(name: String, pipeline: &Pipeline) -> QuerySettings {
    QuerySettings {
        name,
        trigger: trigger(pipeline.trigger),
        parallelism: parallelism(pipeline),
        retain_epochs: pipeline.retain_epochs,
        restart: Restart {
            attempts: pipeline.restart.attempts,
            first: pipeline.restart.backoff.first.0,
            longest: pipeline.restart.backoff.longest.0,
        },
        stop_timeout: pipeline.stop_timeout.0,
        max_state: pipeline.max_state.0,
    }
}

/// The engine's trigger for a setting.
pub(crate) fn trigger(trigger: settings::Trigger) -> Trigger {
    match trigger {
        settings::Trigger::Asap => Trigger::Asap,
        settings::Trigger::AvailableNow => Trigger::AvailableNow,
        settings::Trigger::Once => Trigger::Once,
        settings::Trigger::ProcessingTime(interval) => Trigger::ProcessingTime(interval.0),
        settings::Trigger::Continuous(interval) => Trigger::Continuous(interval.0),
    }
}
