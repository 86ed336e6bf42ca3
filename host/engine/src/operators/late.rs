//! Rows that come too late.

use crate::{Kind, Port, Result, ResultExt, event_time::Watermark};
use arrow::{
    array::{Array, BooleanArray, Int64Array, RecordBatch},
    compute::{filter_record_batch, not},
    datatypes::SchemaRef,
};

/// The name of the output that they go to.
pub const LATE: &str = "late";

/// Where they go.
pub(crate) fn port(schema: SchemaRef) -> Port {
    Port { name: LATE.to_owned(), schema }
}

/// Which of these times, in microseconds, the watermark covers; none if it covers none. What has no time is never late.
pub(crate) fn which(times: &Int64Array, watermark: Watermark) -> Option<BooleanArray> {
    let is_late = |row| !times.is_null(row) && watermark.covers(times.value(row));
    let late = BooleanArray::from((0..times.len()).map(is_late).collect::<Vec<_>>());
    (late.true_count() > 0).then_some(late)
}

/// The rows in time, and those whose times the watermark covers; none if there is none of these.
pub(crate) fn split(
    rows: &RecordBatch,
    times: &Int64Array,
    watermark: Watermark,
) -> Result<Option<(RecordBatch, RecordBatch)>> {
    which(times, watermark).map(|late| divided(rows, &late)).transpose()
}

/// The rows in time, and those that are late.
pub(crate) fn divided(rows: &RecordBatch, late: &BooleanArray) -> Result<(RecordBatch, RecordBatch)> {
    let doing = || "late rows";
    let in_time = not(late).doing(Kind::Internal, doing)?;
    let in_time = filter_record_batch(rows, &in_time).doing(Kind::Internal, doing)?;
    Ok((in_time, filter_record_batch(rows, late).doing(Kind::Internal, doing)?))
}
