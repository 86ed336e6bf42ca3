//! One batch → one message.

use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::{Array, GenericByteArray, GenericListArray, OffsetSizeTrait, RecordBatch};
use arrow_buffer::{ArrowNativeType, Buffer, OffsetBuffer};
use arrow_schema::DataType;

use super::{CONTINUATION, padded};
use crate::{Error, Result, ddl};

/// Bytes of the header before the nodes.
const FIXED: usize = 72;

/// Adds the message of a batch.
///
/// # Errors
/// If a column has a type that the contract leaves out: dictionaries, views, run-end encoding, unions.
pub(crate) fn encode(batch: &RecordBatch, messages: &mut Vec<u8>) -> Result<()> {
    let mut body = Body::default();
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        body.array(column).map_err(|error| error.context(format_args!("column `{}`", field.name())))?;
    }
    body.message(batch.num_rows(), messages);
    Ok(())
}

/// The nodes and buffers of a batch, in the order of its fields, depth first.
#[derive(Default)]
struct Body {
    nodes: Vec<(usize, usize)>,
    buffers: Vec<Buffer>,
}

impl Body {
    fn array(&mut self, array: &dyn Array) -> Result<()> {
        if *array.data_type() == DataType::Null {
            self.nodes.push((array.len(), array.len()));
            return Ok(());
        }
        self.nodes.push((array.len(), array.null_count()));
        self.buffers.push(match array.nulls() {
            Some(nulls) if nulls.null_count() > 0 => nulls.inner().sliced(),
            _ => Buffer::default(),
        });
        self.values(array)
    }

    fn values(&mut self, array: &dyn Array) -> Result<()> {
        match array.data_type() {
            DataType::Boolean => self.buffers.push(array.as_boolean().values().sliced()),
            DataType::Utf8 => self.bytes(array.as_string::<i32>()),
            DataType::LargeUtf8 => self.bytes(array.as_string::<i64>()),
            DataType::Binary => self.bytes(array.as_binary::<i32>()),
            DataType::LargeBinary => self.bytes(array.as_binary::<i64>()),
            DataType::List(_) => self.list(array.as_list::<i32>())?,
            DataType::LargeList(_) => self.list(array.as_list::<i64>())?,
            DataType::Map(..) => {
                let (start, end) = self.offsets(array.as_map().offsets());
                self.array(&array.as_map().entries().slice(start, end - start))?;
            }
            DataType::FixedSizeList(..) => self.array(array.as_fixed_size_list().values())?,
            DataType::Struct(_) => {
                array.as_struct().columns().iter().try_for_each(|child| self.array(child))?
            }
            DataType::FixedSizeBinary(width) => self.fixed(array, usize::try_from(*width).unwrap_or(0)),
            other => match other.primitive_width() {
                Some(width) => self.fixed(array, width),
                None => {
                    let name = ddl::type_name(other);
                    return Err(Error::permanent(format_args!(
                        "{name} cannot leave a plugin: cast it to a plain type"
                    )));
                }
            },
        }
        Ok(())
    }

    fn fixed(&mut self, array: &dyn Array, width: usize) {
        let data = array.to_data();
        let values = data.buffers().first().cloned().unwrap_or_default();
        self.buffers.push(values.slice_with_length(data.offset() * width, data.len() * width));
    }

    fn bytes<T: ByteArrayType>(&mut self, array: &GenericByteArray<T>) {
        let (start, end) = self.offsets(array.offsets());
        self.buffers.push(array.values().slice_with_length(start, end - start));
    }

    fn list<O: OffsetSizeTrait>(&mut self, array: &GenericListArray<O>) -> Result<()> {
        let (start, end) = self.offsets(array.offsets());
        self.array(&array.values().slice(start, end - start))
    }

    /// Writes the offsets from zero on; returns the range of values they point to.
    fn offsets<O: ArrowNativeType>(&mut self, offsets: &OffsetBuffer<O>) -> (usize, usize) {
        let start = offsets.first().map_or(0, |offset| offset.as_usize());
        let end = offsets.last().map_or(0, |offset| offset.as_usize());
        self.buffers.push(if start == 0 {
            offsets.inner().inner().clone()
        } else {
            offsets.iter().map(|offset| O::usize_as(offset.as_usize() - start)).collect()
        });
        (start, end)
    }

    /// Adds prefix, header and body, with one allocation.
    fn message(&self, rows: usize, out: &mut Vec<u8>) {
        let size: usize = self.buffers.iter().map(|buffer| padded(buffer.len())).sum();
        let header = padded(8 + FIXED + 16 * self.nodes.len() + 8 + 16 * self.buffers.len());
        out.reserve_exact(header + size);
        // Messages before this one have a padded length too.
        let start = out.len();
        out.extend_from_slice(&CONTINUATION);
        out.extend_from_slice(&((header - 8) as u32).to_le_bytes());
        self.header(out, rows, size);
        out.resize(start + header, 0);
        for buffer in &self.buffers {
            out.extend_from_slice(buffer);
            out.resize(padded(out.len()), 0);
        }
    }

    /// The FlatBuffers header. Its tables always have the same fields, so their places are constants; only the two vectors at
    /// its end vary. Positions in the comments count from its start.
    fn header(&self, out: &mut Vec<u8>, rows: usize, size: usize) {
        let nodes = self.nodes.len();
        // 0: the message's table is at 16
        out.extend_from_slice(&16u32.to_le_bytes());
        // 4: its vtable: 12 bytes of 20, version at +16, header type at +18, header at +4, body length at +8
        words(out, &[12, 20, 16, 18, 4, 8]);
        // 16: its table: vtable, record batch's table at 48, body length, version 5, header type 3
        out.extend_from_slice(&12i32.to_le_bytes());
        out.extend_from_slice(&28u32.to_le_bytes());
        long(out, size);
        words(out, &[4, 3]);
        // 36: the record batch's vtable: 10 bytes of 20, length at +8, nodes at +4, buffers at +16
        words(out, &[10, 20, 8, 4, 16, 0]);
        // 48: its table: vtable, nodes' vector at 68, rows, buffers' vector past the nodes
        out.extend_from_slice(&12i32.to_le_bytes());
        out.extend_from_slice(&16u32.to_le_bytes());
        long(out, rows);
        out.extend_from_slice(&((12 + 16 * nodes) as u32).to_le_bytes());
        // 68: the nodes
        out.extend_from_slice(&(nodes as u32).to_le_bytes());
        for (length, nulls) in &self.nodes {
            long(out, *length);
            long(out, *nulls);
        }
        // 72 + 16 × nodes: padding, so that the buffers' longs are aligned; the buffers
        out.extend_from_slice(&0u32.to_le_bytes());
        out.extend_from_slice(&(self.buffers.len() as u32).to_le_bytes());
        let mut offset = 0;
        for buffer in &self.buffers {
            long(out, offset);
            long(out, buffer.len());
            offset += padded(buffer.len());
        }
    }
}

fn words(out: &mut Vec<u8>, words: &[u16]) {
    for word in words {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

fn long(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&(value as u64).to_le_bytes());
}
