//! Buffers → one column. Only the types of the contract are named here: Arrow's own constructor for every type would link code for
//! dictionaries, views and unions into each plugin.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, BinaryType, ByteArrayType, Date32Type, Date64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType,
    IntervalMonthDayNanoType, IntervalYearMonthType, LargeBinaryType, LargeUtf8Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type, Utf8Type,
};
use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, GenericByteArray, GenericListArray,
    MapArray, NullArray, OffsetSizeTrait, PrimitiveArray, StructArray,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, FieldRef, Fields, IntervalUnit, TimeUnit};

use crate::{Error, Result, ddl};

/// Where a column's parts come from, in the order of the schema's fields, depth first.
pub(super) trait Parts {
    /// Length and nulls of the next array.
    fn node(&mut self) -> Result<(usize, usize)>;
    /// The next buffer.
    fn buffer(&mut self) -> Result<Buffer>;
}

/// Takes the parts of one column.
pub(super) fn array(parts: &mut impl Parts, data_type: &DataType) -> Result<ArrayRef> {
    let (length, nulls) = parts.node()?;
    if *data_type == DataType::Null {
        return Ok(Arc::new(NullArray::new(length)));
    }
    let nulls = validity(parts.buffer()?, length, nulls)?;
    match data_type {
        DataType::Boolean => Ok(Arc::new(BooleanArray::new(bits(parts.buffer()?, length)?, nulls))),
        DataType::Utf8 => bytes::<Utf8Type>(parts, length, nulls),
        DataType::LargeUtf8 => bytes::<LargeUtf8Type>(parts, length, nulls),
        DataType::Binary => bytes::<BinaryType>(parts, length, nulls),
        DataType::LargeBinary => bytes::<LargeBinaryType>(parts, length, nulls),
        DataType::FixedSizeBinary(width) => {
            Ok(Arc::new(FixedSizeBinaryArray::try_new(*width, parts.buffer()?, nulls)?))
        }
        DataType::List(item) => list::<i32>(parts, item, length, nulls),
        DataType::LargeList(item) => list::<i64>(parts, item, length, nulls),
        DataType::FixedSizeList(item, size) => {
            let items = array(parts, item.data_type())?;
            Ok(Arc::new(FixedSizeListArray::try_new(item.clone(), *size, items, nulls)?))
        }
        DataType::Map(entry, ordered) => map(parts, entry, *ordered, length, nulls),
        DataType::Struct(fields) => Ok(Arc::new(structure(parts, fields, length, nulls)?)),
        other => fixed(parts.buffer()?, other, length, nulls),
    }
}

/// A column of values of a fixed width.
pub(crate) fn fixed(
    buffer: Buffer,
    data_type: &DataType,
    length: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let read = match data_type {
        DataType::Int8 => primitive::<Int8Type>,
        DataType::Int16 => primitive::<Int16Type>,
        DataType::Int32 => primitive::<Int32Type>,
        DataType::Int64 => primitive::<Int64Type>,
        DataType::UInt8 => primitive::<UInt8Type>,
        DataType::UInt16 => primitive::<UInt16Type>,
        DataType::UInt32 => primitive::<UInt32Type>,
        DataType::UInt64 => primitive::<UInt64Type>,
        DataType::Float16 => primitive::<Float16Type>,
        DataType::Float32 => primitive::<Float32Type>,
        DataType::Float64 => primitive::<Float64Type>,
        DataType::Date32 => primitive::<Date32Type>,
        DataType::Date64 => primitive::<Date64Type>,
        DataType::Time32(TimeUnit::Second) => primitive::<Time32SecondType>,
        DataType::Time32(_) => primitive::<Time32MillisecondType>,
        DataType::Time64(TimeUnit::Microsecond) => primitive::<Time64MicrosecondType>,
        DataType::Time64(_) => primitive::<Time64NanosecondType>,
        DataType::Timestamp(TimeUnit::Second, _) => primitive::<TimestampSecondType>,
        DataType::Timestamp(TimeUnit::Millisecond, _) => primitive::<TimestampMillisecondType>,
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitive::<TimestampMicrosecondType>,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitive::<TimestampNanosecondType>,
        DataType::Duration(TimeUnit::Second) => primitive::<DurationSecondType>,
        DataType::Duration(TimeUnit::Millisecond) => primitive::<DurationMillisecondType>,
        DataType::Duration(TimeUnit::Microsecond) => primitive::<DurationMicrosecondType>,
        DataType::Duration(TimeUnit::Nanosecond) => primitive::<DurationNanosecondType>,
        DataType::Interval(IntervalUnit::YearMonth) => primitive::<IntervalYearMonthType>,
        DataType::Interval(IntervalUnit::DayTime) => primitive::<IntervalDayTimeType>,
        DataType::Interval(IntervalUnit::MonthDayNano) => primitive::<IntervalMonthDayNanoType>,
        DataType::Decimal128(..) => primitive::<Decimal128Type>,
        DataType::Decimal256(..) => primitive::<Decimal256Type>,
        other => {
            return Err(Error::invalid(format_args!("{} cannot come into a plugin", ddl::type_name(other))));
        }
    };
    read(buffer, data_type, length, nulls)
}

