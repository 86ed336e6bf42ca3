use super::{ALIGNMENT, CONTINUATION, PREFIX};
use arrow_ipc::{
    Buffer, FieldNode, Message, MessageBuilder, MessageHeader, MetadataVersion, RecordBatch,
    RecordBatchBuilder, root_as_message,
};
use engine::{Error, Kind, Result, ResultExt};
use flatbuffers::{FlatBufferBuilder, Table, VOffsetT};

/// The metadata of a record-batch message, built once and then filled in.
///
/// All batches of a schema have the same number of field nodes and buffers, so their metadata differs in some
/// integers only: building the flatbuffer once and overwriting these is what makes a small batch cheap.
pub(super) struct Template {
    /// Prefix, metadata and padding.
    pub(super) bytes: Vec<u8>,
    /// Places in `bytes`.
    rows_at: usize,
    body_length_at: usize,
    nodes_at: usize,
    buffers_at: usize,
    /// How many of them every batch must have.
    pub(super) nodes: usize,
    pub(super) buffers: usize,
}

impl Template {
    /// For batches of this many field nodes and buffers.
    pub(super) fn new(nodes: usize, buffers: usize) -> Result<Self> {
        let metadata = metadata(nodes, buffers);
        let bytes = enclose(&metadata)?;
        let message = root_as_message(&metadata).map_err(|_| incomplete("root"))?;
        let batch = message.header_as_record_batch().ok_or_else(|| incomplete("header"))?;
        Ok(Template {
            rows_at: PREFIX + scalar(&batch._tab, RecordBatch::VT_LENGTH)?,
            body_length_at: PREFIX + scalar(&message._tab, Message::VT_BODYLENGTH)?,
            nodes_at: PREFIX + vector(&batch._tab, RecordBatch::VT_NODES)?,
            buffers_at: PREFIX + vector(&batch._tab, RecordBatch::VT_BUFFERS)?,
            bytes,
            nodes,
            buffers,
        })
    }

    /// Says in `message`, a copy of the template, how many rows and bytes of body it has.
    pub(super) fn put_size(&self, message: &mut [u8], rows: usize, body: usize) {
        put(message, self.rows_at, rows);
        put(message, self.body_length_at, body);
    }

    /// Fills in field node `index`.
    pub(super) fn put_node(&self, message: &mut [u8], index: usize, rows: usize, nulls: usize) {
        let at = self.nodes_at + index * size_of::<FieldNode>();
        put(message, at, rows);
        put(message, at + 8, nulls);
    }

    /// Fills in buffer `index`, with its place in the body.
    pub(super) fn put_buffer(&self, message: &mut [u8], index: usize, offset: usize, length: usize) {
        let at = self.buffers_at + index * size_of::<Buffer>();
        put(message, at, offset);
        put(message, at + 8, length);
    }
}

/// The flatbuffer, with zeros to fill in.
fn metadata(nodes: usize, buffers: usize) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    // Otherwise a zero is left out, and there is no place to write the number to.
    builder.force_defaults(true);
    let nodes = builder.create_vector(&vec![FieldNode::new(0, 0); nodes]);
    let buffers = builder.create_vector(&vec![Buffer::new(0, 0); buffers]);
    let mut batch = RecordBatchBuilder::new(&mut builder);
    batch.add_length(0);
    batch.add_nodes(nodes);
    batch.add_buffers(buffers);
    let batch = batch.finish();
    let mut message = MessageBuilder::new(&mut builder);
    message.add_version(MetadataVersion::V5);
    message.add_header_type(MessageHeader::RecordBatch);
    message.add_header(batch.as_union_value());
    message.add_bodyLength(0);
    let message = message.finish();
    builder.finish(message, None);
    builder.finished_data().to_vec()
}

/// The continuation mark, the length of the padded metadata, the metadata, the padding.
fn enclose(metadata: &[u8]) -> Result<Vec<u8>> {
    let padded = metadata.len().next_multiple_of(ALIGNMENT);
    let length =
        i32::try_from(padded).doing(Kind::Invalid, || "the schema has too many columns for a plugin")?;
    let mut bytes = Vec::with_capacity(PREFIX + padded);
    bytes.extend_from_slice(&CONTINUATION);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(metadata);
    bytes.resize(PREFIX + padded, 0);
    Ok(bytes)
}

/// Where in the metadata the integer of a slot is.
fn scalar(table: &Table<'_>, slot: VOffsetT) -> Result<usize> {
    match table.vtable().get(slot) {
        0 => Err(incomplete("number")),
        offset => Ok(table.loc() + usize::from(offset)),
    }
}

/// Where in the metadata the first element of a slot's vector is.
fn vector(table: &Table<'_>, slot: VOffsetT) -> Result<usize> {
    const COUNT: usize = 4;
    let at = scalar(table, slot)?;
    let relative =
        table.buf().get(at..).and_then(|b| b.first_chunk()).copied().ok_or_else(|| incomplete("vector"))?;
    Ok(at + u32::from_le_bytes(relative) as usize + COUNT)
}

fn incomplete(what: &str) -> Error {
    Error::internal(format!("the template of a record-batch message has no {what}"))
}

fn put(message: &mut [u8], at: usize, number: usize) {
    if let Some(place) = message.get_mut(at..at + 8) {
        // The format counts in i64; no allocation is longer than that.
        place.copy_from_slice(&(number as u64).to_le_bytes());
    }
}
