//! The parquet format.

pub mod decode;
pub mod encode;
