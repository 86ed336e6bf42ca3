//! What the plugins do, done natively by Arrow's compute kernels.

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch},
    compute::{
        filter_record_batch,
        kernels::{cmp::gt, numeric::div},
    },
    datatypes::{DataType, Field, Schema},
    error::{ArrowError, Result},
};
use std::sync::Arc;

/// The rows whose `value` is above ten.
pub(crate) fn keep(rows: &RecordBatch) -> Result<RecordBatch> {
    filter_record_batch(rows, &gt(value(rows)?, &Float64Array::new_scalar(10.0))?)
}

/// These rows, and a hundredth of `value` as a further column.
pub(crate) fn keep_and_divide(rows: &RecordBatch) -> Result<RecordBatch> {
    let kept = keep(rows)?;
    let quotients = div(value(&kept)?, &Float64Array::new_scalar(100.0))?;
    let new = Field::new("normalized_value", DataType::Float64, true);
    let schema = kept.schema_ref();
    let fields: Vec<_> = schema.fields().iter().cloned().chain([Arc::new(new)]).collect();
    let columns = kept.columns().iter().cloned().chain([quotients]).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn value(rows: &RecordBatch) -> Result<&ArrayRef> {
    rows.column_by_name("value").ok_or_else(|| ArrowError::SchemaError("there is no `value`".into()))
}
