//! Rows to the standard output, for a pipe.

use crate::{
    files::FileFormat,
    formats::encode::{Codec, CsvOutput, EncodeRows, Encoding, JsonOutput},
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use engine::{
    Begin, Begun, EpochWriter, Error, Guarantee, Kind, OutputMode, Partition, QueryId, Result, ResultExt,
    Sink, Token,
};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

/// `[sinks.<name>.stdout]`.
///
/// Rows are written as they come: those of one partition in order, those of several partitions mixed, batch by batch. With
/// `parallelism = 1` all rows keep the order of the input.
///
/// When whoever reads the pipe has gone, as `head` does, and all sinks print there, the query ends well: nobody needs more.
/// With other sinks it goes on for them, and what the pipe would get is thrown away, with a warning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table such as { format = \"csv\" }"
)]
pub struct StdoutSettings {
    /// What is written: json (default), csv or text.
    pub format: Option<FileFormat>,
    /// For `format = "csv"`.
    pub csv: Option<CsvOutput>,
    /// For `format = "json"`.
    pub json: Option<JsonOutput>,
}

/// Writes rows as they come, a batch at a time; the rows of one partition keep their order. What a replayed epoch writes is
/// written again, as there is no taking back what went down a pipe.
pub struct StdoutSink {
    encoding: Encoding,
    pipe: Arc<Mutex<Pipe>>,
}

struct Pipe {
    rows: Box<dyn EncodeRows>,
    buffer: Vec<u8>,
    out: Box<dyn Write + Send>,
}

impl StdoutSink {
    /// Writes to `out`; times are shown in `zone`. [`Kind::Invalid`] if the settings contradict each other or ask for
    /// parquet, which is no stream.
    pub fn new(settings: StdoutSettings, zone: &TimeZone, out: Box<dyn Write + Send>) -> Result<Self> {
        let format = settings.format.unwrap_or(FileFormat::Json);
        let encoding = Encoding::new(format, settings.csv, settings.json)?;
        let pipe = Pipe { rows: encoding.rows(zone)?, buffer: Vec::new(), out };
        Ok(StdoutSink { encoding, pipe: Arc::new(Mutex::new(pipe)) })
    }
}

/// Rows as the settings write them, all at once.
pub fn encode(settings: StdoutSettings, zone: &TimeZone, rows: &[RecordBatch]) -> Result<Vec<u8>> {
    let format = settings.format.unwrap_or(FileFormat::Json);
    let mut encoder = Encoding::new(format, settings.csv, settings.json)?.rows(zone)?;
    let mut out = Vec::new();
    for rows in rows {
        encoder.encode(rows, &mut out)?;
    }
    Ok(out)
}

#[async_trait]
impl Sink for StdoutSink {
    fn accepts(&self, mode: OutputMode, schema: &SchemaRef) -> Result<Guarantee> {
        if mode == OutputMode::Complete {
            return Err(Error::invalid(
                "a pipe cannot take rows back, as mode = \"complete\" would need; use \"append\" or \"update\", or the console",
            ));
        }
        self.encoding.accepts(Codec::None, schema)?;
        Ok(Guarantee::AtLeastOnce)
    }

    async fn open(&self, _: &QueryId, _: &str) -> Result<()> {
        Ok(())
    }

    async fn begin(&self, _: &Begin) -> Result<Begun> {
        Ok(Begun::Writer(Box::new(StdoutEpoch(self.pipe.clone()))))
    }
}

struct StdoutEpoch(Arc<Mutex<Pipe>>);

impl StdoutEpoch {
    /// Does it on a thread that may wait: whoever reads the pipe may take their time, and other tasks must not stand still
    /// for that.
    async fn on_pipe(&self, work: impl FnOnce(&mut Pipe) -> Result<()> + Send + 'static) -> Result<()> {
        let pipe = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            work(&mut pipe.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.doing(Kind::Internal, || "the thread that writes to the standard output ended")?
    }
}

impl Pipe {
    /// Writes a batch whole, so that lines of two partitions do not mix.
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.buffer.clear();
        self.rows.encode(rows, &mut self.buffer)?;
        self.out.write_all(&self.buffer).doing(Kind::Unavailable, || "writing to the standard output")
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().doing(Kind::Unavailable, || "writing to the standard output")
    }
}

