//! Arrow's IPC messages, as the contract has them: uncompressed record batches of a schema that both sides know.
//!
//! arrow-ipc reads and writes the schema, once. Batches go through a reader and a writer of our own: for the few layouts that
//! cross the boundary they take a fraction of the time and of the component's size.

mod array;
mod flat;
mod read;
mod write;

pub(crate) use array::fixed;
pub(crate) use read::{decode, decode_one, empty};
pub(crate) use write::encode;

use arrow_ipc::convert::try_schema_from_ipc_buffer;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
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
    let generator = IpcDataGenerator::default();
    let mut dictionaries = DictionaryTracker::new(true);
    let encoded = generator.schema_to_bytes_with_dictionary_tracker(
        schema,
        &mut dictionaries,
        &IpcWriteOptions::default(),
    );
    let header = encoded.ipc_message;
    let length = padded(8 + header.len());
    let mut message = Vec::with_capacity(length);
    message.extend_from_slice(&CONTINUATION);
    message.extend_from_slice(&((length - 8) as u32).to_le_bytes());
    message.extend_from_slice(&header);
    message.resize(length, 0);
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_ipc::reader::StreamReader;
    use arrow_schema::{DataType, Field};

    #[test]
    fn a_schema_message_begins_a_stream_that_any_reader_reads() -> Result<()> {
        let schema = Schema::new(vec![Field::new("value", DataType::Float64, true)]);
        let message = encode_schema(&schema);
        let reader = StreamReader::try_new(&message[..], None)?;
        assert_eq!(*reader.schema(), schema);
        Ok(())
    }
}
