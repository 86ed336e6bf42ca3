//! Columns that grow row by row, and take a row back when it turns out to be bad.

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, ListArray, MapArray,
        NullBufferBuilder, PrimitiveArray, RecordBatch, RecordBatchOptions, StringArray, StructArray,
        new_null_array,
    },
    buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{
        ArrowNativeType, ArrowPrimitiveType, DataType, Field, FieldRef, Fields, Float32Type, Float64Type,
        Int8Type, Int16Type, Int32Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
    },
    error::ArrowError,
};
use engine::{Error, Result};
use std::{collections::HashMap, mem, sync::Arc};

/// The columns of a table or of a STRUCT.
///
/// A row is written column by column in any order and then ended, which makes every column that was not written
/// NULL; or taken back.
pub(crate) struct Columns {
    fields: Fields,
    columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    /// The names in quotes, as JSON nearly always writes them.
    quoted: Vec<Box<[u8]>>,
    rows: usize,
}

impl Columns {
    /// Empty columns. Fails for a type that files are not read as.
    pub(crate) fn new(fields: &Fields) -> Result<Self> {
        let columns = fields.iter().map(|f| Column::new(f)).collect::<Result<_>>()?;
        let by_name = fields.iter().enumerate().map(|(i, f)| (f.name().clone(), i)).collect();
        let quoted = fields.iter().map(|f| format!("\"{}\"", f.name()).into_bytes().into()).collect();
        Ok(Columns { fields: fields.clone(), columns, by_name, quoted, rows: 0 })
    }

    /// Rows ended so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Takes a column out of reach of names in the data, and says where it is.
    pub(crate) fn reserve(&mut self, name: &str) -> Option<usize> {
        let index = self.by_name.remove(name)?;
        if let Some(quoted) = self.quoted.get_mut(index) {
            *quoted = Box::new([0]);
        }
        Some(index)
    }

    /// The name in quotes of the column at `index`.
    #[inline]
    pub(crate) fn quoted(&self, index: usize) -> Option<&[u8]> {
        self.quoted.get(index).map(|q| &**q)
    }

    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Makes the column at `index` one that nobody looks at: it is NULL in every row, whatever the data has for it.
    pub(crate) fn leave_out(&mut self, index: usize) {
        if let Some((column, field)) = self.columns.get_mut(index).zip(self.fields.get(index)) {
            column.values = Values::LeftOut(field.data_type().clone());
        }
    }

    /// The column at `index`, ready for this row's value: the last value written to a row is the one that counts. None if it
    /// is left out.
    #[inline]
    pub(crate) fn cell(&mut self, index: usize) -> Option<&mut Column> {
        let rows = self.rows;
        let column = self.columns.get_mut(index)?;
        if matches!(column.values, Values::LeftOut(_)) {
            return None;
        }
        if column.len() > rows {
            column.truncate(rows);
        }
        Some(column)
    }

    /// Whether the column at `index` has a value in this row.
    #[cfg(feature = "kafka")]
    pub(crate) fn is_written(&self, index: usize) -> bool {
        self.columns.get(index).is_some_and(|column| column.len() > self.rows)
    }

    /// Ends a row.
    #[inline]
    pub(crate) fn end_row(&mut self) {
        for column in &mut self.columns {
            if column.len() == self.rows {
                column.push_null();
            }
        }
        self.rows += 1;
    }

    /// Takes back what was written of a row that has not ended.
    pub(crate) fn abandon_row(&mut self) {
        self.truncate(self.rows);
    }

    /// Forgets all rows from `rows` on.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.rows = rows;
        for column in &mut self.columns {
            column.truncate(rows);
        }
    }

    /// The rows written so far, as a batch of `schema`, which has these columns; starts anew.
    pub(crate) fn take(&mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let rows = mem::take(&mut self.rows);
        let arrays = self.columns.iter_mut().map(Column::take).collect::<Result<_, _>>();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        arrays
            .and_then(|a| RecordBatch::try_new_with_options(schema.clone(), a, &options))
            .map_err(|e| Error::internal("building a batch").caused_by(e))
    }
}

impl Columns {
    /// The columns of the rows written so far; starts anew.
    pub(crate) fn take_arrays(&mut self) -> Result<Vec<ArrayRef>> {
        self.rows = 0;
        let arrays = self.columns.iter_mut().map(Column::take).collect::<Result<_, _>>();
        arrays.map_err(|e| Error::internal("building columns").caused_by(e))
    }
}

/// One column that grows.
pub(crate) struct Column {
    pub(crate) values: Values,
    valid: NullBufferBuilder,
}

