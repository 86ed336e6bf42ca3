use super::{
    body::Shape,
    refusal::{Reason, Refusal},
};
use arrow::{
    array::{
        ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray,
        GenericByteArray, GenericListArray, MapArray, NullArray, OffsetSizeTrait, PrimitiveArray,
        StructArray, downcast_primitive,
    },
    buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{
        ArrowNativeType, BinaryType, ByteArrayType, DataType, Field, FieldRef, Fields, LargeBinaryType,
        LargeUtf8Type, Schema, Utf8Type,
    },
    error::ArrowError,
};
use arrow_ipc::{FieldNode, RecordBatch};
use flatbuffers::VectorIter;
use std::sync::Arc;

/// The number of rows that a guest's batch claims.
pub(super) fn row_count(batch: &RecordBatch<'_>) -> Result<u64, Reason> {
    count("number of rows", batch.length())
}

/// The columns of a guest's batch of `rows` rows, borrowed from its body.
///
/// One walk over field nodes and buffers in the order of `schema`: each is checked, and then given to one of arrow-rs's
/// checked constructors, which looks at the values: text, offsets, nulls. A column without bytes, such as one of type
/// null, may have at most `most_unbacked` rows.
pub(super) fn read(
    batch: &RecordBatch<'_>,
    rows: u64,
    schema: &Schema,
    shape: Shape,
    body: Buffer,
    most_unbacked: usize,
) -> Result<Vec<ArrayRef>, Refusal> {
    if batch.compression().is_some() {
        return Err(Reason::Compressed.into());
    }
    if batch.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err(Reason::Feature { what: "views" }.into());
    }
    let mut walk = Walk::new(batch, shape, body, most_unbacked)?;
    schema.fields().iter().map(|field| walk.column(field, Some(rows))).collect()
}

/// A walk over field nodes and buffers: depth first.
struct Walk<'a> {
    nodes: VectorIter<'a, FieldNode>,
    buffers: VectorIter<'a, arrow_ipc::Buffer>,
    body: Buffer,
    most_unbacked: usize,
    /// How many buffers were read, and where the last one ended.
    read: usize,
    end: u64,
}

/// Length and nulls of a column whose buffers come next.
struct Node {
    rows: u64,
    valid: Option<NullBuffer>,
}

impl Node {
    /// Every use is after a check that a buffer has a part for each row, so this is lossless.
    fn len(&self) -> usize {
        self.rows as usize
    }
}

macro_rules! primitive {
    ($t:ty, $walk:expr, $data_type:expr, $node:expr) => {
        $walk.primitive::<$t>($data_type, $node)
    };
}

