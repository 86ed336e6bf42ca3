//! What an operator remembers of its keys, and how that becomes durable with the epoch.
//!
//! A [`StateTable`] is a map of bytes to bytes, divided into a fixed number of [`KeyGroups`], so that as many workers as
//! there are groups can own a part of it each. [`StateTable::commit`] writes what an epoch changed as one file of the
//! checkpoint and answers [`StateFiles`], which the commit record keeps; [`StateTable::restore`] makes the table of
//! that commit again.
//!
//! ```text
//! state/<operator>/<epoch>-<unique>.state
//! ```
//!
//! # One file an epoch
//!
//! The changes of an epoch and the full content of some key groups share one file. So a commit costs one fsync, nothing
//! runs in the background, and the writing of full content is spread over the epochs instead of falling on one of
//! them: an epoch that changes *c* bytes writes at most about 3 *c* and a few key groups.
//!
//! # Invariants
//!
//! - A file is created only if absent, never changed, and read only if a commit record names it: what a host left that
//!   crashed, or was replaced, is never read.
//! - Full content and the changes after it are a chain, and each block of changes names the epoch of the block before
//!   it: a chain with a hole is an error, never another answer.
//! - Every bit of a file is covered by a checksum, and nothing is allocated because a file says so.
//! - A table whose commit failed commits no more: what it holds is not what is on disk. It is restored.

mod file;
mod files;
mod group;
mod ledger;
#[cfg(test)]
mod model;
mod record;
mod replay;
mod table;

pub use files::StateFiles;
pub use group::{KeyGroup, KeyGroups};
pub use record::{MAX_KEY, MAX_VALUE};
pub use table::StateTable;
