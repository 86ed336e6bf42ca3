//! The JSON lines format: every line is one object.

pub(crate) mod decode;
pub mod encode;
mod reader;
