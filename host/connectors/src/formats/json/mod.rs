//! The json format.

pub mod decode;
pub mod encode;
