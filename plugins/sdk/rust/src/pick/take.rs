//! Rows by their numbers.

use std::sync::Arc;

use arrow_array::builder::GenericByteBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, GenericByteArray,
    GenericListArray, MapArray, NullArray, OffsetSizeTrait, StructArray,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, IntervalDayTime, IntervalMonthDayNano, NullBuffer, OffsetBuffer,
    i256,
};
use arrow_schema::{DataType, FieldRef, IntervalUnit};

use crate::ipc::fixed;
use crate::{Error, Result, ddl};

/// The values of `column` at `rows`, in that order; a row may be picked more than once.
///
/// Arrow's `take` makes a small plugin twice as large.
///
/// # Errors
/// If the column has no such row, or a type that the contract leaves out.
pub fn take_rows(column: &dyn Array, rows: &[u32]) -> Result<ArrayRef> {
    match rows.iter().max().filter(|row| **row as usize >= column.len()) {
        Some(last) => Err(Error::permanent(format_args!("row {last} of {} is picked", column.len()))),
        None => pick(column, rows),
    }
}

/// As [`take_rows`], of rows that are there.
fn pick(column: &dyn Array, rows: &[u32]) -> Result<ArrayRef> {
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    let nulls = nulls.map(|nulls| NullBuffer::new(bits(nulls.inner(), rows)));
    Ok(match column.data_type() {
        DataType::Null => Arc::new(NullArray::new(rows.len())),
        DataType::Boolean => Arc::new(BooleanArray::new(bits(column.as_boolean().values(), rows), nulls)),
        DataType::Utf8 => bytes(column.as_string::<i32>(), rows),
        DataType::LargeUtf8 => bytes(column.as_string::<i64>(), rows),
        DataType::Binary => bytes(column.as_binary::<i32>(), rows),
        DataType::LargeBinary => bytes(column.as_binary::<i64>(), rows),
        DataType::FixedSizeBinary(width) => {
            let values = column.as_fixed_size_binary();
            let picked = rows.iter().flat_map(|row| values.value(*row as usize)).copied();
            Arc::new(FixedSizeBinaryArray::try_new(*width, picked.collect(), nulls)?)
        }
        other if other.is_nested() => nested(column, rows, nulls)?,
        other => fixed(values(column, rows)?, other, rows.len(), nulls)?,
    })
}

fn nested(column: &dyn Array, rows: &[u32], nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::List(item) => list(column.as_list::<i32>(), item, rows, nulls),
        DataType::LargeList(item) => list(column.as_list::<i64>(), item, rows, nulls),
        DataType::FixedSizeList(item, size) => {
            let width = u32::try_from(*size).unwrap_or(0);
            let items: Vec<u32> = rows.iter().flat_map(|row| row * width..(row + 1) * width).collect();
            let items = pick(column.as_fixed_size_list().values(), &items)?;
            Ok(Arc::new(FixedSizeListArray::try_new(item.clone(), *size, items, nulls)?))
        }
        DataType::Map(entry, ordered) => {
            let (offsets, entries) = spread(column.as_map().value_offsets(), rows);
            let entries = pick(column.as_map().entries(), &entries)?.as_struct().clone();
            Ok(Arc::new(MapArray::try_new(entry.clone(), offsets, entries, nulls, *ordered)?))
        }
        DataType::Struct(fields) => {
            let children = column.as_struct().columns().iter().map(|child| pick(child, rows));
            let children = children.collect::<Result<_>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), children, nulls, rows.len())?))
        }
        other => Err(unknown(other)),
    }
}

fn bits(bits: &BooleanBuffer, rows: &[u32]) -> BooleanBuffer {
    rows.iter().map(|row| bits.value(*row as usize)).collect()
}

fn bytes<T: ByteArrayType>(values: &GenericByteArray<T>, rows: &[u32]) -> ArrayRef {
    let size = rows.iter().map(|row| values.value_length(*row as usize).as_usize()).sum();
    let mut picked = GenericByteBuilder::<T>::with_capacity(rows.len(), size);
    let rows = rows.iter().map(|row| *row as usize);
    if values.null_count() == 0 {
        rows.for_each(|row| picked.append_value(values.value(row)));
    } else {
        rows.for_each(|row| picked.append_option(values.is_valid(row).then(|| values.value(row))));
    }
    Arc::new(picked.finish())
}

fn list<O: OffsetSizeTrait>(
    lists: &GenericListArray<O>,
    item: &FieldRef,
    rows: &[u32],
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let (offsets, items) = spread(lists.value_offsets(), rows);
    let items = pick(lists.values(), &items)?;
    Ok(Arc::new(GenericListArray::try_new(item.clone(), offsets, items, nulls)?))
}

/// The offsets of the picked lists, and the items that are in them.
fn spread<O: OffsetSizeTrait>(offsets: &[O], rows: &[u32]) -> (OffsetBuffer<O>, Vec<u32>) {
    let ends = |row: &u32| match offsets.get(*row as usize..) {
        Some([start, end, ..]) => start.as_usize() as u32..end.as_usize() as u32,
        _ => 0..0,
    };
    let lengths = rows.iter().map(|row| ends(row).len());
    (OffsetBuffer::from_lengths(lengths), rows.iter().flat_map(ends).collect())
}