impl<'a> Walk<'a> {
    fn new(
        batch: &RecordBatch<'a>,
        shape: Shape,
        body: Buffer,
        most_unbacked: usize,
    ) -> Result<Self, Reason> {
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
    fn column(&mut self, field: &Field, expected: Option<u64>) -> Result<ArrayRef, Refusal> {
        let data_type = field.data_type();
        let found = match data_type {
            DataType::List(item) => self.list::<i32>(item, expected),
            DataType::LargeList(item) => self.list::<i64>(item, expected),
            DataType::FixedSizeList(item, size) => self.fixed_size_list(item, *size, expected),
            DataType::Struct(fields) => self.fields(fields, expected),
            DataType::Map(entries, sorted) => self.map(entries, *sorted, expected),
            DataType::Null => self.nulls(expected).map_err(Refusal::from),
            _ => self.node(expected).and_then(|node| self.plain(data_type, node)).map_err(Refusal::from),
        };
        found.map_err(|refusal| refusal.below(field.name()))
    }

    /// A column without children.
    fn plain(&mut self, data_type: &DataType, node: Node) -> Result<ArrayRef, Reason> {
        downcast_primitive! {
            data_type => (primitive, self, data_type, node),
            DataType::Boolean => self.booleans(node),
            DataType::Utf8 => self.bytes::<Utf8Type>(node),
            DataType::LargeUtf8 => self.bytes::<LargeUtf8Type>(node),
            DataType::Binary => self.bytes::<BinaryType>(node),
            DataType::LargeBinary => self.bytes::<LargeBinaryType>(node),
            DataType::FixedSizeBinary(width) => self.fixed_size_binary(*width, node),
            other => Err(Reason::Type { what: other.to_string() }),
        }
    }

    fn nulls(&mut self, expected: Option<u64>) -> Result<ArrayRef, Reason> {
        let (rows, _) = self.lengths(expected)?;
        self.unbacked(rows).map(|rows| Arc::new(NullArray::new(rows)) as ArrayRef)
    }

    fn primitive<T: ArrowPrimitiveType>(
        &mut self,
        data_type: &DataType,
        node: Node,
    ) -> Result<ArrayRef, Reason> {
        let values = self.numbers::<T::Native>(node.rows)?;
        let array = PrimitiveArray::<T>::try_new(values, node.valid).map_err(value)?;
        Ok(Arc::new(array.with_data_type(data_type.clone())))
    }

    fn booleans(&mut self, node: Node) -> Result<ArrayRef, Reason> {
        let bits = self.buffer(node.rows.div_ceil(8))?;
        Ok(Arc::new(BooleanArray::new(BooleanBuffer::new(bits, 0, node.len()), node.valid)))
    }

    fn bytes<T: ByteArrayType>(&mut self, node: Node) -> Result<ArrayRef, Reason>
    where
        T::Offset: OffsetSizeTrait,
    {
        let offsets = self.offsets::<T::Offset>(node.rows)?;
        let values = self.buffer(0)?;
        Ok(Arc::new(GenericByteArray::<T>::try_new(offsets, values, node.valid).map_err(value)?))
    }

    fn fixed_size_binary(&mut self, width: i32, node: Node) -> Result<ArrayRef, Reason> {
        let needs = node.rows.saturating_mul(u64::from(width.unsigned_abs()));
        let values = self.buffer(needs)?.slice_with_length(0, needs as usize);
        Ok(Arc::new(FixedSizeBinaryArray::try_new(width, values, node.valid).map_err(value)?))
    }

    fn list<O: OffsetSizeTrait>(
        &mut self,
        item: &FieldRef,
        expected: Option<u64>,
    ) -> Result<ArrayRef, Refusal> {
        let node = self.node(expected)?;
        let offsets = self.offsets::<O>(node.rows)?;
        let items = self.column(item, None)?;
        Ok(Arc::new(GenericListArray::try_new(item.clone(), offsets, items, node.valid).map_err(value)?))
    }

    fn map(&mut self, entries: &FieldRef, sorted: bool, expected: Option<u64>) -> Result<ArrayRef, Refusal> {
        let node = self.node(expected)?;
        let offsets = self.offsets::<i32>(node.rows)?;
        let pairs = self.column(entries, None)?;
        let pairs = pairs
            .as_struct_opt()
            .ok_or(Reason::Type { what: "map of something else than structs".into() })?;
        let map = MapArray::try_new(entries.clone(), offsets, pairs.clone(), node.valid, sorted);
        Ok(Arc::new(map.map_err(value)?))
    }

    fn fixed_size_list(
        &mut self,
        item: &FieldRef,
        size: i32,
        expected: Option<u64>,
    ) -> Result<ArrayRef, Refusal> {
        let node = self.node(expected)?;
        let items = self.column(item, Some(node.rows.saturating_mul(u64::from(size.unsigned_abs()))))?;
        Ok(Arc::new(FixedSizeListArray::try_new(item.clone(), size, items, node.valid).map_err(value)?))
    }

    fn fields(&mut self, fields: &Fields, expected: Option<u64>) -> Result<ArrayRef, Refusal> {
        let node = self.node(expected)?;
        let rows = if fields.is_empty() { self.unbacked(node.rows)? } else { node.len() };
        let columns =
            fields.iter().map(|field| self.column(field, Some(node.rows))).collect::<Result<_, _>>()?;
        let array = StructArray::try_new_with_length(fields.clone(), columns, node.valid, rows);
        Ok(Arc::new(array.map_err(value)?))
    }

    /// The next node, and the validity bitmap of its column.
    fn node(&mut self, expected: Option<u64>) -> Result<Node, Reason> {
        let (rows, nulls) = self.lengths(expected)?;
        if nulls == 0 {
            // Writers may leave the bitmap out, or not.
            self.buffer(0)?;
            return Ok(Node { rows, valid: None });
        }
        let bits = self.buffer(rows.div_ceil(8))?;
        let valid = NullBuffer::new(BooleanBuffer::new(bits, 0, rows as usize));
        match valid.null_count() as u64 {
            found if found == nulls => Ok(Node { rows, valid: Some(valid) }),
            found => Err(Reason::FalseNullCount { nulls, found }),
        }
    }

    /// The length and null count of the next node.
    fn lengths(&mut self, expected: Option<u64>) -> Result<(u64, u64), Reason> {
        let node = self.nodes.next().ok_or(Reason::Missing { part: "field node" })?;
        let rows = count("length", node.length())?;
        let nulls = count("null count", node.null_count())?;
        match expected {
            Some(expected) if rows != expected => Err(Reason::Length { found: rows, expected }),
            _ if nulls > rows => Err(Reason::NullCount { nulls, rows }),
            _ => Ok((rows, nulls)),
        }
    }

    /// Rows that take no bytes.
    fn unbacked(&self, rows: u64) -> Result<usize, Reason> {
        let most = self.most_unbacked;
        if rows > most as u64 { Err(Reason::TooManyUnbacked { rows, most }) } else { Ok(rows as usize) }
    }

    /// Offsets of `rows` values. None at all may stand for those of no rows.
    fn offsets<O: OffsetSizeTrait>(&mut self, rows: u64) -> Result<OffsetBuffer<O>, Reason> {
        if rows == 0 {
            self.buffer(0)?;
            return Ok(OffsetBuffer::new_empty());
        }
        let offsets = self.numbers::<O>(rows.saturating_add(1))?;
        let pairs = offsets.iter().zip(offsets.iter().skip(1));
        // Without an early exit this takes a tenth of the time of the same assertion in `new`.
        let ordered = pairs.fold(true, |ordered, (start, end)| ordered & (start <= end));
        if !ordered || offsets.first().is_none_or(|first| *first < O::zero()) {
            return Err(Reason::Offsets);
        }
        Ok(OffsetBuffer::new(offsets))
    }

    /// `count` numbers, copied only if they are of 16 bytes or more and lie badly for that.
    fn numbers<T: ArrowNativeType>(&mut self, count: u64) -> Result<ScalarBuffer<T>, Reason> {
        let bytes = self.buffer(count.saturating_mul(size_of::<T>() as u64))?;
        let aligned = bytes.as_ptr().cast::<T>().is_aligned();
        let bytes = if aligned { bytes } else { Buffer::from(bytes.as_slice()) };
        Ok(ScalarBuffer::new(bytes, 0, count as usize))
    }

    /// The next buffer, which has to have at least `needs` bytes.
    fn buffer(&mut self, needs: u64) -> Result<Buffer, Reason> {
        let found = self.buffers.next().ok_or(Reason::Missing { part: "buffer" })?;
        let (buffer, body) = (self.read, self.body.len() as u64);
        self.read += 1;
        let start = count("offset of a buffer", found.offset())?;
        let bytes = count("length of a buffer", found.length())?;
        // Two numbers of 63 bits.
        let end = start + bytes;
        if end > body {
            return Err(Reason::OutsideBody { buffer, end, body });
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
        Ok(self.body.slice_with_length(start as usize, bytes as usize))
    }
}

fn value(error: ArrowError) -> Reason {
    Reason::Value { error: error.to_string() }
}

fn count(what: &'static str, number: i64) -> Result<u64, Reason> {
    u64::try_from(number).map_err(|_| Reason::Negative { what, number })
}
