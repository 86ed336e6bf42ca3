use super::{ALIGNMENT, template::Template};
use arrow::{
    array::{
        Array, AsArray, GenericByteArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
        downcast_primitive_array,
    },
    buffer::{BooleanBuffer, OffsetBuffer},
    datatypes::{ByteArrayType, DataType, Field, ToByteSlice},
};
use engine::{Error, Result};
use std::ops::Range;

/// How many field nodes and buffers a column has in a message: what fixes the size of the metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) nodes: usize,
    pub(super) buffers: usize,
}

impl Shape {
    /// Of all columns together. Types that never cross count as if they had no children.
    pub(super) fn of<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Self {
        fields.into_iter().map(|f| Shape::of_type(f.data_type())).fold(Shape::default(), Shape::and)
    }

    fn of_type(data_type: &DataType) -> Self {
        let own = |buffers| Shape { nodes: 1, buffers };
        match data_type {
            DataType::Null => own(0),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => own(3),
            DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => {
                own(2).and(Shape::of([item.as_ref()]))
            }
            DataType::FixedSizeList(item, _) => own(1).and(Shape::of([item.as_ref()])),
            DataType::Struct(fields) => own(1).and(Shape::of(fields.iter().map(AsRef::as_ref))),
            _ => own(2),
        }
    }

    fn and(self, other: Shape) -> Self {
        Shape { nodes: self.nodes + other.nodes, buffers: self.buffers + other.buffers }
    }
}

/// Writes the columns of one batch after a copy of its template.
pub(super) struct Body<'a> {
    template: &'a Template,
    out: &'a mut Vec<u8>,
    /// Where in `out` the message and its body start.
    message: usize,
    body: usize,
    written: Shape,
}

impl<'a> Body<'a> {
    /// Starts a message at the end of `out`.
    pub(super) fn new(template: &'a Template, out: &'a mut Vec<u8>) -> Self {
        let message = out.len();
        out.extend_from_slice(&template.bytes);
        Body { template, body: out.len(), out, message, written: Shape::default() }
    }

    /// Completes the metadata of a batch of `rows` rows.
    pub(super) fn finish(self, rows: usize) -> Result<()> {
        if self.written != (Shape { nodes: self.template.nodes, buffers: self.template.buffers }) {
            return Err(Error::internal(
                "a batch was encoded with another number of buffers than its schema has",
            ));
        }
        let size = self.out.len() - self.body;
        self.template.put_size(self.out.get_mut(self.message..).unwrap_or_default(), rows, size);
        Ok(())
    }

    /// Writes a column and its children: nodes and buffers in depth-first order.
    pub(super) fn column(&mut self, array: &dyn Array) -> Result<()> {
        self.node(array);
        downcast_primitive_array!(
            array => self.buffer(array.values().inner().as_slice()),
            DataType::Null => {}
            DataType::Boolean => self.bits(array.as_boolean().values()),
            DataType::Utf8 => self.bytes(array.as_string::<i32>()),
            DataType::LargeUtf8 => self.bytes(array.as_string::<i64>()),
            DataType::Binary => self.bytes(array.as_binary::<i32>()),
            DataType::LargeBinary => self.bytes(array.as_binary::<i64>()),
            DataType::FixedSizeBinary(_) => self.buffer(array.as_fixed_size_binary().value_data()),
            DataType::List(_) => return self.list(array.as_list::<i32>()),
            DataType::LargeList(_) => return self.list(array.as_list::<i64>()),
            DataType::Map(..) => return self.map(array.as_map()),
            DataType::FixedSizeList(..) => return self.column(array.as_fixed_size_list().values()),
            DataType::Struct(_) => return self.fields(array.as_struct()),
            other => return Err(Error::internal(format!("{other} was not cast for a plugin")))
        );
        Ok(())
    }

    /// Length and null count, and the validity bitmap: empty if nothing is null.
    fn node(&mut self, array: &dyn Array) {
        let is_null_type = *array.data_type() == DataType::Null;
        let nulls = if is_null_type { array.len() } else { array.null_count() };
        let message = self.out.get_mut(self.message..).unwrap_or_default();
        self.template.put_node(message, self.written.nodes, array.len(), nulls);
        self.written.nodes += 1;
        match array.nulls() {
            _ if is_null_type => {}
            Some(valid) if nulls > 0 => self.bits(valid.inner()),
            _ => self.buffer(&[]),
        }
    }

    fn bytes<T: ByteArrayType>(&mut self, array: &GenericByteArray<T>)
    where
        T::Offset: OffsetSizeTrait,
    {
        let used = self.offsets(array.offsets());
        self.buffer(array.values().get(used).unwrap_or_default());
    }

    fn list<O: OffsetSizeTrait>(&mut self, array: &GenericListArray<O>) -> Result<()> {
        let used = self.offsets(array.offsets());
        self.part(array.values(), used)
    }

    fn map(&mut self, array: &MapArray) -> Result<()> {
        let used = self.offsets(array.offsets());
        self.part(array.entries(), used)
    }

    fn fields(&mut self, array: &StructArray) -> Result<()> {
        array.columns().iter().try_for_each(|column| self.column(column))
    }

    fn part(&mut self, array: &dyn Array, rows: Range<usize>) -> Result<()> {
        if rows.len() == array.len() {
            self.column(array)
        } else {
            self.column(&array.slice(rows.start, rows.len()))
        }
    }

    /// Writes offsets that start at 0, and says which part of the values they cover.
    fn offsets<O: OffsetSizeTrait>(&mut self, offsets: &OffsetBuffer<O>) -> Range<usize> {
        let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else { return 0..0 };
        if first == O::zero() {
            self.buffer(offsets.inner().inner().as_slice());
        } else {
            let moved: Vec<O> = offsets.iter().map(|&offset| offset - first).collect();
            self.buffer(moved.to_byte_slice());
        }
        first.as_usize()..last.as_usize()
    }

    /// Writes a bitmap that starts at bit 0; the bits after its end are zeros.
    fn bits(&mut self, bits: &BooleanBuffer) {
        let length = bits.len().div_ceil(8);
        if bits.offset().is_multiple_of(8) {
            let start = bits.offset() / 8;
            self.unpadded(bits.values().get(start..start + length).unwrap_or_default());
        } else {
            self.unpadded(bits.sliced().get(..length).unwrap_or_default());
        }
        if let (Some(last), used @ 1..) = (self.out.last_mut(), bits.len() % 8) {
            *last &= (1 << used) - 1;
        }
        self.pad();
    }

    fn buffer(&mut self, bytes: &[u8]) {
        self.unpadded(bytes);
        self.pad();
    }

    fn unpadded(&mut self, bytes: &[u8]) {
        let offset = self.out.len() - self.body;
        let message = self.out.get_mut(self.message..).unwrap_or_default();
        self.template.put_buffer(message, self.written.buffers, offset, bytes.len());
        self.written.buffers += 1;
        self.out.extend_from_slice(bytes);
    }

    fn pad(&mut self) {
        let length = (self.out.len() - self.body).next_multiple_of(ALIGNMENT);
        self.out.resize(self.body + length, 0);
    }
}