/// Values of a fixed width, one after the other.
fn values(column: &dyn Array, rows: &[u32]) -> Result<Buffer> {
    let of = column.data_type();
    Ok(match (of, of.primitive_width()) {
        // They are not aligned as numbers of their width are.
        (DataType::Interval(IntervalUnit::DayTime), _) => gather::<IntervalDayTime>(column, rows),
        (DataType::Interval(IntervalUnit::MonthDayNano), _) => gather::<IntervalMonthDayNano>(column, rows),
        (_, Some(1)) => gather::<i8>(column, rows),
        (_, Some(2)) => gather::<i16>(column, rows),
        (_, Some(4)) => gather::<i32>(column, rows),
        (_, Some(8)) => gather::<i64>(column, rows),
        (_, Some(16)) => gather::<i128>(column, rows),
        (_, Some(32)) => gather::<i256>(column, rows),
        _ => return Err(unknown(of)),
    })
}

fn unknown(of: &DataType) -> Error {
    Error::permanent(format_args!("rows of {} cannot be picked", ddl::type_name(of)))
}

fn gather<T: ArrowNativeType>(column: &dyn Array, rows: &[u32]) -> Buffer {
    let data = column.to_data();
    let values = data.buffer::<T>(0);
    let picked = rows.iter().map(|row| values.get(*row as usize).copied().unwrap_or_default());
    picked.collect::<Vec<T>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrow::compute::take;
    use arrow_array::{
        Decimal256Array, DurationMillisecondArray, IntervalDayTimeArray, IntervalMonthDayNanoArray,
        IntervalYearMonthArray, UInt32Array,
    };
    use arrow_json::ReaderBuilder;
    use std::sync::Arc;

    const COLUMNS: &str = "a BOOLEAN, z BINARY, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h STRING, \
        i DATE, j TIMESTAMP, k DECIMAL(20, 2), l ARRAY<STRING>, m MAP<STRING, INT>, n STRUCT<x: INT, y: ARRAY<INT>>";
    const ROWS: &str = r#"
        {"a": true, "b": 1, "c": 2, "d": 3, "e": 4, "f": 0.5, "g": 1.5, "h": "one", "i": "2025-01-01",
         "j": "2025-01-01T00:00:01Z", "k": "12.34", "l": ["p", "q"], "m": {"u": 1}, "n": {"x": 1, "y": [1, 2]}}
        {}
        {"a": false, "b": -1, "c": -2, "d": -3, "e": -4, "f": -0.5, "g": -1.5, "h": "", "i": "1969-01-01",
         "j": "1969-01-01T00:00:01Z", "k": "-0.01", "l": [null, "r", ""], "m": {}, "n": {"x": null, "y": null}}
        {"h": "four", "l": [], "m": {"v": null, "w": 2}, "n": {"y": [3]}}"#;

    #[test]
    fn what_is_picked_is_what_arrow_would_take() -> Result<()> {
        let schema = Arc::new(ddl::parse(COLUMNS)?);
        let mut reader = ReaderBuilder::new(schema).build(ROWS.as_bytes())?;
        let batch = reader.next().ok_or_else(|| Error::permanent("no rows"))??;
        for (whole, rows) in [(true, &[3, 0, 0, 1, 2, 3][..]), (true, &[]), (false, &[2, 0, 1, 1])] {
            let batch = if whole { batch.clone() } else { batch.slice(1, 3) };
            for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                let expected = take(column, &UInt32Array::from(rows.to_vec()), None)?;
                assert_eq!(&take_rows(column, rows)?, &expected, "{field}");
            }
        }
        Ok(())
    }

    #[test]
    fn what_has_no_name_in_ddl_is_picked_too() -> Result<()> {
        let days = [IntervalDayTime::new(1, -2), IntervalDayTime::new(i32::MIN, i32::MAX)];
        let nanos = [IntervalMonthDayNano::new(1, -2, 3), IntervalMonthDayNano::new(0, 7, i64::MIN)];
        let columns: [ArrayRef; 5] = [
            Arc::new(IntervalDayTimeArray::from_iter([Some(days[0]), None, Some(days[1])])),
            Arc::new(IntervalMonthDayNanoArray::from_iter([Some(nanos[0]), None, Some(nanos[1])])),
            Arc::new(IntervalYearMonthArray::from_iter([Some(14), None, Some(-1)])),
            Arc::new(DurationMillisecondArray::from_iter([Some(1), None, Some(i64::MIN)])),
            Arc::new(Decimal256Array::from_iter([Some(i256::MAX), None, Some(i256::MINUS_ONE)])),
        ];
        for column in columns {
            let rows = UInt32Array::from(vec![2, 0, 1, 2]);
            assert_eq!(
                &take_rows(&column, rows.values())?,
                &take(&column, &rows, None)?,
                "{}",
                column.data_type()
            );
            let keep = BooleanArray::from(vec![true, false, true]);
            let kept = take(&column, &UInt32Array::from(vec![0, 2]), None)?;
            assert_eq!(&crate::pick::filter(&column, &keep)?, &kept, "{}", column.data_type());
        }
        Ok(())
    }

    #[test]
    fn a_row_that_is_not_there_is_an_error() {
        let column = UInt32Array::from(vec![1, 2]);
        let error = take_rows(&column, &[0, 2]).map(drop).map_err(|error| error.to_string());
        assert_eq!(error, Err("row 2 of 2 is picked".into()));
    }
}
