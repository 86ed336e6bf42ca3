//! `watermark = { column, delay }`: watches event time go by.

use super::rows;
use crate::{
    Batch, Batching, EpochContext, Error, Kind, Port, Result, ResultExt, Step, StepFacts, StepProgress,
    Worker,
    event_time::{Times, TimesSeen},
    sql::with_delay,
};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType},
};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};

/// Lets rows pass and remembers the times of one of their columns.
pub struct WatermarkStep {
    column: usize,
    name: String,
    delay: i64,
    seen: Arc<TimesSeen>,
    ports: Vec<Port>,
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
        Ok(WatermarkStep { column: index, name, delay, seen: Arc::default(), ports })
    }
}

#[async_trait]
impl Step for WatermarkStep {
    fn facts(&self) -> StepFacts {
        StepFacts {
            description: format!("watermark on `{}`, {} ms behind", self.name, self.delay),
            deterministic: true,
            digest: None,
            details: Vec::new(),
        }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn batching(&self) -> Batching {
        Batching { target_rows: 1, max_rows: usize::MAX, max_bytes: usize::MAX }
    }

    async fn worker(&self) -> Result<Box<dyn Worker>> {
        let schema = self.ports.first().map(|port| port.schema.clone());
        let schema = schema.ok_or_else(|| Error::internal("a watermark has one output"))?;
        Ok(Box::new(Watch { column: self.column, schema, seen: self.seen.clone() }))
    }

    fn progress(&self) -> StepProgress {
        StepProgress::default()
    }

    fn event_time(&self) -> Option<(i64, Option<Times>)> {
        Some((self.delay, self.seen.take()))
    }
}

struct Watch {
    column: usize,
    schema: SchemaRef,
    seen: Arc<TimesSeen>,
}

#[async_trait]
impl Worker for Watch {
    async fn process(&mut self, _: &EpochContext, batch: Batch, out: &mut Vec<(usize, Batch)>) -> Result<()> {
        if let Some(times) = times(&batch.rows, self.column)? {
            self.seen.add(times);
        }
        let rows =
            batch.rows.with_schema(self.schema.clone()).doing(Kind::Internal, || "watching event time")?;
        out.push((0, Batch { rows, origin: batch.origin }));
        Ok(())
    }
}

fn times(rows: &RecordBatch, column: usize) -> Result<Option<Times>> {
    let column = rows.column(column);
    let DataType::Timestamp(_, zone) = column.data_type() else { return Ok(None) };
    let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
    let column = cast(column, &micros).doing(Kind::Internal, || "event times")?;
    let column = column.as_primitive::<TimestampMicrosecondType>();
    let (Some(min), Some(max)) = (arrow::compute::min(column), arrow::compute::max(column)) else {
        return Ok(None);
    };
    let sum = match column.null_count() {
        0 => column.values().iter().map(|time| i128::from(*time)).sum(),
        _ => column.iter().flatten().map(i128::from).sum(),
    };
    Ok(Some(Times { count: (column.len() - column.null_count()) as u64, min, max, sum }))
}
