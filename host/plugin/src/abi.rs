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
    // No component has this world: it is all that any of them may import and export, each looked up by itself.
    inline: "
        package streamhost:host;
        world every {
            include streamhost:plugin/stateless@0.9.0;
            include streamhost:plugin/stateful@0.9.0;
            include streamhost:plugin/batch-sink@0.9.0;
            include streamhost:plugin/sql-functions@0.9.0;
        }
    ",
    world: "streamhost:host/every",
    ownership: Borrowing { duplicate_if_necessary: false },
    imports: {
        "streamhost:plugin/epoch.next-rows": async | trappable,
        "streamhost:plugin/outputs.write": async | trappable,
        "streamhost:plugin/outputs.execute": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "streamhost:plugin/state.table": crate::keyed::Table,
    },
    additional_derives: [PartialEq],
});

pub(crate) use exports::streamhost::plugin::functions::Signature;
pub(crate) use exports::streamhost::plugin::keyed::{
    Groups, Outcome as KeyedOutcome, TableDeclaration, TableKind,
};
pub(crate) use exports::streamhost::plugin::plugin::{Binding, Description, Output, Role};
pub(crate) use exports::streamhost::plugin::transform::{Outcome, Rows};
pub(crate) use exports::streamhost::plugin::{foreach_batch, functions, keyed, plugin, transform};
pub(crate) use streamhost::plugin::types::{Context, Disposition, Failure, RowError};
pub(crate) use streamhost::plugin::{epoch, log, metrics, outputs, state};

/// The package whose interfaces a plugin exports, without its version.
pub(crate) const PACKAGE: &str = "streamhost:plugin/";
/// The version of that package this host speaks.
pub(crate) const VERSION: &str = "0.9.0";
