//! See `all.rs`.