/// The values of a column; those of NULLs are there and mean nothing.
pub(crate) enum Values {
    Boolean(Vec<bool>),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal {
        values: Vec<i128>,
        precision: u8,
        scale: i8,
    },
    Text(Bytes),
    Binary(Bytes),
    Date(Vec<i32>),
    Timestamp {
        values: Vec<i64>,
        zone: Option<Arc<str>>,
    },
    List {
        ends: Vec<i32>,
        items: Box<Column>,
        field: FieldRef,
    },
    Map {
        ends: Vec<i32>,
        entries: Box<Columns>,
        field: FieldRef,
    },
    Struct(Box<Columns>),
    /// Nobody looks at them.
    LeftOut(DataType),
}

/// Texts one after the other.
#[derive(Default)]
pub(crate) struct Bytes {
    pub(crate) data: Vec<u8>,
    ends: Vec<i32>,
}

impl Bytes {
    /// Ends the value that was appended to `data`.
    #[inline]
    fn end(&mut self) {
        self.ends.push(self.data.len() as i32);
    }
}

impl Column {
    fn new(field: &Field) -> Result<Self> {
        Ok(Column { values: Values::new(field)?, valid: NullBufferBuilder::new(0) })
    }

    pub(crate) fn len(&self) -> usize {
        self.valid.len()
    }

    /// Says that a value was appended to `values`.
    #[inline]
    pub(crate) fn appended(&mut self) {
        self.valid.append_non_null();
    }

    /// Appends a text to a column of STRING or BINARY.
    #[inline]
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        if let Values::Text(b) | Values::Binary(b) = &mut self.values {
            b.data.extend_from_slice(bytes);
            self.end_bytes();
        }
    }

    /// Ends a text that was appended to the data of a column of STRING or BINARY.
    #[inline]
    pub(crate) fn end_bytes(&mut self) {
        if let Values::Text(b) | Values::Binary(b) = &mut self.values {
            b.end();
            self.appended();
        }
    }

    /// Where the items go of a list that [`Column::end_list`] ends; none in a column of something else.
    #[cfg(feature = "kafka")]
    pub(crate) fn items(&mut self) -> Option<&mut Column> {
        match &mut self.values {
            Values::List { items, .. } => Some(items),
            _ => None,
        }
    }

    /// Ends a list, if any items were appended to it.
    #[cfg(feature = "kafka")]
    pub(crate) fn end_list(&mut self) {
        if let Values::List { ends, items, .. } = &mut self.values
            && items.len() > last_end(ends)
        {
            ends.push(items.len() as i32);
            self.appended();
        }
    }

    pub(crate) fn push_null(&mut self) {
        self.values.push_placeholder();
        self.valid.append_null();
    }

    /// Takes back what was appended to `values` of a value that did not end.
    pub(crate) fn rewind(&mut self) {
        self.values.truncate(self.valid.len());
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        if rows < self.valid.len() {
            self.valid.truncate(rows);
        }
    }

    fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        let rows = self.valid.len();
        let nulls = mem::replace(&mut self.valid, NullBufferBuilder::new(rows)).finish();
        self.values.take(rows, nulls)
    }
}

