//! Test data that arrives over time.

use crate::units::Interval;
use engine::{Clock, Error, Kind, Result, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What the names of files begin with; a number follows.
const PREFIX: &str = "event_batch_";

const EVENTS: [&str; 4] = ["login", "logout", "purchase", "view"];

/// Files of made-up events: `timestamp`, `user_id` from 1 to 5, and `event`, one of login, logout, purchase and view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EventsSettings {
    /// The directory to write into; it is created if need be.
    pub out: PathBuf,
    /// `csv` with a header, `json` or `parquet`.
    pub format: EventsFormat,
    /// How many files: `event_batch_0`, `event_batch_1` and so on, from the first number above those that are there, as a query
    /// reads each name once.
    pub files: u64,
    /// Rows in each.
    pub rows: u64,
    /// Time between two files. Default: none.
    pub every: Interval,
    /// The same seed gives the same events, but for their time.
    pub seed: u64,
}

/// A format of made-up events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventsFormat {
    /// Comma-separated values under a header.
    Csv,
    /// One JSON object a line.
    Json,
    /// Apache Parquet.
    Parquet,
}

impl EventsFormat {
    fn extension(self) -> &'static str {
        match self {
            EventsFormat::Csv => "csv",
            EventsFormat::Json => "json",
            EventsFormat::Parquet => "parquet",
        }
    }
}

/// A made-up event.
struct Event {
    time: Timestamp,
    user: i32,
    event: &'static str,
}

/// Writes the files one after the other, each under a hidden name first, and calls `written` with each that is there. Files
/// of an earlier call are left alone, of whatever format they are.
pub async fn events(
    settings: &EventsSettings,
    clock: &dyn Clock,
    mut written: impl FnMut(&Path) + Send,
) -> Result<()> {
    let mut random = Random(settings.seed);
    fs::create_dir_all(&settings.out).map_err(|e| failed(&settings.out, e))?;
    let first = first_number(&settings.out).map_err(|e| failed(&settings.out, e))?;
    for number in first..first.saturating_add(settings.files) {
        if number > first {
            clock.sleep(settings.every.0).await;
        }
        let name = format!("{PREFIX}{number}.{}", settings.format.extension());
        let unfinished = settings.out.join(format!(".{name}.tmp"));
        let path = settings.out.join(name);
        write_file(settings, &unfinished, clock.now(), &mut random).map_err(|e| failed(&unfinished, e))?;
        fs::rename(&unfinished, &path).map_err(|e| failed(&path, e))?;
        written(&path);
    }
    Ok(())
}

/// The number behind the largest of the files that are there.
fn first_number(folder: &Path) -> io::Result<u64> {
    let mut first = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        first =
            number_of(&name.to_string_lossy()).map_or(first, |number| first.max(number.saturating_add(1)));
    }
    Ok(first)
}

/// The number in the name of a file of events.
fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok()
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(Kind::Unavailable, format!("writing {}", path.display())).caused_by(error)
}

