//! Messages → one batch. Columns are slices of the messages: nothing is copied but what is misaligned.

use arrow_array::{RecordBatch, RecordBatchOptions, make_array};
use arrow_buffer::Buffer;
use arrow_data::{ArrayData, ArrayDataBuilder};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::concat::concat_batches;

use super::CONTINUATION;
use super::flat::{Pairs, Table};
use crate::{Error, Result, ddl};

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

/// All rows of the messages as one batch.
pub(crate) fn decode(messages: Vec<u8>, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut rest = Buffer::from_vec(messages);
    let mut batches = Vec::with_capacity(1);
    while !rest.is_empty() {
        let (batch, length) = message(&rest, schema)?;
        batches.push(batch);
        rest.advance(length);
    }
    match batches.len() {
        1 => batches.pop().ok_or_else(|| cut("messages")),
        _ => Ok(concat_batches(schema, &batches)?),
    }
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
    let batch = table.table(HEADER).ok_or_else(|| cut("record batch"))?;
    Ok((columns(batch, bytes.slice_with_length(start, size), schema)?, end))
}

fn columns(batch: Table<'_>, body: Buffer, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.has(COMPRESSION) {
        return Err(Error::permanent("the host sent a compressed batch"));
    }
    let rows = batch.long(LENGTH).ok_or_else(|| cut("row count"))?;
    let nodes = batch.pairs(NODES).ok_or_else(|| cut("nodes"))?;
    let buffers = batch.pairs(BUFFERS).ok_or_else(|| cut("buffers"))?;
    let mut reader = Reader { nodes, buffers, body };
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            reader.array(field.data_type()).map(make_array).map_err(|error| error.context(format!("column `{}`", field.name())))
        })
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Takes nodes and buffers in the order of the schema's fields, depth first.
struct Reader<'a> {
    nodes: Pairs<'a>,
    buffers: Pairs<'a>,
    body: Buffer,
}

impl Reader<'_> {
    fn array(&mut self, data_type: &DataType) -> Result<ArrayData> {
        let (length, nulls) = self.nodes.next().ok_or_else(|| cut("nodes"))?;
        let array = ArrayData::builder(data_type.clone()).len(length).align_buffers(true);
        if *data_type == DataType::Null {
            return Ok(array.build()?);
        }
        let validity = self.buffer()?;
        let array = array.null_bit_buffer((nulls > 0).then_some(validity)).null_count(nulls);
        Ok(self.values(data_type, array)?.build()?)
    }

    fn values(&mut self, data_type: &DataType, array: ArrayDataBuilder) -> Result<ArrayDataBuilder> {
        Ok(match data_type {
            DataType::Boolean | DataType::FixedSizeBinary(_) => array.add_buffer(self.buffer()?),
            _ if data_type.is_primitive() => array.add_buffer(self.buffer()?),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
                array.add_buffer(self.buffer()?).add_buffer(self.buffer()?)
            }
            DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => {
                array.add_buffer(self.buffer()?).add_child_data(self.array(item.data_type())?)
            }
            DataType::FixedSizeList(item, _) => array.add_child_data(self.array(item.data_type())?),
            DataType::Struct(fields) => {
                let children = fields.iter().map(|field| self.array(field.data_type()));
                array.child_data(children.collect::<Result<_>>()?)
            }
            other => return Err(Error::invalid(format!("{} cannot come into a plugin", ddl::type_name(other)))),
        })
    }

    fn buffer(&mut self) -> Result<Buffer> {
        let (offset, length) = self.buffers.next().ok_or_else(|| cut("buffers"))?;
        match offset.checked_add(length) {
            Some(end) if end <= self.body.len() => Ok(self.body.slice_with_length(offset, length)),
            _ => Err(cut("body")),
        }
    }
}

fn cut(what: &str) -> Error {
    Error::permanent(format!("the host's message is malformed or cut off: {what}"))
}
