//! JSON values that fit → one column.

use std::sync::Arc;

use streamhost::arrow::array::types::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use streamhost::arrow::array::{
    ArrayRef, BooleanArray, ListArray, MapArray, PrimitiveArray, StringArray, StructArray,
};
use streamhost::arrow::buffer::{NullBuffer, OffsetBuffer};
use streamhost::arrow::datatypes::{DataType, FieldRef, Fields};
use streamhost::serde_json::Value;
use streamhost::{Error, Result, ddl};

use crate::value::{date, map_value, member, text, timestamp};

/// Builds a column; a value that does not fit, or null, is null.
pub(crate) fn build(data_type: &DataType, values: &[&Value]) -> Result<ArrayRef> {
    Ok(match data_type {
        DataType::Boolean => Arc::new(values.iter().map(|value| value.as_bool()).collect::<BooleanArray>()),
        DataType::Int8 => whole::<Int8Type>(values),
        DataType::Int16 => whole::<Int16Type>(values),
        DataType::Int32 => whole::<Int32Type>(values),
        DataType::Int64 => whole::<Int64Type>(values),
        DataType::Float32 => {
            primitive::<Float32Type>(values, |value| value.as_f64().map(|value| value as f32))
        }
        DataType::Float64 => primitive::<Float64Type>(values, Value::as_f64),
        DataType::Utf8 => Arc::new(values.iter().map(|value| text(value)).collect::<StringArray>()),
        DataType::Date32 => primitive::<Date32Type>(values, date),
        DataType::Timestamp(_, zone) => {
            let micros = values.iter().map(|value| timestamp(value, zone.is_some()));
            let micros = micros.collect::<PrimitiveArray<TimestampMicrosecondType>>();
            Arc::new(micros.with_timezone_opt(zone.clone()))
        }
        DataType::List(item) => list(item, values)?,
        DataType::Map(entry, _) => map(entry, values)?,
        DataType::Struct(fields) => structure(fields, values)?,
        other => {
            let name = ddl::type_name(other);
            return Err(Error::invalid(format!(
                "config: schema: {name} is not read from JSON; take STRING or DOUBLE"
            )));
        }
    })
}

fn primitive<T: ArrowPrimitiveType>(
    values: &[&Value],
    read: impl Fn(&Value) -> Option<T::Native>,
) -> ArrayRef {
    Arc::new(values.iter().map(|value| read(value)).collect::<PrimitiveArray<T>>())
}

fn whole<T: ArrowPrimitiveType<Native: TryFrom<i64>>>(values: &[&Value]) -> ArrayRef {
    primitive::<T>(values, |value| value.as_i64().and_then(|value| T::Native::try_from(value).ok()))
}

fn list(item: &FieldRef, values: &[&Value]) -> Result<ArrayRef> {
    let lists: Vec<_> = values.iter().map(|value| value.as_array()).collect();
    let items: Vec<&Value> = lists.iter().copied().flatten().flatten().collect();
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.map_or(0, Vec::len)));
    let valid = NullBuffer::from_iter(lists.iter().map(Option::is_some));
    Ok(Arc::new(ListArray::try_new(item.clone(), offsets, build(item.data_type(), &items)?, Some(valid))?))
}

fn map(entry: &FieldRef, values: &[&Value]) -> Result<ArrayRef> {
    let (Some(of), DataType::Struct(pair)) = (map_value(entry), entry.data_type()) else {
        return Err(Error::invalid("config: schema: a MAP has keys and values"));
    };
    if pair.first().is_none_or(|key| *key.data_type() != DataType::Utf8) {
        return Err(Error::invalid("config: schema: the keys of JSON are text: MAP<STRING, …>"));
    }
    let maps: Vec<_> = values.iter().map(|value| value.as_object()).collect();
    let (keys, entries): (Vec<&str>, Vec<&Value>) =
        maps.iter().copied().flatten().flatten().map(|(key, value)| (key.as_str(), value)).unzip();
    let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(keys)), build(of.data_type(), &entries)?];
    let offsets = OffsetBuffer::from_lengths(maps.iter().map(|map| map.map_or(0, |map| map.len())));
    let valid = NullBuffer::from_iter(maps.iter().map(Option::is_some));
    let entries = StructArray::try_new(pair.clone(), columns, None)?;
    Ok(Arc::new(MapArray::try_new(entry.clone(), offsets, entries, Some(valid), false)?))
}

fn structure(fields: &Fields, values: &[&Value]) -> Result<ArrayRef> {
    let columns = fields.iter().map(|field| {
        let members: Vec<_> = values.iter().map(|value| member(value, field.name())).collect();
        build(field.data_type(), &members)
    });
    let valid = NullBuffer::from_iter(values.iter().map(|value| value.is_object()));
    let columns = columns.collect::<Result<_>>()?;
    Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, Some(valid), values.len())?))
}
