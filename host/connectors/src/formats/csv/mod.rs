//! The csv format.

pub mod decode;
pub mod encode;
