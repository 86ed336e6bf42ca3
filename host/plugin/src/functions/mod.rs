//! Scalar functions of plugins, for SQL.
//!
//! ```text
//! expression ──columns──► PluginFunction ──pieces, as messages──► an idle instance, or a new one
//! (its thread) ◄──column── checked ◄──────────messages──────────┘
//! ```
//!
//! Expressions are worked out where their rows are, on the thread that has them, and cannot wait as a step can. So a call is driven on that
//! thread from its start to its end: see [`wait`]. Each call takes an instance that nobody else uses, so there are as many instances
//! as threads that have called at once.
//!
//! # Invariants
//!
//! - Nothing of an answer is believed before it was checked: its type is the one that was agreed on, its rows are as many as were given.
//! - An instance that failed otherwise than by saying so is not used again.

mod bind;
mod call;
mod signature;
mod wait;

pub use bind::{BoundFunctions, FunctionSettings};
pub(crate) use wait::Timers;
