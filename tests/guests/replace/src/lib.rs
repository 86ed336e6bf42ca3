//! Does as a `transform` what `normalize` does as a map: whole rows cross the boundary both ways.

use std::sync::Arc;
use streamhost::arrow::{
    array::{Float64Array, types::Float64Type},
    compute::{bits_where, filter_record_batch},
    datatypes::{DataType, Field, Schema},
};
use streamhost::prelude::*;

/// The rows whose `value` is above ten, and a hundredth of it as a further column.
///
/// # Errors
/// If there is no `value` of type DOUBLE.
#[streamhost::transform]
pub fn replace(batch: &RecordBatch) -> Result<RecordBatch> {
    let above = bits_where(values(batch)?.values(), |value| value > 10.0);
    let kept = filter_record_batch(batch, &BooleanArray::new(above, None))?;
    let quotients: Float64Array = values(&kept)?.unary(|value| value / 100.0);
    let new = Arc::new(Field::new("normalized_value", DataType::Float64, true));
    let fields: Vec<_> = kept.schema_ref().fields().iter().cloned().chain([new]).collect();
    let columns = kept.columns().iter().cloned().chain([Arc::new(quotients) as ArrayRef]).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn values(batch: &RecordBatch) -> Result<&Float64Array> {
    let column = batch.column_by_name("value").and_then(|column| column.as_primitive_opt::<Float64Type>());
    column.ok_or_else(|| Error::invalid("there is no `value` of type DOUBLE"))
}
