//! Rows by a bitmap. Every value is written, and the next one overwrites it unless it was to be kept: without a branch.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryType, ByteArrayType, Utf8Type};
use arrow_array::{Array, ArrayRef, BooleanArray, GenericByteArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::DataType;

use super::take_rows;
use crate::ipc::fixed;
use crate::{Error, Result};

/// The values whose bit is set. There must be as many bits as values; those without a partner are left out.
pub fn select<T: Copy + Default>(values: &[T], keep: &BooleanBuffer) -> Vec<T> {
    let mut kept = vec![T::default(); values.len()];
    let mut next = 0;
    for (values, bits) in values.chunks(64).zip(keep.bit_chunks().iter_padded()) {
        for (row, value) in values.iter().enumerate() {
            if let Some(slot) = kept.get_mut(next) {
                *slot = *value;
            }
            next += (bits >> row) as usize & 1;
        }
    }
    kept.truncate(next);
    kept
}

/// The rows of a column whose bit is set; null keeps none.
///
/// # Errors
/// If there are not as many bits as rows.
pub fn filter(column: &dyn Array, keep: &BooleanArray) -> Result<ArrayRef> {
    same_length(column.len(), keep)?;
    column_of(column, &certain(keep))
}

/// The rows of a batch whose bit is set; null keeps none.
///
/// # Errors
/// If there are not as many bits as rows.
pub fn filter_record_batch(batch: &RecordBatch, keep: &BooleanArray) -> Result<RecordBatch> {
    same_length(batch.num_rows(), keep)?;
    let keep = certain(keep);
    let columns = batch.columns().iter().map(|column| column_of(column, &keep)).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(keep.count_set_bits()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

fn same_length(rows: usize, keep: &BooleanArray) -> Result<()> {
    if keep.len() == rows {
        return Ok(());
    }
    Err(Error::permanent(format_args!("{} bits say which of {rows} rows to keep", keep.len())))
}

/// The bits that are set and not null.
fn certain(keep: &BooleanArray) -> BooleanBuffer {
    match keep.nulls() {
        Some(valid) => keep.values() & valid.inner(),
        None => keep.values().clone(),
    }
}

fn column_of(column: &dyn Array, keep: &BooleanBuffer) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Utf8 => Ok(Arc::new(bytes::<Utf8Type>(column.as_bytes(), keep))),
        DataType::Binary => Ok(Arc::new(bytes::<BinaryType>(column.as_bytes(), keep))),
        // Not aligned as numbers of its width are.
        DataType::Interval(_) => picked(column, keep),
        other => match other.primitive_width() {
            Some(1) => width::<u8>(column, keep),
            Some(2) => width::<u16>(column, keep),
            Some(4) => width::<u32>(column, keep),
            Some(8) => width::<u64>(column, keep),
            Some(16) => width::<i128>(column, keep),
            _ => picked(column, keep),
        },
    }
}

fn picked(column: &dyn Array, keep: &BooleanBuffer) -> Result<ArrayRef> {
    take_rows(column, &keep.set_indices().map(|row| row as u32).collect::<Vec<_>>())
}

/// A column whose values are as wide as a `T`, whatever they mean.
fn width<T: ArrowNativeType + Default>(column: &dyn Array, keep: &BooleanBuffer) -> Result<ArrayRef> {
    let data = column.to_data();
    let values = data.buffer::<T>(0).get(..data.len()).unwrap_or_default();
    let kept = select(values, keep);
    let length = kept.len();
    fixed(Buffer::from_vec(kept), data.data_type(), length, nulls(column, keep))
}

/// A column of text or bytes: values that follow each other are copied at once.
fn bytes<T: ByteArrayType<Offset = i32>>(
    column: &GenericByteArray<T>,
    keep: &BooleanBuffer,
) -> GenericByteArray<T> {
    let offsets = column.value_offsets();
    let mut lengths = Vec::with_capacity(keep.len());
    let mut values = Vec::with_capacity(column.value_data().len());
    for (from, to) in keep.set_slices() {
        let run = offsets.get(from..=to).unwrap_or_default();
        lengths.extend(run.windows(2).map(|pair| match pair {
            [start, end] => (end - start) as usize,
            _ => 0,
        }));
        if let [first, .., last] = run {
            values.extend_from_slice(
                column.value_data().get(*first as usize..*last as usize).unwrap_or_default(),
            );
        }
    }
    GenericByteArray::new(OffsetBuffer::from_lengths(lengths), values.into(), nulls(column, keep))
}

fn nulls(column: &dyn Array, keep: &BooleanBuffer) -> Option<NullBuffer> {
    let valid = column.nulls().filter(|valid| valid.null_count() > 0)?;
    Some(keep.set_indices().map(|row| valid.is_valid(row)).collect::<Vec<_>>().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Decimal128Type;
    use arrow_array::{BinaryArray, Decimal128Array, Float64Array, Int8Array, ListArray, StringArray};

    /// Both filters over the column whole and sliced.
    fn as_arrow_does(column: ArrayRef) {
        let keep = |rows: usize| -> BooleanArray {
            (0..rows)
                .map(|row| [Some(true), Some(false), Some(true), None, Some(true)][row * row % 5])
                .collect()
        };
        for from in [0, 1, 9] {
            let column = column.slice(from, column.len() - from);
            let keep = keep(column.len());
            let expected = arrow_select::filter::filter(&column, &keep).unwrap();
            assert_eq!(&filter(&column, &keep).unwrap(), &expected, "{} from {from}", column.data_type());
        }
    }

    #[test]
    fn rows_are_picked_as_arrow_picks_them() {
        let number = |row: i32| (row % 7 != 3).then_some(row);
        let rows = || (0..150).map(number);
        as_arrow_does(Arc::new(rows().map(|n| n.map(|n| n as i8)).collect::<Int8Array>()));
        as_arrow_does(Arc::new(rows().map(|n| n.map(f64::from)).collect::<Float64Array>()));
        let decimal: Decimal128Array = rows().map(|n| n.map(i128::from)).collect();
        as_arrow_does(Arc::new(decimal.with_precision_and_scale(20, 3).unwrap()));
        as_arrow_does(Arc::new(
            rows().map(|n| n.map(|n| "é".repeat(n as usize % 4))).collect::<StringArray>(),
        ));
        as_arrow_does(Arc::new(rows().map(|n| n.map(|n| vec![7; n as usize % 3])).collect::<BinaryArray>()));
        as_arrow_does(Arc::new(rows().map(|n| n.map(|n| n % 2 == 0)).collect::<BooleanArray>()));
        let lists = rows().map(|n| n.map(|n| vec![Some(i128::from(n)); n as usize % 3]));
        as_arrow_does(Arc::new(ListArray::from_iter_primitive::<Decimal128Type, _, _>(lists)));
    }

    #[test]
    fn a_mask_of_another_length_is_refused() {
        let error = filter(&Int8Array::from(vec![1, 2]), &BooleanArray::from(vec![true])).unwrap_err();
        assert_eq!(error.to_string(), "1 bits say which of 2 rows to keep");
    }
}
