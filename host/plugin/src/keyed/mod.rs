//! A plugin that keeps state by key: Spark's mapGroupsWithState and its kin.
//!
//! ```text
//! ByKey ──pieces──► ShardWorker ──rows by key──► guest
//!                       │                          │ get, put, timers
//!                       │          CallState ◄─────┘
//!                       └─ keep ─────► │ ──► the entries of the shard
//! ```
//!
//! Each shard of an epoch sorts its rows by key, in files if they are too many for memory, and hands whole keys to the guest; then come the timers whose time has come. What a
//! call puts is kept if it succeeds, and gone if it fails: a key is then tried again, or found and rejected, as the pipeline says.
//!
//! # Invariants
//!
//! - A guest can name the keys of its call alone.
//! - Tables that the guest declares otherwise than before are migrated in the first epoch, or refused before it.

mod bind;
mod groups;
mod host;
mod run;
mod sort;
mod worker;

pub use bind::{KeyedPlugin, KeyedSettings};
pub(crate) use host::KeyedCall;
#[allow(unreachable_pub, reason = "the generated bindings pass it on as their own")]
pub use host::Table;
