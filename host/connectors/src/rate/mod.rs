//! Rows at a steady pace, for trying things out.

use crate::{source::SourceOptions, units::Interval};
use arrow::{
    array::{Int64Array, RecordBatch, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use bytes::Bytes;
use engine::{
    Batch, BatchStream, Clock, Error, History, Offset, Place, Planned, Range, Reach, Result, Source,
    SourceFacts, Timestamp,
};
use futures::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Rows in a batch.
const BATCH: u64 = 8192;

/// Rows of two columns, `timestamp TIMESTAMP` and `value BIGINT`, which counts from 0: as many a second as are asked for,
/// spread evenly over it. A second's rows are there when the second is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table such as { rows-per-second = 10 }"
)]
pub struct RateSettings {
    /// Rows a second. Default: 1.
    pub rows_per_second: u64,
    /// How long it takes to reach that pace, starting from 0. Default: it is there at once.
    pub ramp_up_time: Interval,
    /// Partitions of an epoch. Default: as many as the pipeline has.
    pub num_partitions: Option<usize>,
}

impl Default for RateSettings {
    fn default() -> Self {
        RateSettings { rows_per_second: 1, ramp_up_time: Interval::millis(0), num_partitions: None }
    }
}

/// Rows at a steady pace. They follow from their range alone.
pub struct RateSource {
    settings: RateSettings,
    clock: Arc<dyn Clock>,
    /// When second 0 began; known once the source is restored.
    began: Mutex<Option<Timestamp>>,
}

/// A range in seconds since the beginning.
struct Seconds {
    began: i64,
    from: u64,
    to: u64,
}

impl RateSource {
    /// [`engine::Kind::Invalid`] if it is given a schema or a limit.
    pub fn new(settings: RateSettings, options: SourceOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        if options.schema.is_some() || options.max_per_trigger.is_some() {
            return Err(Error::invalid(
                "rate has the columns timestamp and value and a pace of its own; remove `schema` and `max-per-trigger`",
            ));
        }
        Ok(RateSource { settings, clock, began: Mutex::new(None) })
    }

    /// How many rows there are before second `second` begins.
    fn rows_before(&self, second: u64) -> u64 {
        let pace = self.settings.rows_per_second;
        let ramp = self.settings.ramp_up_time.0.as_secs();
        let ramped = second.min(ramp);
        // While it ramps up, second s brings pace * (s + 1) / (ramp + 1) rows.
        let rising =
            u128::from(pace) * u128::from(ramped) * u128::from(ramped + 1) / (2 * u128::from(ramp + 1));
        u64::try_from(rising).unwrap_or(u64::MAX).saturating_add(pace.saturating_mul(second - ramped))
    }

    /// When second 0 began: as the checkpoint has it, or now.
    fn began(&self) -> Timestamp {
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        *began.get_or_insert_with(|| self.clock.now())
    }

    fn seconds(&self, range: &Range) -> Result<Seconds> {
        let began = range.detail.get("began").and_then(Value::as_i64);
        let began = began.ok_or_else(|| Error::internal("a range of a rate source without its beginning"))?;
        Ok(Seconds { began, from: second_of(range.start.as_ref()), to: second_of(Some(&range.end)) })
    }

    /// The rows from `from` to `to` of a range that has all of them.
    fn batch(&self, seconds: &Seconds, from: u64, to: u64) -> Result<Batch> {
        let times = (from..to).map(|row| self.time_of(row, seconds));
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        let values = Int64Array::from_iter_values((from..to).map(|row| row as i64));
        let rows = RecordBatch::try_new(schema(), vec![Arc::new(times), Arc::new(values)])
            .map_err(|e| Error::internal("building rows").caused_by(e))?;
        Ok(Batch::read(rows, Place::At { of: "rate".into(), unit: "row", first: from }))
    }

    fn time_of(&self, row: u64, seconds: &Seconds) -> i64 {
        let second = partition_point(seconds.from, seconds.to, |s| self.rows_before(s + 1) <= row);
        let first = self.rows_before(second);
        let count = (self.rows_before(second + 1) - first).max(1);
        let part = u128::from(row - first) * 1_000_000 / u128::from(count);
        seconds.began + second as i64 * 1_000_000 + part as i64
    }
}

