//! `watermark = { column, delay }`: watches event time go by.

use super::rows;
use crate::{
    Batch, Batching, EpochContext, Error, Kind, Port, Result, ResultExt, Step, StepFacts, StepProgress,
    Timestamp, Wanted, Worker,
    event_time::{Times, TimesSeen, span},
    sql::with_delay,
};
use arrow::{
    array::{Array, AsArray, BooleanArray, PrimitiveArray, RecordBatch},
    buffer::BooleanBuffer,
    compute::{cast, filter_record_batch},
    datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType},
};
use async_trait::async_trait;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Lets rows pass and remembers the times of one of their columns.
pub struct WatermarkStep {
    column: usize,
    name: String,
    delay: i64,
    seen: Arc<TimesSeen>,
    future: Option<Future>,
    /// Rows held back since the last report.
    held: Arc<AtomicU64>,
    ports: Vec<Port>,
}

/// How far after the epoch's time an event time may be. One that is wrong by years would otherwise push the watermark past
/// everything that is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Future {
    /// So far.
    pub most: Duration,
    /// What happens to rows that are further.
    pub beyond: Beyond,
}

/// What happens to rows whose event time is too far in the future. None of them moves the watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The query ends with an error that names the row.
    Fail,
    /// They are left out, counted, and warned of.
    Skip,
    /// They go to the side output of this name.
    To(&'static str),
}

impl WatermarkStep {
    /// Watches `column` of rows of `schema`. [`Kind::Invalid`] if that is no TIMESTAMP, or a watermark is there already.
    pub fn new(schema: &SchemaRef, column: &str, delay: Duration) -> Result<Self> {
        let index = rows::column(schema, column)?;
        let field = schema.field(index);
        if !matches!(field.data_type(), DataType::Timestamp(..)) {
            return Err(Error::invalid(format!(
                "column `{column}` is of type {}, but event time is of type TIMESTAMP; cast it in a step before",
                field.data_type()
            )));
        }
        if let Some(other) = schema.fields().iter().find(|field| crate::sql::is_event_time(field)) {
            return Err(Error::invalid(format!(
                "the rows have a watermark on `{}` already; leave one of the two out",
                other.name()
            )));
        }
        let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        let name = field.name().clone();
        let schema = Arc::new(with_delay(schema, &name, delay));
        let ports = vec![Port { name: String::new(), schema }];
        let (seen, held) = (Arc::default(), Arc::default());
        Ok(WatermarkStep { column: index, name, delay, seen, future: None, held, ports })
    }

    /// Holds back rows whose event time is too far in the future.
    #[must_use]
    pub fn with_future(mut self, future: Future) -> Self {
        self.future = Some(future);
        let main = self.ports.first().map(|port| port.schema.clone());
        if let (Beyond::To(name), Some(schema)) = (future.beyond, main) {
            self.ports.push(Port { name: name.to_owned(), schema });
        }
        self
    }
}

