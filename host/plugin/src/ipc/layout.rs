use super::{
    body::Shape,
    refusal::{Reason, Refusal},
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow_ipc::{Buffer, FieldNode, RecordBatch};
use flatbuffers::VectorIter;

/// Checks that the field nodes and buffers of a guest's batch are those of `schema`, hold together, and lie within
/// `body` bytes; so that only the values are left to arrow-rs. Answers the number of rows.
///
/// A column without bytes, such as one of type null, may have at most `most_unbacked` rows.
pub(super) fn check(
    batch: &RecordBatch<'_>,
    schema: &Schema,
    shape: Shape,
    body: usize,
    most_unbacked: usize,
) -> Result<u64, Refusal> {
    if batch.compression().is_some() {
        return Err(Reason::Compressed.into());
    }
    if batch.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err(Reason::Feature { what: "views" }.into());
    }
    let rows = count("number of rows", batch.length())?;
    let mut walk = Walk::new(batch, shape, body as u64, most_unbacked)?;
    for field in schema.fields() {
        walk.column(field, Some(rows))?;
    }
    Ok(rows)
}

/// A walk over field nodes and buffers in the order of the schema: depth first.
struct Walk<'a> {
    nodes: VectorIter<'a, FieldNode>,
    buffers: VectorIter<'a, Buffer>,
    body: u64,
    most_unbacked: usize,
    /// How many buffers were read, and where the last one ended.
    read: usize,
    end: u64,
}

impl<'a> Walk<'a> {
    fn new(batch: &RecordBatch<'a>, shape: Shape, body: u64, most_unbacked: usize) -> Result<Self, Reason> {
        let nodes = batch.nodes().ok_or(Reason::Missing { part: "list of field nodes" })?;
        let buffers = batch.buffers().ok_or(Reason::Missing { part: "list of buffers" })?;
        if nodes.len() != shape.nodes {
            return Err(Reason::NodeCount { found: nodes.len(), expected: shape.nodes });
        }
        if buffers.len() != shape.buffers {
            return Err(Reason::BufferCount { found: buffers.len(), expected: shape.buffers });
        }
        Ok(Walk { nodes: nodes.iter(), buffers: buffers.iter(), body, most_unbacked, read: 0, end: 0 })
    }

    /// A column and its children. `expected` is the length it must have; a list's items have none, as arrow-rs
    /// compares them with the offsets.
    fn column(&mut self, field: &Field, expected: Option<u64>) -> Result<(), Refusal> {
        let rows = self.own(field.data_type(), expected).map_err(|reason| reason.in_column(field.name()))?;
        self.children(field.data_type(), rows).map_err(|refusal| refusal.below(field.name()))
    }

    /// The node and the buffers of the column itself; answers its length.
    fn own(&mut self, data_type: &DataType, expected: Option<u64>) -> Result<u64, Reason> {
        let (rows, nulls) = self.node(expected)?;
        if is_unbacked(data_type) && rows > self.most_unbacked as u64 {
            return Err(Reason::TooManyUnbacked { rows, most: self.most_unbacked });
        }
        if *data_type != DataType::Null {
            self.bytes(if nulls > 0 { rows.div_ceil(8) } else { 0 })?;
        }
        self.values(data_type, rows).map(|()| rows)
    }

    /// The buffers after the validity bitmap.
    fn values(&mut self, data_type: &DataType, rows: u64) -> Result<(), Reason> {
        match data_type {
            DataType::Null | DataType::Struct(_) | DataType::FixedSizeList(..) => Ok(()),
            DataType::Boolean => self.bytes(rows.div_ceil(8)),
            DataType::List(_) | DataType::Map(..) => self.offsets(rows, 4),
            DataType::LargeList(_) => self.offsets(rows, 8),
            DataType::Utf8 | DataType::Binary => self.offsets(rows, 4).and_then(|()| self.bytes(0)),
            DataType::LargeUtf8 | DataType::LargeBinary => self.offsets(rows, 8).and_then(|()| self.bytes(0)),
            DataType::FixedSizeBinary(width) => {
                self.bytes(rows.saturating_mul(u64::from(width.unsigned_abs())))
            }
            other => self.numbers(rows, other.primitive_width().unwrap_or_default() as u64),
        }
    }

    fn children(&mut self, data_type: &DataType, rows: u64) -> Result<(), Refusal> {
        match data_type {
            DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => {
                self.column(item, None)
            }
            DataType::FixedSizeList(item, size) => {
                self.column(item, Some(rows.saturating_mul(u64::from(size.unsigned_abs()))))
            }
            DataType::Struct(fields) => fields.iter().try_for_each(|field| self.column(field, Some(rows))),
            _ => Ok(()),
        }
    }

    /// The length and null count of the next node.
    fn node(&mut self, expected: Option<u64>) -> Result<(u64, u64), Reason> {
        let node = self.nodes.next().ok_or(Reason::Missing { part: "field node" })?;
        let rows = count("length", node.length())?;
        let nulls = count("null count", node.null_count())?;
        match expected {
            Some(expected) if rows != expected => Err(Reason::Length { found: rows, expected }),
            _ if nulls > rows => Err(Reason::NullCount { nulls, rows }),
            _ => Ok((rows, nulls)),
        }
    }

    /// An empty list of offsets may be left out; otherwise there is one more than rows.
    fn offsets(&mut self, rows: u64, width: u64) -> Result<(), Reason> {
        self.numbers(if rows == 0 { 0 } else { rows + 1 }, width)
    }

    /// At least `count` numbers, and no part of one more: arrow-rs asserts that.
    fn numbers(&mut self, count: u64, width: u64) -> Result<(), Reason> {
        let buffer = self.read;
        let bytes = self.buffer(count.saturating_mul(width))?;
        if width > 0 && !bytes.is_multiple_of(width) {
            return Err(Reason::Ragged { buffer, bytes, width });
        }
        Ok(())
    }

    /// At least `needs` bytes.
    fn bytes(&mut self, needs: u64) -> Result<(), Reason> {
        self.buffer(needs).map(drop)
    }

    /// The next buffer, which has to have at least `needs` bytes; answers how many it has.
    fn buffer(&mut self, needs: u64) -> Result<u64, Reason> {
        let found = self.buffers.next().ok_or(Reason::Missing { part: "buffer" })?;
        let buffer = self.read;
        self.read += 1;
        let start = count("offset of a buffer", found.offset())?;
        let bytes = count("length of a buffer", found.length())?;
        // Two numbers of 63 bits.
        let end = start + bytes;
        if end > self.body {
            return Err(Reason::OutsideBody { buffer, end, body: self.body });
        }
        if !start.is_multiple_of(8) {
            return Err(Reason::Misaligned { what: "buffer", at: start });
        }
        if bytes > 0 && start < self.end {
            return Err(Reason::Overlap { buffer });
        }
        if bytes < needs {
            return Err(Reason::BufferTooShort { buffer, bytes, needs });
        }
        self.end = self.end.max(end);
        Ok(bytes)
    }
}

/// Whether any number of rows takes no bytes.
fn is_unbacked(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null => true,
        DataType::Struct(fields) => fields.is_empty(),
        _ => false,
    }
}

fn count(what: &'static str, number: i64) -> Result<u64, Reason> {
    u64::try_from(number).map_err(|_| Reason::Negative { what, number })
}
