//! The Parquet format.

pub(crate) mod decode;
pub mod encode;
