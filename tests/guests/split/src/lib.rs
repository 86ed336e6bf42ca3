//! A plugin with a side output.

use streamhost::arrow::{
    array::types::Int64Type,
    compute::{bits_where, filter_record_batch},
};
use streamhost::{Side, prelude::*};

/// Rows whose `id` is even leave by the main output, the others by `odd`.
///
/// # Errors
/// If there is no `id` of type BIGINT.
#[streamhost::transform]
pub fn split(batch: &RecordBatch) -> Result<(RecordBatch, [Side; 1])> {
    let ids = batch.column_by_name("id").and_then(|column| column.as_primitive_opt::<Int64Type>());
    let ids = ids.ok_or_else(|| Error::invalid("there is no `id` of type BIGINT"))?;
    let even = BooleanArray::new(bits_where(ids.values(), |id| id % 2 == 0), None);
    let odd = BooleanArray::new(!even.values(), None);
    Ok((filter_record_batch(batch, &even)?, [("odd", filter_record_batch(batch, &odd)?)]))
}
