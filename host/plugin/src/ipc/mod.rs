//! Arrow over the boundary with a guest: record batches as Arrow IPC messages, in both directions.
//!
//! The host trusts what it encodes and nothing that it decodes.

mod decode;
mod encode;

pub use decode::{Caps, Decoder, decode_schema};
pub use encode::{Encoder, encode_schema};
