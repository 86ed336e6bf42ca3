//! Formats: bytes of a file or stream to Arrow batches and back.
//!
//! JSON, CSV and text are read line by line, every line straight into growing columns ([`columns`]), so that a bad
//! line costs itself and nothing else, and a large file can be read in parts. Parquet is read by row groups.

pub(crate) mod columns;
pub mod compression;
pub mod csv;
pub mod ddl;
pub mod encode;
pub mod infer;
pub mod json;
pub(crate) mod lines;
pub mod parquet;
pub mod rows;
pub(crate) mod scalar;
pub mod text;
