#![doc = include_str!("../README.md")]
#![allow(clippy::needless_doctest_main, reason = "the examples of README.md are whole plugins")]

// The macros name this crate `::streamhost`, in its own tests too.
extern crate self as streamhost;

mod answer;
pub mod arrow;
pub mod bindings;
mod config;
pub mod ddl;
mod error;
mod export;
mod export_function;
mod export_keyed;
mod export_sink;
pub mod function;
#[cfg(feature = "http")]
pub mod http;
mod instance;
mod interval;
mod ipc;
pub mod keyed;
pub mod log;
pub mod metrics;
mod pick;
mod plugin;
pub mod row;
mod schema;
pub mod sink;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use bindings::streamhost::plugin::types::Context;
pub use error::{Error, Result, RowErrors};
pub use export::Exports;
pub use export_function::FunctionExports;
pub use export_keyed::KeyedExports;
pub use export_sink::SinkExports;
pub use function::Functions;
pub use interval::Interval;
pub use keyed::Keyed;
pub use plugin::{Batches, Columns, Manifest, NoConfig, Output, Plugin, Side};
pub use row::{Date, Timestamp};
pub use schemars;
pub use serde;
pub use serde_json;
pub use sink::{BatchSink, OutputColumns, Outputs, Rows};
pub use streamhost_sdk_macros::{
    Row, batch_sink, config, filter, function, functions, keyed, map, transform,
};

/// What nearly every plugin names.
pub mod prelude {
    pub use crate::arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, cast::AsArray};
    pub use crate::keyed::{Clock, Fired, Group, Timers};
    pub use crate::{Context, Date, Error, Outputs, Result, Row, RowErrors, Rows, Timestamp};
}
