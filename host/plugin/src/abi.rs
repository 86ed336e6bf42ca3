//! The host's half of `wit/streamhost.wit`, generated.

#![allow(missing_docs, unreachable_pub, reason = "generated from the contract, which documents itself")]
#![allow(
    clippy::too_many_lines,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "generated"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "stateless",
    ownership: Borrowing { duplicate_if_necessary: false },
    imports: { default: trappable },
    exports: { default: async },
    additional_derives: [PartialEq],
});

pub(crate) use exports::streamhost::plugin::plugin::{Binding, Description, Output, Role};
pub(crate) use exports::streamhost::plugin::transform::{Outcome, Rows};
pub(crate) use streamhost::plugin::types::{Context, Disposition, Failure, RowError};
pub(crate) use streamhost::plugin::{log, metrics};

/// The package whose interfaces a plugin exports, without its version.
pub(crate) const PACKAGE: &str = "streamhost:plugin/";
/// The version of that package this host speaks.
pub(crate) const VERSION: &str = "0.1.0";
