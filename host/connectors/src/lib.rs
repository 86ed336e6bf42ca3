//! Sources, sinks and formats: everything that knows a place outside the process.
//!
//! One folder a connector. A connector's settings are a serde struct; a constructor turns them, the settings
//! common to all sources or sinks, and the injected clock into an [`engine::Source`] or [`engine::Sink`]. What users have to know
//! is in the folder's `README.md`, which `tests/chapters.rs` compares with the code.

pub mod choice;
pub mod connection;
pub mod console;
pub mod delta;
mod feed;
pub mod files;
pub mod formats;
pub mod generate;
pub mod given;
pub mod kafka;
mod line_input;
pub mod memory;
pub mod noop;
pub mod rate;
pub mod secret;
pub mod socket;
pub mod source;
pub mod sql;
pub mod stdin;
pub mod stdout;
pub mod stores;
pub mod units;
