//! Messages → one batch. Columns are slices of the messages: nothing is copied but what is misaligned.

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_schema::SchemaRef;

use super::CONTINUATION;
use super::array::{Parts, array};
use super::flat::{Pairs, Table};
use crate::{Error, Result};

// Slots and values of Message.fbs.
const HEADER_TYPE: usize = 1;
const HEADER: usize = 2;
const BODY_LENGTH: usize = 3;
const RECORD_BATCH: u8 = 3;
// Slots of RecordBatch.
const LENGTH: usize = 0;
const NODES: usize = 1;
const BUFFERS: usize = 2;
const COMPRESSION: usize = 3;

/// The batches of the messages.
pub(crate) fn decode(messages: Vec<u8>, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
    let mut rest = Buffer::from_vec(messages);
    let mut batches = Vec::with_capacity(1);
    while !rest.is_empty() {
        let (batch, length) = message(&rest, schema)?;
        batches.push(batch);
        rest.advance(length);
    }
    Ok(batches)
}

/// The one batch of the messages, which is empty if there are none.
pub(crate) fn decode_one(messages: Vec<u8>, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut batches = decode(messages, schema)?.into_iter();
    match (batches.next(), batches.next()) {
        (None, _) => empty(schema),
        (Some(batch), None) => Ok(batch),
        _ => Err(Error::permanent("the host sent several batches where one is due")),
    }
}

/// A batch of no rows.
///
/// # Errors
/// If a column has a type that the contract leaves out.
pub(crate) fn empty(schema: &SchemaRef) -> Result<RecordBatch> {
    batch(0, &mut Empty, schema)
}

/// The first message's batch, and the message's length.
fn message(bytes: &Buffer, schema: &SchemaRef) -> Result<(RecordBatch, usize)> {
    let (prefix, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| cut("prefix"))?;
    let [a, b, c, d, length @ ..] = *prefix;
    let length = u32::from_le_bytes(length) as usize;
    if [a, b, c, d] != CONTINUATION {
        return Err(cut("prefix"));
    }
    let header = rest.get(..length).ok_or_else(|| cut("header"))?;
    let table = Table::root(header).ok_or_else(|| cut("header"))?;
    if table.byte(HEADER_TYPE) != RECORD_BATCH {
        return Err(Error::permanent("the host sent a message that is no record batch"));
    }
    let size = table.long(BODY_LENGTH).ok_or_else(|| cut("body length"))?;
    let start = 8 + length;
    let end = start.checked_add(size).filter(|end| *end <= bytes.len()).ok_or_else(|| cut("body"))?;
    let header = table.table(HEADER).ok_or_else(|| cut("record batch"))?;
    Ok((record_batch(header, bytes.slice_with_length(start, size), schema)?, end))
}

fn record_batch(header: Table<'_>, body: Buffer, schema: &SchemaRef) -> Result<RecordBatch> {
    if header.has(COMPRESSION) {
        return Err(Error::permanent("the host sent a compressed batch"));
    }
    let rows = header.long(LENGTH).ok_or_else(|| cut("row count"))?;
    let nodes = header.pairs(NODES).ok_or_else(|| cut("nodes"))?;
    let buffers = header.pairs(BUFFERS).ok_or_else(|| cut("buffers"))?;
    batch(rows, &mut Message { nodes, buffers, body }, schema)
}

fn batch(rows: usize, parts: &mut impl Parts, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let column = array(parts, field.data_type());
        columns.push(column.map_err(|error| error.context(format_args!("column `{}`", field.name())))?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// The nodes and buffers of a message, in the order of the schema's fields, depth first.
struct Message<'a> {
    nodes: Pairs<'a>,
    buffers: Pairs<'a>,
    body: Buffer,
}

impl Parts for Message<'_> {
    fn node(&mut self) -> Result<(usize, usize)> {
        self.nodes.next().ok_or_else(|| cut("nodes"))
    }

    fn buffer(&mut self) -> Result<Buffer> {
        let (offset, length) = self.buffers.next().ok_or_else(|| cut("buffers"))?;
        match offset.checked_add(length) {
            Some(end) if end <= self.body.len() => Ok(self.body.slice_with_length(offset, length)),
            _ => Err(cut("body")),
        }
    }
}

/// No rows, whatever the schema.
struct Empty;

impl Parts for Empty {
    fn node(&mut self) -> Result<(usize, usize)> {
        Ok((0, 0))
    }

    fn buffer(&mut self) -> Result<Buffer> {
        Ok(Buffer::default())
    }
}

fn cut(what: &str) -> Error {
    Error::permanent(format_args!("the host's message is malformed or cut off: {what}"))
}
