//! Formats: bytes of a file or stream to Arrow batches and back.

pub mod compression;
pub mod csv;
pub mod ddl;
pub mod encode;
pub mod infer;
pub mod json;
pub mod parquet;
pub mod text;
