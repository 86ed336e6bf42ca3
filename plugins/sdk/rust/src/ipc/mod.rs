//! Arrow's IPC messages, as the contract has them: uncompressed record batches of a schema that both sides know.
//!
//! arrow-ipc reads and writes the schema, once. Batches go through a reader and a writer of our own: for the few layouts that
//! cross the boundary they take a fraction of the time and of the component's size.

mod array;
mod flat;
mod read;
mod write;

pub(crate) use read::{decode, empty};
pub(crate) use write::encode;

use arrow_ipc::convert::{IpcSchemaEncoder, try_schema_from_ipc_buffer};
use arrow_schema::Schema;

use crate::{Error, Result};

/// Precedes the length of every message.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Bodies and their buffers start at multiples of it, as Arrow recommends.
const ALIGNMENT: usize = 64;

fn padded(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

/// Reads a schema message.
pub(crate) fn decode_schema(message: &[u8]) -> Result<Schema> {
    try_schema_from_ipc_buffer(message).map_err(|error| Error::from(error).context("the input's schema"))
}

/// Writes a schema message.
pub(crate) fn encode_schema(schema: &Schema) -> Vec<u8> {
    let header = IpcSchemaEncoder::new().schema_to_fb(schema);
    let header = header.finished_data();
    let length = padded(8 + header.len());
    let mut message = Vec::with_capacity(length);
    message.extend_from_slice(&CONTINUATION);
    message.extend_from_slice(&((length - 8) as u32).to_le_bytes());
    message.extend_from_slice(header);
    message.resize(length, 0);
    message
}