fn write_file(settings: &EventsSettings, path: &Path, now: Timestamp, random: &mut Random) -> io::Result<()> {
    let rows = (0..settings.rows).map(|row| Event::new(row, now, random));
    let out = BufWriter::new(File::create(path)?);
    match settings.format {
        EventsFormat::Csv => write_lines(out, rows, "timestamp,user_id,event\n", |e, out| {
            writeln!(out, "{},{},{}", e.time, e.user, e.event)
        }),
        EventsFormat::Json => write_lines(out, rows, "", |e, out| {
            writeln!(out, r#"{{"timestamp":"{}","user_id":{},"event":"{}"}}"#, e.time, e.user, e.event)
        }),
        EventsFormat::Parquet => parquet_file::write(out, rows).map_err(io::Error::other),
    }
}

fn write_lines(
    mut out: BufWriter<File>,
    rows: impl Iterator<Item = Event>,
    header: &str,
    line: impl Fn(Event, &mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(header.as_bytes())?;
    for event in rows {
        line(event, &mut out)?;
    }
    out.into_inner()?.sync_all()
}

impl Event {
    /// Event `row` of a file written at `now`; events are a millisecond apart.
    fn new(row: u64, now: Timestamp, random: &mut Random) -> Self {
        let event = EVENTS.get(random.below(EVENTS.len() as u64) as usize).copied().unwrap_or("view");
        let time = Timestamp(now.0.saturating_add((row as i64).saturating_mul(1000)));
        Event { time, user: 1 + random.below(5) as i32, event }
    }
}

/// SplitMix64: small, seeded, and good enough for test data.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

mod parquet_file {
    use super::{Arc, BufWriter, Event, File};
    use crate::formats::ddl;
    use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
    use parquet::{arrow::ArrowWriter, errors::ParquetError};

    const BATCH: usize = 8192;

    /// Writes row group by row group, so that any number of rows needs the memory of one.
    pub(super) fn write(out: BufWriter<File>, rows: impl Iterator<Item = Event>) -> Result<(), ParquetError> {
        let schema = ddl::parse("timestamp TIMESTAMP, user_id INT, event STRING");
        let schema = Arc::new(schema.map_err(|e| ParquetError::General(e.report()))?);
        let mut writer = ArrowWriter::try_new(out, schema.clone(), None)?;
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            let events: Vec<_> = rows.by_ref().take(BATCH).collect();
            let times = TimestampMicrosecondArray::from_iter_values(events.iter().map(|e| e.time.0));
            let columns: Vec<ArrayRef> = vec![
                Arc::new(times.with_timezone("UTC")),
                Arc::new(Int32Array::from_iter_values(events.iter().map(|e| e.user))),
                Arc::new(StringArray::from_iter_values(events.iter().map(|e| e.event))),
            ];
            writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
        }
        let out = writer.into_inner()?;
        Ok(out.into_inner().map_err(|e| e.into_error())?.sync_all()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ManualClock;

    fn settings(out: &Path, format: EventsFormat) -> EventsSettings {
        EventsSettings { out: out.into(), format, files: 2, rows: 3, every: Interval::millis(0), seed: 7 }
    }

    #[tokio::test]
    async fn the_same_seed_gives_the_same_events() {
        let clock = ManualClock::new(Timestamp(1_735_689_600_000_000));
        let texts = async || {
            let dir = tempfile::tempdir().unwrap();
            let mut files = Vec::new();
            events(&settings(dir.path(), EventsFormat::Csv), &clock, |p| files.push(p.to_owned()))
                .await
                .unwrap();
            assert_eq!(files, ["event_batch_0.csv", "event_batch_1.csv"].map(|n| dir.path().join(n)));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing hidden is left");
            files.iter().map(|p| fs::read_to_string(p).unwrap()).collect::<Vec<_>>()
        };
        let first = texts().await;
        assert_eq!(first, texts().await);
        assert_ne!(first[0], first[1]);
        let lines: Vec<_> = first[0].lines().collect();
        assert_eq!((lines.len(), lines[0]), (4, "timestamp,user_id,event"));
        assert!(lines[2].starts_with("2025-01-01T00:00:00.001Z,"), "{}", lines[2]);
    }

    #[tokio::test]
    async fn a_second_run_goes_on_behind_the_files_that_are_there() {
        let clock = ManualClock::new(Timestamp(0));
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("event_batch_9.csv.gz"), "").unwrap();
        fs::write(dir.path().join("event_batch_x.csv"), "").unwrap();
        let mut files = Vec::new();
        for _ in 0..2 {
            let settings = settings(dir.path(), EventsFormat::Csv);
            events(&settings, &clock, |p| files.push(p.to_owned())).await.unwrap();
        }
        assert_eq!(files, [10, 11, 12, 13].map(|n| dir.path().join(format!("event_batch_{n}.csv"))));
    }

    #[tokio::test]
    async fn json_and_parquet_have_the_same_columns() {
        let clock = ManualClock::new(Timestamp(0));
        let dir = tempfile::tempdir().unwrap();
        for format in [EventsFormat::Json, EventsFormat::Parquet] {
            events(&settings(dir.path(), format), &clock, |_| {}).await.unwrap();
        }
        let json = fs::read_to_string(dir.path().join("event_batch_0.json")).unwrap();
        let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!(first["timestamp"], "1970-01-01T00:00:00.000Z");
        // The JSON files took the first two numbers.
        let file = File::open(dir.path().join("event_batch_3.parquet")).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 3);
    }
}
