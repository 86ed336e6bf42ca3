//! The text format: every line is one row of one STRING column.

pub mod encode;
