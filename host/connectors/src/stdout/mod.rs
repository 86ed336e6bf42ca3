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
    error::Error as StdError,
    io::{self, ErrorKind, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// `[sinks.<name>.stdout]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct StdoutSettings {
    /// What is written: json (default), csv or text.
    pub format: Option<FileFormat>,
    /// For `format = "csv"`.
    pub csv: Option<CsvOutput>,
    /// For `format = "json"`.
    pub json: Option<JsonOutput>,
}

/// Writes rows as they come; the rows of one partition keep their order. What a replayed epoch writes is written again, as
/// there is no taking back what went down a pipe.
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

/// Whether the error is that whoever read the output has gone, as `head` does: nothing is wrong, nobody needs more.
pub fn reader_has_gone(error: &Error) -> bool {
    fn below(error: &(dyn StdError + 'static)) -> bool {
        let here = error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe);
        here || error.source().is_some_and(below)
    }
    error.source().is_some_and(below)
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

#[async_trait]
impl EpochWriter for StdoutEpoch {
    async fn write(&self, _: Partition, rows: RecordBatch) -> Result<()> {
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Pipe { rows: encoder, buffer, out } = &mut *pipe;
        buffer.clear();
        encoder.encode(&rows, buffer)?;
        out.write_all(buffer).doing(Kind::Unavailable, || "writing to the standard output")
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.out.flush().doing(Kind::Unavailable, || "writing to the standard output")?;
        Ok(Token::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use engine::Epoch;
    use std::io::{Read, pipe};

    fn rows(from: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 2));
        RecordBatch::try_from_iter([("n", numbers)]).unwrap()
    }

    async fn write(sink: &StdoutSink, epoch: u64) -> Result<Token> {
        let rows = rows(epoch as i64 * 2);
        let begin = Begin {
            query: QueryId("q".into()),
            sink: "stdout".into(),
            epoch: Epoch(epoch),
            partitions: 1,
            schema: rows.schema(),
            marked: true,
        };
        let Begun::Writer(writer) = sink.begin(&begin).await? else { panic!("a pipe stores nothing") };
        writer.write(Partition(0), rows).await?;
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
    async fn a_reader_that_has_gone_is_told_from_other_failures() {
        let (reader, out) = pipe().unwrap();
        let sink = StdoutSink::new(StdoutSettings::default(), &TimeZone::UTC, Box::new(out)).unwrap();
        drop(reader);
        let error = write(&sink, 0).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(reader_has_gone(&error) && reader_has_gone(&error.while_doing("epoch 0")));
        assert!(!reader_has_gone(&Error::invalid("something else")));
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