#[async_trait]
impl Step for WatermarkStep {
    fn facts(&self) -> StepFacts {
        StepFacts {
            description: format!(
                "watermark on `{}`, {} behind",
                self.name,
                span(self.delay.saturating_mul(1000))
            ),
            deterministic: true,
            digest: None,
            details: self
                .future
                .iter()
                .map(|future| format!("event times at most {:?} after now", future.most))
                .collect(),
        }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn reads(&self, wanted: &[Wanted]) -> Wanted {
        wanted.iter().cloned().fold([self.column].into_iter().collect(), Wanted::and)
    }

    fn batching(&self) -> Batching {
        Batching { target_rows: 1, max_rows: usize::MAX, max_bytes: usize::MAX }
    }

    async fn worker(&self) -> Result<Box<dyn Worker>> {
        let schema = self.ports.first().map(|port| port.schema.clone());
        let schema = schema.ok_or_else(|| Error::internal("a watermark has one output"))?;
        let name = self.name.clone();
        let (seen, future, held) = (self.seen.clone(), self.future, self.held.clone());
        Ok(Box::new(Watch { column: self.column, name, schema, seen, future, held }))
    }

    fn progress(&self) -> StepProgress {
        let rows_error = self.held.swap(0, Relaxed);
        if rows_error > 0 {
            tracing::warn!(
                column = self.name,
                rows = rows_error,
                "event times are too far in the future: `max-future` holds these rows back"
            );
        }
        StepProgress { rows_error, ..StepProgress::default() }
    }

    fn event_time(&self) -> Option<(i64, Option<Times>)> {
        Some((self.delay, self.seen.take()))
    }
}

struct Watch {
    column: usize,
    name: String,
    schema: SchemaRef,
    seen: Arc<TimesSeen>,
    future: Option<Future>,
    held: Arc<AtomicU64>,
}

#[async_trait]
impl Worker for Watch {
    async fn process(
        &mut self,
        cx: &EpochContext,
        batch: Batch,
        out: &mut Vec<(usize, Batch)>,
    ) -> Result<()> {
        let rows =
            batch.rows.with_schema(self.schema.clone()).doing(Kind::Internal, || "watching event time")?;
        let batch = self.in_time(cx, Batch { rows, origin: batch.origin }, out)?;
        if let Some(times) = times(&batch.rows, self.column)? {
            self.seen.add(times);
        }
        out.push((0, batch));
        Ok(())
    }
}

impl Watch {
    /// The rows that are not too far in the future.
    fn in_time(&self, cx: &EpochContext, batch: Batch, out: &mut Vec<(usize, Batch)>) -> Result<Batch> {
        let Some(Future { most, beyond }) = self.future else { return Ok(batch) };
        let Some(times) = micros(&batch.rows, self.column)? else { return Ok(batch) };
        let most = i64::try_from(most.as_micros()).unwrap_or(i64::MAX);
        let last = cx.now.0.saturating_add(most);
        let within: BooleanBuffer = times.iter().map(|time| time.is_none_or(|time| time <= last)).collect();
        let held = within.len() - within.count_set_bits();
        if held == 0 {
            return Ok(batch);
        }
        let too_far = !&within;
        match beyond {
            Beyond::Fail => return Err(self.beyond(cx, &batch, &times, &too_far)),
            Beyond::Skip => drop(self.held.fetch_add(held as u64, Relaxed)),
            Beyond::To(_) => out.push((1, kept(&batch, too_far)?)),
        }
        kept(&batch, within)
    }

    fn beyond(&self, cx: &EpochContext, batch: &Batch, times: &Times64, too_far: &BooleanBuffer) -> Error {
        let row = too_far.set_indices().next().unwrap_or_default();
        Error::data(format!(
            "{}: `{}` is {}, which is further after the epoch's time, {}, than `max-future` allows; correct the row, raise \
             `max-future`, or leave such rows out (on-bad-data = \"drop\" on a source, on-error = \"skip\" on a step)",
            batch.origin.position(row),
            self.name,
            Timestamp(times.value(row)),
            cx.now,
        ))
    }
}

type Times64 = PrimitiveArray<TimestampMicrosecondType>;

/// The rows whose bit is set.
fn kept(batch: &Batch, bits: BooleanBuffer) -> Result<Batch> {
    let origin = batch.origin.keep(&bits);
    let rows = filter_record_batch(&batch.rows, &BooleanArray::new(bits, None));
    Ok(Batch { rows: rows.doing(Kind::Internal, || "watching event time")?, origin })
}

fn micros(rows: &RecordBatch, column: usize) -> Result<Option<Times64>> {
    let column = rows.column(column);
    let DataType::Timestamp(_, zone) = column.data_type() else { return Ok(None) };
    let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
    let column = cast(column, &micros).doing(Kind::Internal, || "event times")?;
    Ok(Some(column.as_primitive::<TimestampMicrosecondType>().clone()))
}

fn times(rows: &RecordBatch, column: usize) -> Result<Option<Times>> {
    let Some(column) = micros(rows, column)? else { return Ok(None) };
    let (Some(min), Some(max)) = (arrow::compute::min(&column), arrow::compute::max(&column)) else {
        return Ok(None);
    };
    let sum = match column.null_count() {
        0 => column.values().iter().map(|time| i128::from(*time)).sum(),
        _ => column.iter().flatten().map(i128::from).sum(),
    };
    Ok(Some(Times { count: (column.len() - column.null_count()) as u64, min, max, sum }))
}
