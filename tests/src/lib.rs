//! What the tests share with `cargo xtask`; the tests themselves are in `all.rs`.

pub mod conformance;
pub mod fuzz;
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
pub mod services;
pub mod spark_types;
