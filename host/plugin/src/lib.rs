//! Wasm components as steps, sinks and SQL functions of a query: loading, binding, limits, and Arrow across the boundary.
//!
//! Five nouns. A [`Runtime`] compiles and runs; one serves the process. A [`Plugin`] is a component that was loaded
//! from disk. Bound to a configuration and an input schema it becomes a [`PluginStep`], a [`PluginSink`] or
//! [`BoundFunctions`], which the engine drives. A lane of the step, an epoch of the sink, or a call of a function runs one **instance**: a copy of the component with its own memory,
//! kept over epochs and thrown away after a trap.
//!
//! # Invariants
//!
//! - This is the only crate that names wasmtime.
//! - A guest is hostile: everything it says is checked before it is used, and no answer of it can panic the host, grow
//!   the host without bound or keep a thread.
//! - Every call into a guest, the first and the thousandth, is armed with all its [`Limits`] by one function.
//! - Compiled code is only ever loaded from the host's own cache, and only with the host's own seal on it.

mod abi;
mod bind;
mod cache;
mod compile;
mod config;
mod dead_letter;
mod empty;
mod fault;
mod fingerprint;
mod functions;
mod guest;
#[cfg(test)]
mod hostile;
mod http;
mod instance;
mod instances;
pub mod ipc;
mod keyed;
mod limits;
mod linker;
mod load;
mod outcome;
mod policy;
mod probe;
pub mod project;
pub mod registry;
mod role;
mod runtime;
mod schema;
mod sink;
mod step;
mod stopwatch;
mod tally;
mod text;
mod ticker;
mod voice;
mod wasi;
mod worker;

pub use self::http::{HttpGrant, Names, SystemNames};
pub use bind::{BindSettings, OnError, Retry};
pub use compile::{COMPILE_COMMAND, CompileLimits, Compiler, compile_child};
pub use config::Misfit;
pub use dead_letter::{COLUMNS as DEAD_LETTER_COLUMNS, PORT as DEAD_LETTER_PORT};
pub use functions::{BoundFunctions, FunctionSettings};
pub use keyed::{KeyedPlugin, KeyedSettings};
pub use limits::{Limits, Share};
pub use load::{Description, Plugin};
pub use probe::{Answer, Probe};
pub use role::Role;
pub use runtime::{Runtime, RuntimeSettings};
pub use sink::{BoundSink, Grant, PluginSink, SinkSettings};
pub use step::PluginStep;
