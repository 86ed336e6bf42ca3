//! The CSV format: every line is one record, as Spark has it by default.

pub mod decode;
pub mod encode;