/// The first number from `low` on, and before `high`, that `is_before` does not hold for.
fn partition_point(mut low: u64, mut high: u64, is_before: impl Fn(u64) -> bool) -> u64 {
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

fn second_of(offset: Option<&Offset>) -> u64 {
    offset.and_then(|o| o.0.get("seconds")).and_then(Value::as_u64).unwrap_or(0)
}

fn schema() -> SchemaRef {
    let time = Field::new("timestamp", crate::formats::ddl::timestamp(), true);
    Arc::new(Schema::new(vec![time, Field::new("value", DataType::Int64, true)]))
}

#[async_trait]
impl Source for RateSource {
    fn facts(&self) -> SourceFacts {
        let description = format!("RateSource[rows-per-second = {}]", self.settings.rows_per_second);
        SourceFacts {
            identity: description.clone(),
            description,
            replayable: true,
            needs_history: false,
            consumes: false,
        }
    }

    fn schema(&self, _: Option<&Range>) -> Result<SchemaRef> {
        Ok(schema())
    }

    async fn restore(&self, history: History, _: Reach) -> Result<()> {
        if let Some(range) = history.ranges.last() {
            let began = Timestamp(self.seconds(range)?.began);
            *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
        }
        self.began();
        Ok(())
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let began = self.began();
        let second = u64::try_from(self.clock.now().0 - began.0).unwrap_or(0) / 1_000_000;
        if second <= second_of(start) {
            return Ok(None);
        }
        let end = Offset(json!({ "seconds": second }));
        let range = Range { start: start.cloned(), end, detail: json!({ "began": began }) };
        Ok(Some(Planned { range, backlog: 0 }))
    }

    async fn wait(&self) {
        let since = u64::try_from(self.clock.now().0 - self.began().0).unwrap_or(0);
        self.clock.sleep(Duration::from_micros(1_000_000 - since % 1_000_000)).await;
    }

    async fn read(&self, range: &Range, partitions: usize) -> Result<Vec<BatchStream>> {
        let seconds = self.seconds(range)?;
        let (from, to) = (self.rows_before(seconds.from), self.rows_before(seconds.to));
        let parts = self.settings.num_partitions.map_or(partitions, |n| n.min(partitions)).max(1) as u64;
        let bound = |part: u64| {
            from + u64::try_from(u128::from(to - from) * u128::from(part) / u128::from(parts)).unwrap_or(0)
        };
        let mut streams: Vec<BatchStream> = Vec::new();
        for part in 0..parts {
            let (from, to) = (bound(part), bound(part + 1));
            let source = RateSource {
                settings: self.settings.clone(),
                clock: self.clock.clone(),
                began: Mutex::new(None),
            };
            let seconds = Seconds { ..seconds };
            let starts = (from..to).step_by(BATCH as usize);
            let batches = starts.map(move |start| source.batch(&seconds, start, to.min(start + BATCH)));
            streams.push(Box::pin(stream::iter(batches)));
        }
        Ok(streams)
    }

    async fn release(&self, _: &Range) -> Result<Option<Bytes>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ManualClock;
    use futures::StreamExt;

    fn source(settings: RateSettings) -> (RateSource, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(Timestamp(1_000_000_000)));
        (RateSource::new(settings, SourceOptions::default(), clock.clone()).unwrap(), clock)
    }

    async fn rows(source: &RateSource, range: &Range, partitions: usize) -> Vec<(i64, i64)> {
        let mut rows = Vec::new();
        for mut stream in source.read(range, partitions).await.unwrap() {
            while let Some(batch) = stream.next().await {
                let batch = batch.unwrap().rows;
                let column = |i: usize| batch.column(i).to_data().buffers()[0].typed_data::<i64>().to_vec();
                rows.extend(column(0).into_iter().zip(column(1)));
            }
        }
        rows
    }

    #[tokio::test]
    async fn a_second_brings_its_rows_when_it_is_over() {
        let (source, clock) = source(RateSettings { rows_per_second: 4, ..RateSettings::default() });
        source.restore(History::default(), Reach::Endless).await.unwrap();
        clock.advance(Duration::from_millis(999));
        assert!(source.latest(None).await.unwrap().is_none());
        clock.advance(Duration::from_millis(1_001));
        let range = source.latest(None).await.unwrap().unwrap().range;
        let all = rows(&source, &range, 3).await;
        assert_eq!(all.iter().map(|r| r.1).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
        assert_eq!((all[0].0, all[1].0, all[4].0), (1_000_000_000, 1_000_250_000, 1_001_000_000));
        assert!(source.latest(Some(&range.end)).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_restart_goes_on_counting_from_the_same_beginning() {
        let (first, clock) = source(RateSettings { rows_per_second: 10_000, ..RateSettings::default() });
        first.restore(History::default(), Reach::Endless).await.unwrap();
        clock.advance(Duration::from_secs(2));
        let range = first.latest(None).await.unwrap().unwrap().range;
        let (second, clock) = source(RateSettings { rows_per_second: 10_000, ..RateSettings::default() });
        clock.advance(Duration::from_secs(3));
        second
            .restore(History { snapshot: None, ranges: vec![range.clone()] }, Reach::Endless)
            .await
            .unwrap();
        assert_eq!(rows(&second, &range, 1).await, rows(&first, &range, 2).await);
        let next = second.latest(Some(&range.end)).await.unwrap().unwrap().range;
        assert_eq!(rows(&second, &next, 1).await.first(), Some(&(1_002_000_000, 20_000)));
    }

    #[tokio::test]
    async fn the_pace_ramps_up() {
        let ramp_up_time = Interval::millis(4_000);
        let (source, _) = source(RateSettings { rows_per_second: 10, ramp_up_time, num_partitions: None });
        let paces: Vec<_> = (0..6).map(|s| source.rows_before(s + 1) - source.rows_before(s)).collect();
        assert_eq!(paces, [2, 4, 6, 8, 10, 10]);
    }
}