impl Values {
    fn new(field: &Field) -> Result<Self> {
        Ok(match field.data_type() {
            DataType::Boolean => Values::Boolean(Vec::new()),
            DataType::Int8 => Values::Int8(Vec::new()),
            DataType::Int16 => Values::Int16(Vec::new()),
            DataType::Int32 => Values::Int32(Vec::new()),
            DataType::Int64 => Values::Int64(Vec::new()),
            DataType::Float32 => Values::Float32(Vec::new()),
            DataType::Float64 => Values::Float64(Vec::new()),
            DataType::Decimal128(precision, scale) => {
                Values::Decimal { values: Vec::new(), precision: *precision, scale: *scale }
            }
            DataType::Utf8 => Values::Text(Bytes::default()),
            DataType::Binary => Values::Binary(Bytes::default()),
            DataType::Date32 => Values::Date(Vec::new()),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                Values::Timestamp { values: Vec::new(), zone: zone.clone() }
            }
            DataType::List(item) => {
                Values::List { ends: Vec::new(), items: Box::new(Column::new(item)?), field: item.clone() }
            }
            DataType::Map(entries, _) => Values::map(entries)?,
            DataType::Struct(fields) => Values::Struct(Box::new(Columns::new(fields)?)),
            other => return Err(unreadable(field.name(), other)),
        })
    }

    fn map(field: &FieldRef) -> Result<Self> {
        match field.data_type() {
            DataType::Struct(pair) if pair.first().is_some_and(|k| k.data_type() == &DataType::Utf8) => {
                let entries = Box::new(Columns::new(pair)?);
                Ok(Values::Map { ends: Vec::new(), entries, field: field.clone() })
            }
            _ => {
                Err(Error::invalid(format!("schema: in {}, the keys of a MAP must be STRING", field.name())))
            }
        }
    }

    /// Appends whatever stands in the place of a NULL.
    fn push_placeholder(&mut self) {
        match self {
            Values::Boolean(v) => v.push(false),
            Values::Int8(v) => v.push(0),
            Values::Int16(v) => v.push(0),
            Values::Int32(v) | Values::Date(v) => v.push(0),
            Values::Int64(v) | Values::Timestamp { values: v, .. } => v.push(0),
            Values::Float32(v) => v.push(0.0),
            Values::Float64(v) => v.push(0.0),
            Values::Decimal { values, .. } => values.push(0),
            Values::Text(b) | Values::Binary(b) => b.end(),
            Values::List { ends, items, .. } => ends.push(items.len() as i32),
            Values::Map { ends, entries, .. } => ends.push(entries.rows() as i32),
            Values::Struct(columns) => {
                columns.abandon_row();
                columns.end_row();
            }
            Values::LeftOut(_) => {}
        }
    }

    fn truncate(&mut self, rows: usize) {
        match self {
            Values::Boolean(v) => v.truncate(rows),
            Values::Int8(v) => v.truncate(rows),
            Values::Int16(v) => v.truncate(rows),
            Values::Int32(v) | Values::Date(v) => v.truncate(rows),
            Values::Int64(v) | Values::Timestamp { values: v, .. } => v.truncate(rows),
            Values::Float32(v) => v.truncate(rows),
            Values::Float64(v) => v.truncate(rows),
            Values::Decimal { values, .. } => values.truncate(rows),
            Values::Text(b) | Values::Binary(b) => {
                b.ends.truncate(rows);
                b.data.truncate(last_end(&b.ends));
            }
            Values::List { ends, items, .. } => {
                ends.truncate(rows);
                items.truncate(last_end(ends));
            }
            Values::Map { ends, entries, .. } => {
                ends.truncate(rows);
                entries.truncate(last_end(ends));
            }
            Values::Struct(columns) => columns.truncate(rows),
            Values::LeftOut(_) => {}
        }
    }

    fn take(&mut self, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Values::Boolean(v) => Arc::new(BooleanArray::new(take(v).into(), nulls)),
            Values::Int8(v) => primitive::<Int8Type>(v, nulls)?,
            Values::Int16(v) => primitive::<Int16Type>(v, nulls)?,
            Values::Int32(v) => primitive::<Int32Type>(v, nulls)?,
            Values::Int64(v) => primitive::<Int64Type>(v, nulls)?,
            Values::Float32(v) => primitive::<Float32Type>(v, nulls)?,
            Values::Float64(v) => primitive::<Float64Type>(v, nulls)?,
            Values::Date(v) => Arc::new(Date32Array::try_new(take(v).into(), nulls)?),
            Values::Decimal { values, precision, scale } => Arc::new(
                Decimal128Array::try_new(take(values).into(), nulls)?
                    .with_precision_and_scale(*precision, *scale)?,
            ),
            Values::Timestamp { values, zone } => Arc::new(
                PrimitiveArray::<TimestampMicrosecondType>::try_new(take(values).into(), nulls)?
                    .with_timezone_opt(zone.clone()),
            ),
            Values::Text(b) => Arc::new(StringArray::try_new(
                offsets(&mut b.ends),
                Buffer::from_vec(take(&mut b.data)),
                nulls,
            )?),
            Values::Binary(b) => Arc::new(BinaryArray::try_new(
                offsets(&mut b.ends),
                Buffer::from_vec(take(&mut b.data)),
                nulls,
            )?),
            Values::List { ends, items, field } => {
                Arc::new(ListArray::try_new(field.clone(), offsets(ends), items.take()?, nulls)?)
            }
            Values::Map { ends, entries, field } => {
                let pairs = entries.take_struct(None)?;
                Arc::new(MapArray::try_new(field.clone(), offsets(ends), pairs, nulls, false)?)
            }
            Values::Struct(columns) => {
                debug_assert_eq!(columns.rows(), rows);
                Arc::new(columns.take_struct(nulls)?)
            }
            Values::LeftOut(kind) => new_null_array(kind, rows),
        })
    }
}

impl Columns {
    fn take_struct(&mut self, nulls: Option<NullBuffer>) -> Result<StructArray, ArrowError> {
        let rows = mem::take(&mut self.rows);
        let arrays = self.columns.iter_mut().map(Column::take).collect::<Result<_, _>>()?;
        StructArray::try_new_with_length(self.fields.clone(), arrays, nulls, rows)
    }
}

fn unreadable(name: &str, kind: &DataType) -> Error {
    Error::invalid(format!("schema: {name} has type {kind}, which is not read from lines of text"))
}

fn last_end(ends: &[i32]) -> usize {
    ends.last().map_or(0, |end| *end as usize)
}

/// The values, leaving room for as many again.
fn take<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = values.len();
    mem::replace(values, Vec::with_capacity(room))
}

fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0);
    offsets.append(ends);
    OffsetBuffer::new(offsets.into())
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, ArrowError>
where
    T::Native: ArrowNativeType,
{
    Ok(Arc::new(PrimitiveArray::<T>::try_new(ScalarBuffer::from(take(values)), nulls)?))
}