#[async_trait]
impl EpochWriter for StdoutEpoch {
    async fn write(&self, _: Partition, rows: RecordBatch) -> Result<()> {
        self.on_pipe(move |pipe| pipe.write(&rows)).await
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        self.on_pipe(Pipe::flush).await.map(|()| Token::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use std::io::{Read, pipe};

    fn rows(from: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 2));
        RecordBatch::try_from_iter([("n", numbers)]).unwrap()
    }

    fn begin(epoch: u64) -> Begin {
        Begin { partitions: 2, ..Begin::of("q", "stdout", epoch, rows(0).schema()) }
    }

    async fn write(sink: &StdoutSink, epoch: u64) -> Result<Token> {
        let Begun::Writer(writer) = sink.begin(&begin(epoch)).await? else { panic!("a pipe stores nothing") };
        writer.write(Partition(0), rows(epoch as i64 * 2)).await?;
        writer.commit().await
    }

    #[tokio::test]
    async fn epochs_follow_each_other_under_one_header() {
        let (mut reader, out) = pipe().unwrap();
        let csv = serde_json::from_str(r#"{"format": "csv", "csv": {"header": true}}"#).unwrap();
        let sink = StdoutSink::new(csv, &TimeZone::UTC, Box::new(out)).unwrap();
        write(&sink, 0).await.unwrap();
        write(&sink, 1).await.unwrap();
        drop(sink);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "n\n0\n1\n2\n3\n");
    }

    #[tokio::test]
    async fn a_pipe_that_stands_still_holds_nobody_else_up() {
        let (mut reader, out) = pipe().unwrap();
        let sink = StdoutSink::new(StdoutSettings::default(), &TimeZone::UTC, Box::new(out)).unwrap();
        let begin = begin(0);
        let Begun::Writer(writer) = sink.begin(&begin).await.unwrap() else {
            panic!("a pipe stores nothing")
        };
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
        let many = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let bytes: usize = (0..100_000).map(|n| format!("{{\"n\":{n}}}\n").len()).sum();
        // On the one thread of this test: more than fits into a pipe, which is read only once the write waits.
        let read = async {
            let reading = tokio::task::spawn_blocking(move || {
                let mut text = vec![0; 2 * bytes];
                reader.read_exact(&mut text).map(|()| text)
            });
            String::from_utf8(reading.await.unwrap().unwrap()).unwrap()
        };
        let (one, other) = (writer.write(Partition(0), many.clone()), writer.write(Partition(1), many));
        let (one, other, text) = tokio::join!(one, other, read);
        assert!(one.is_ok() && other.is_ok());
        let numbers = text
            .lines()
            .map(|l| l.trim_start_matches("{\"n\":").trim_end_matches('}').parse::<i64>().unwrap());
        assert!(numbers.eq((0..100_000).chain(0..100_000)), "a batch is written whole");
    }

    #[tokio::test]
    async fn a_pipe_that_is_closed_is_unavailable() {
        let (reader, out) = pipe().unwrap();
        let sink = StdoutSink::new(StdoutSettings::default(), &TimeZone::UTC, Box::new(out)).unwrap();
        drop(reader);
        assert_eq!(write(&sink, 0).await.unwrap_err().kind(), Kind::Unavailable);
    }

    #[test]
    fn parquet_and_complete_mode_are_refused() {
        let out = || Box::new(Vec::new());
        let parquet = StdoutSettings { format: Some(FileFormat::Parquet), ..StdoutSettings::default() };
        assert!(StdoutSink::new(parquet, &TimeZone::UTC, out()).is_err());
        let sink = StdoutSink::new(StdoutSettings::default(), &TimeZone::UTC, out()).unwrap();
        assert!(sink.accepts(OutputMode::Complete, rows(0).schema_ref()).is_err());
        assert!(sink.accepts(OutputMode::Append, rows(0).schema_ref()).is_ok());
    }
}
