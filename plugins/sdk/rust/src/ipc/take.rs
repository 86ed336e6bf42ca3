//! Rows picked from a column. Buffers are gathered by width and made a column by the code that reads messages: arrow's own kernel is
//! compiled for every type of column and of index, which is as much code as all else in a small plugin.

use std::collections::VecDeque;

use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::{Array, ArrayRef, GenericByteArray};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer};
use arrow_schema::DataType;

use super::array::{Parts, array};
use crate::{Error, Result, ddl};

/// The values of `column` at `rows`, in that order; a row may be picked more than once.
///
/// Arrow's `take` makes a small plugin twice as large.
///
/// # Errors
/// If the column has no such row, or a type that the contract leaves out.
pub fn take_rows(column: &dyn Array, rows: &[u32]) -> Result<ArrayRef> {
    if let Some(last) = rows.iter().max().filter(|row| **row as usize >= column.len()) {
        return Err(Error::permanent(format_args!("row {last} of {} is picked", column.len())));
    }
    let mut picked = Picked::default();
    picked.array(column, rows)?;
    array(&mut picked, column.data_type())
}

/// The nodes and buffers of the picked rows, depth first.
#[derive(Default)]
struct Picked {
    nodes: VecDeque<(usize, usize)>,
    buffers: VecDeque<Buffer>,
}

impl Parts for Picked {
    fn node(&mut self) -> Result<(usize, usize)> {
        self.nodes.pop_front().ok_or_else(lost)
    }

    fn buffer(&mut self) -> Result<Buffer> {
        self.buffers.pop_front().ok_or_else(lost)
    }
}

impl Picked {
    /// Adds the parts of `rows`, each of which the array has.
    fn array(&mut self, array: &dyn Array, rows: &[u32]) -> Result<()> {
        if *array.data_type() == DataType::Null {
            self.nodes.push_back((rows.len(), rows.len()));
            return Ok(());
        }
        self.validity(array, rows);
        match array.data_type() {
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                self.list(lists.value_offsets(), lists.values(), rows)
            }
            DataType::LargeList(_) => {
                let lists = array.as_list::<i64>();
                self.list(lists.value_offsets(), lists.values(), rows)
            }
            DataType::Map(..) => {
                let maps = array.as_map();
                self.list(maps.value_offsets(), maps.entries(), rows)
            }
            DataType::FixedSizeList(_, size) => {
                let size = u32::try_from(*size).unwrap_or(0);
                let items: Vec<u32> = rows.iter().flat_map(|row| row * size..(row + 1) * size).collect();
                self.array(array.as_fixed_size_list().values(), &items)
            }
            DataType::Struct(_) => {
                array.as_struct().columns().iter().try_for_each(|child| self.array(child, rows))
            }
            _ => self.values(array, rows),
        }
    }

    fn list<O: ArrowNativeType>(&mut self, offsets: &[O], items: &dyn Array, rows: &[u32]) -> Result<()> {
        let mut ends = Vec::with_capacity(rows.len() + 1);
        ends.push(O::usize_as(0));
        let mut picked = Vec::new();
        for row in rows {
            let (start, end) = ends_of(offsets, *row);
            picked.extend(start as u32..end as u32);
            ends.push(O::usize_as(picked.len()));
        }
        self.buffers.push_back(ends.into());
        self.array(items, &picked)
    }

    fn validity(&mut self, array: &dyn Array, rows: &[u32]) {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let valid = nulls.map(|nulls| bits(nulls.inner(), rows));
        let missing = valid.as_ref().map_or(0, |valid| rows.len() - valid.count_set_bits());
        self.nodes.push_back((rows.len(), missing));
        self.buffers.push_back(valid.map(BooleanBuffer::into_inner).unwrap_or_default());
    }

    fn values(&mut self, array: &dyn Array, rows: &[u32]) -> Result<()> {
        match array.data_type() {
            DataType::Boolean => self.buffers.push_back(bits(array.as_boolean().values(), rows).into_inner()),
            DataType::Utf8 => self.bytes(array.as_string::<i32>(), rows),
            DataType::LargeUtf8 => self.bytes(array.as_string::<i64>(), rows),
            DataType::Binary => self.bytes(array.as_binary::<i32>(), rows),
            DataType::LargeBinary => self.bytes(array.as_binary::<i64>(), rows),
            DataType::FixedSizeBinary(_) => {
                let values = array.as_fixed_size_binary();
                let picked = rows.iter().flat_map(|row| values.value(*row as usize));
                self.buffers.push_back(picked.copied().collect());
            }
            other => {
                let picked = fixed(array, other.primitive_width(), rows);
                self.buffers.push_back(picked.ok_or_else(|| {
                    Error::permanent(format_args!("rows of {} cannot be picked", ddl::type_name(other)))
                })?);
            }
        }
        Ok(())
    }

    fn bytes<T: ByteArrayType>(&mut self, array: &GenericByteArray<T>, rows: &[u32]) {
        let (offsets, values) = (array.value_offsets(), array.value_data());
        let mut ends = Vec::with_capacity(rows.len() + 1);
        ends.push(T::Offset::usize_as(0));
        let mut picked = Vec::new();
        for row in rows {
            let (start, end) = ends_of(offsets, *row);
            picked.extend_from_slice(values.get(start..end).unwrap_or_default());
            ends.push(T::Offset::usize_as(picked.len()));
        }
        self.buffers.extend([ends.into(), picked.into()]);
    }
}

fn bits(bits: &BooleanBuffer, rows: &[u32]) -> BooleanBuffer {
    rows.iter().map(|row| bits.value(*row as usize)).collect()
}

fn fixed(array: &dyn Array, width: Option<usize>, rows: &[u32]) -> Option<Buffer> {
    match width? {
        1 => Some(gather::<i8>(array, rows)),
        2 => Some(gather::<i16>(array, rows)),
        4 => Some(gather::<i32>(array, rows)),
        8 => Some(gather::<i64>(array, rows)),
        16 => Some(gather::<i128>(array, rows)),
        _ => None,
    }
}

fn gather<T: ArrowNativeType>(array: &dyn Array, rows: &[u32]) -> Buffer {
    let data = array.to_data();
    let values = data.buffer::<T>(0);
    let picked = rows.iter().map(|row| values.get(*row as usize).copied().unwrap_or_default());
    picked.collect::<Vec<T>>().into()
}

/// Where the values of a row start and end.
fn ends_of<O: ArrowNativeType>(offsets: &[O], row: u32) -> (usize, usize) {
    match offsets.get(row as usize..) {
        Some([start, end, ..]) => (start.as_usize(), end.as_usize()),
        _ => (0, 0),
    }
}

fn lost() -> Error {
    Error::permanent("picking rows lost a part of a column")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrow::compute::take;
    use crate::ddl;
    use arrow_array::UInt32Array;
    use arrow_json::ReaderBuilder;
    use std::sync::Arc;

    const COLUMNS: &str = "a BOOLEAN, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h STRING, \
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
        let batch = reader.next().ok_or_else(lost)??;
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
    fn a_row_that_is_not_there_is_an_error() {
        let column = UInt32Array::from(vec![1, 2]);
        let error = take_rows(&column, &[0, 2]).map(drop).map_err(|error| error.to_string());
        assert_eq!(error, Err("row 2 of 2 is picked".into()));
    }
}
