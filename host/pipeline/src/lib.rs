//! The pipeline file: settings to sources, plan and sinks. What the command line and the server share.
//!
//! [`PipelineFile`] is a file whose shape is right; [`Planner`] makes the engine's parts from it; [`explain`] says
//! what would run; [`testing`] runs its tests.

mod assemble;
pub mod dead_letters;
mod directories;
pub mod explain;
mod file;
pub mod fixtures;
mod foreach_batch;
mod graph;
mod place;
mod planner;
mod query;
pub mod requests;
mod secrets;
pub mod settings;
mod table;
pub mod testing;
mod world;

pub use file::{Environment, PipelineFile};
pub use graph::{DEAD_LETTER, Graph, Upstream};
pub use place::{LineColumn, Problem};
pub use planner::{Planner, time_zone};
pub use query::query;
pub use world::{Unread, World};
