//! Record-batch messages as no library would write them.

use arrow_ipc::{
    BodyCompressionBuilder, Buffer, CompressionType, FieldNode, KeyValueBuilder, MessageBuilder,
    MessageHeader, MetadataVersion, RecordBatchBuilder,
};
use flatbuffers::FlatBufferBuilder;

/// The parts of a message, each of which a test may falsify. By default: two rows of one column of int64.
pub(super) struct Forged {
    pub(super) header: MessageHeader,
    pub(super) version: MetadataVersion,
    pub(super) rows: i64,
    /// Length and null count.
    pub(super) nodes: Vec<(i64, i64)>,
    /// Offset and length.
    pub(super) buffers: Vec<(i64, i64)>,
    pub(super) compressed: bool,
    pub(super) variadic_counts: Vec<i64>,
    /// Bytes of key-value metadata.
    pub(super) custom: usize,
    pub(super) body_length: i64,
    pub(super) body: Vec<u8>,
}

impl Default for Forged {
    fn default() -> Self {
        Forged {
            header: MessageHeader::RecordBatch,
            version: MetadataVersion::V5,
            rows: 2,
            nodes: vec![(2, 0)],
            buffers: vec![(0, 0), (0, 16)],
            compressed: false,
            variadic_counts: Vec::new(),
            custom: 0,
            body_length: 16,
            body: vec![7; 16],
        }
    }
}

impl Forged {
    /// One encapsulated message.
    pub(super) fn message(&self) -> Vec<u8> {
        let metadata = self.metadata();
        let padded = metadata.len().next_multiple_of(8);
        let mut message = vec![0xff; 4];
        message.extend_from_slice(&(padded as i32).to_le_bytes());
        message.extend_from_slice(&metadata);
        message.resize(8 + padded, 0);
        message.extend_from_slice(&self.body);
        message
    }

    fn metadata(&self) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let nodes: Vec<_> = self.nodes.iter().map(|&(rows, nulls)| FieldNode::new(rows, nulls)).collect();
        let nodes = builder.create_vector(&nodes);
        let buffers: Vec<_> =
            self.buffers.iter().map(|&(offset, length)| Buffer::new(offset, length)).collect();
        let buffers = builder.create_vector(&buffers);
        let counts = builder.create_vector(&self.variadic_counts);
        let compression = self.compressed.then(|| {
            let mut compression = BodyCompressionBuilder::new(&mut builder);
            compression.add_codec(CompressionType::LZ4_FRAME);
            compression.finish()
        });
        let custom = builder.create_string(&"x".repeat(self.custom));
        let mut pair = KeyValueBuilder::new(&mut builder);
        pair.add_value(custom);
        let pair = pair.finish();
        let custom = builder.create_vector(&[pair]);
        let mut batch = RecordBatchBuilder::new(&mut builder);
        batch.add_length(self.rows);
        batch.add_nodes(nodes);
        batch.add_buffers(buffers);
        batch.add_variadicBufferCounts(counts);
        if let Some(compression) = compression {
            batch.add_compression(compression);
        }
        let batch = batch.finish();
        let mut message = MessageBuilder::new(&mut builder);
        message.add_version(self.version);
        message.add_header_type(self.header);
        message.add_header(batch.as_union_value());
        message.add_bodyLength(self.body_length);
        message.add_custom_metadata(custom);
        let message = message.finish();
        builder.finish(message, None);
        builder.finished_data().to_vec()
    }
}