fn primitive<T: ArrowPrimitiveType>(
    buffer: Buffer,
    data_type: &DataType,
    length: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let array = PrimitiveArray::<T>::try_new(scalars(buffer, length)?, nulls)?;
    Ok(Arc::new(array.with_data_type(data_type.clone())))
}

fn bytes<T: ByteArrayType>(
    parts: &mut impl Parts,
    length: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let offsets = offsets(parts.buffer()?, length)?;
    Ok(Arc::new(GenericByteArray::<T>::try_new(offsets, parts.buffer()?, nulls)?))
}

fn list<O: OffsetSizeTrait>(
    parts: &mut impl Parts,
    item: &FieldRef,
    length: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let offsets = offsets::<O>(parts.buffer()?, length)?;
    let items = array(parts, item.data_type())?;
    Ok(Arc::new(GenericListArray::try_new(item.clone(), offsets, items, nulls)?))
}

fn map(
    parts: &mut impl Parts,
    entry: &FieldRef,
    ordered: bool,
    length: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let offsets = offsets(parts.buffer()?, length)?;
    let DataType::Struct(fields) = entry.data_type() else {
        return Err(Error::invalid("the entries of a map are no struct"));
    };
    let (count, missing) = parts.node()?;
    let entry_nulls = validity(parts.buffer()?, count, missing)?;
    let entries = structure(parts, fields, count, entry_nulls)?;
    Ok(Arc::new(MapArray::try_new(entry.clone(), offsets, entries, nulls, ordered)?))
}

fn structure(
    parts: &mut impl Parts,
    fields: &Fields,
    length: usize,
    nulls: Option<NullBuffer>,
) -> Result<StructArray> {
    let children = fields.iter().map(|field| array(parts, field.data_type())).collect::<Result<_>>()?;
    Ok(StructArray::try_new_with_length(fields.clone(), children, nulls, length)?)
}

fn validity(buffer: Buffer, length: usize, nulls: usize) -> Result<Option<NullBuffer>> {
    if nulls == 0 {
        return Ok(None);
    }
    Ok(Some(NullBuffer::new(bits(buffer, length)?)))
}

fn bits(buffer: Buffer, length: usize) -> Result<BooleanBuffer> {
    if buffer.len() < length.div_ceil(8) {
        return Err(short());
    }
    Ok(BooleanBuffer::new(buffer, 0, length))
}

/// Values as they lie in the message, or a copy of them if they are misaligned there.
fn scalars<T: ArrowNativeType>(buffer: Buffer, length: usize) -> Result<ScalarBuffer<T>> {
    let size = length.checked_mul(size_of::<T>()).filter(|size| *size <= buffer.len()).ok_or_else(short)?;
    let buffer = buffer.slice_with_length(0, size);
    let aligned = buffer.as_ptr().align_offset(align_of::<T>()) == 0;
    Ok(ScalarBuffer::new(if aligned { buffer } else { Buffer::from(buffer.as_slice()) }, 0, length))
}

/// Offsets of variable-length values; an array of none may come without any.
fn offsets<O: OffsetSizeTrait>(buffer: Buffer, length: usize) -> Result<OffsetBuffer<O>> {
    if length == 0 {
        return Ok(OffsetBuffer::new_empty());
    }
    Ok(OffsetBuffer::new(scalars(buffer, length + 1)?))
}

fn short() -> Error {
    Error::permanent("the host's message has a buffer that is too short for its rows")
}
