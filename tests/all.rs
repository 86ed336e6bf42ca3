//! One test binary: what is tested from outside.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests look at the environment")]

mod bad_input;
mod binary;
mod chapters;
mod cli;
mod commits;
mod compliance;
mod conformance;
mod delta;
mod disk_full;
mod dlq;
mod event_time;
mod everywhere;
mod examples;
mod expressions;
mod foreach_batch;
mod functions;
mod hostile;
mod kafka;
mod keyed;
mod kill;
mod languages;
mod lifecycle;
mod live;
mod migrate;
mod modes;
mod pipelines;
mod pipes;
mod plugin_readmes;
mod plugins;
mod registry;
mod requests;
mod scenarios;
mod sql;
