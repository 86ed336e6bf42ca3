//! The pipeline file: settings to sources, plan and sinks. What the command line and the server share.
//!
//! [`PipelineFile`] is a file whose shape is right; [`Planner`] makes the engine's parts from it; [`explain`] says
//! what would run; [`testing`] runs its tests.

mod assemble;
mod bound;
mod compare;
pub mod dead_letters;
mod directories;
pub mod explain;
mod file;
pub mod fixtures;
mod follow;
mod foreach_batch;
mod functions;
mod graph;
mod place;
mod planner;
mod query;
mod releases;
pub mod requests;
mod secrets;
pub mod settings;
pub mod shadow;
mod table;
pub mod testing;
mod world;

pub use file::{Environment, PipelineFile};
pub use graph::{DEAD_LETTER, Graph, Upstream};
pub use place::{LineColumn, Problem};
pub use planner::{Planner, time_zone};
pub use query::{query, query_beside};
pub use releases::no_registry;
pub use world::{Unread, World};
