//! What the tests share with `cargo xtask`; the tests themselves are in `all.rs`.

pub mod conformance;
pub mod fuzz;
pub mod spark_types;
