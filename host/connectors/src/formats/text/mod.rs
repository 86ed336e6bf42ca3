//! The text format.

pub mod decode;
pub mod encode;
