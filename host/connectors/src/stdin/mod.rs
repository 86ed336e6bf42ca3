//! Standard input as a source.

use crate::{
    feed::{self, Feed, Raw, RawLines},
    files::FileFormat,
    formats::csv::decode::CsvInput,
    line_input::LineInput,
    source::SourceOptions,
    units::ByteSize,
};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use engine::{
    BadRows, BatchStream, Clock, Error, History, Offset, Planned, Range, Reach, Result, Source, SourceFacts,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    io::Read,
    sync::{Arc, Mutex as Lock, MutexGuard, PoisonError},
};
use tokio::sync::Mutex;

/// Lines of standard input. They come once and cannot be replayed. The query ends when the input does, unless another source
/// may have more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table such as { format = \"json\" }"
)]
pub struct StdinSettings {
    /// `json`, `csv` or `text`. Default: `text`.
    pub format: Option<FileFormat>,
    /// How CSV is read.
    pub csv: Option<CsvInput>,
    /// The longest line that is read; a longer one is a bad row. Default: `16MiB`.
    pub max_line_bytes: Option<ByteSize>,
}

/// Standard input, read from the first time that its rows or its schema are asked for.
pub struct StdinSource {
    name: String,
    input: Arc<LineInput>,
    opened: Arc<Lock<Opened>>,
    feed: Mutex<(Feed, Reach)>,
}

/// What has been read before decoding starts.
struct Opened {
    input: Option<Box<dyn Read + Send>>,
    lines: Option<RawLines>,
    first: Vec<Raw>,
    schema: Option<Schema>,
}

impl StdinSource {
    /// A source called `name`. [`engine::Kind::Invalid`] for a format that has no lines or options that do not apply.
    pub fn new(
        name: impl Into<String>,
        settings: StdinSettings,
        options: SourceOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let _ = clock;
        Self::reading(std::io::stdin(), name, settings, options)
    }

    /// The same over another input.
    pub fn reading(
        input: impl Read + Send + 'static,
        name: impl Into<String>,
        settings: StdinSettings,
        options: SourceOptions,
    ) -> Result<Self> {
        let name = name.into();
        let StdinSettings { format, csv, max_line_bytes } = settings;
        let lines = LineInput::new(format, csv, max_line_bytes, options)?;
        let schema = lines.schema()?;
        let opened = Opened { input: Some(Box::new(input)), lines: None, first: Vec::new(), schema };
        let feed = Mutex::new((Feed::default(), Reach::Endless));
        Ok(StdinSource { name, input: Arc::new(lines), opened: Arc::new(Lock::new(opened)), feed })
    }

    /// Waits until the columns are known, on a thread of its own: a person may take their time to type the first line.
    async fn learn_schema(&self) -> Result<()> {
        let (opened, input) = (self.opened.clone(), self.input.clone());
        let learning = tokio::task::spawn_blocking(move || lock(&opened).schema(&input).map(drop));
        learning.await.map_err(|e| Error::internal("waiting for standard input").caused_by(e))?
    }

    fn start(&self, feed: &mut Feed) -> Result<()> {
        if !feed.is_unconnected() {
            return Ok(());
        }
        let mut opened = lock(&self.opened);
        let schema = opened.schema(&self.input)?;
        opened.open(&self.input)?;
        let first = std::mem::take(&mut opened.first);
        if let Some(lines) = opened.lines.take() {
            feed.connect(self.input.decode(first, lines, schema, "standard input")?);
        }
        Ok(())
    }
}

fn lock(opened: &Lock<Opened>) -> MutexGuard<'_, Opened> {
    opened.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Opened {
    fn open(&mut self, input: &LineInput) -> Result<()> {
        if let Some(reader) = self.input.take() {
            self.lines = Some(feed::read_lines(reader, input.longest())?);
        }
        Ok(())
    }

    /// The columns; blocks until there are lines if they are to be inferred and are not known yet.
    fn schema(&mut self, input: &LineInput) -> Result<Schema> {
        if let Some(schema) = &self.schema {
            return Ok(schema.clone());
        }
        self.open(input)?;
        let empty =
            || Error::invalid("standard input is empty: no data to infer a schema from; set `schema`");
        let first = self.lines.as_ref().and_then(|lines| lines.recv().ok()).ok_or_else(empty)?;
        let first = first.map_err(|e| feed::lost("standard input", e))?;
        let schema = input.infer(&first)?;
        self.first.push(first);
        self.schema = Some(schema.clone());
        Ok(schema)
    }
}

#[async_trait]
impl Source for StdinSource {
    fn facts(&self) -> SourceFacts {
        SourceFacts {
            description: "StdinSource".into(),
            identity: "StdinSource".into(),
            replayable: false,
            needs_history: false,
            consumes: false,
        }
    }

    fn schema(&self, _: Option<&Range>) -> Result<SchemaRef> {
        lock(&self.opened).schema(&self.input).map(Arc::new)
    }

    async fn restore(&self, history: History, reach: Reach) -> Result<()> {
        let mut feed = self.feed.lock().await;
        feed.1 = reach;
        feed.0.restore(&history.ranges, reach)?;
        self.learn_schema().await
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let mut feed = self.feed.lock().await;
        let (feed, reach) = &mut *feed;
        self.start(feed)?;
        feed.plan(start, *reach, self.input.max_rows()).await
    }

    async fn wait(&self) {
        self.feed.lock().await.0.wait().await;
    }

    async fn read(&self, range: &Range, _: usize) -> Result<Vec<BatchStream>> {
        Ok(self.feed.lock().await.0.read(range, &self.name))
    }

    async fn release(&self, range: &Range) -> Result<Option<Bytes>> {
        self.feed.lock().await.0.release(range);
        Ok(None)
    }

    fn bad_rows(&self) -> BadRows {
        self.input.bad_rows()
    }

    async fn has_ended(&self) -> bool {
        self.feed.lock().await.0.is_over()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Limit, SchemaOption};
    use futures::StreamExt;
    use std::io::Write;

    fn json(text: &'static str, options: SourceOptions) -> StdinSource {
        let settings = StdinSettings { format: Some(FileFormat::Json), ..StdinSettings::default() };
        StdinSource::reading(text.as_bytes(), "in", settings, options).unwrap()
    }

    fn schema(text: &str) -> SourceOptions {
        SourceOptions { schema: Some(SchemaOption::from(text.to_owned())), ..SourceOptions::default() }
    }

    /// Runs epochs until the input is over; the rows of each.
    async fn epochs(source: &StdinSource) -> Vec<usize> {
        let mut start: Option<Offset> = None;
        let mut rows = Vec::new();
        while let Some(planned) = source.latest(start.as_ref()).await.unwrap() {
            let mut count = 0;
            for mut stream in source.read(&planned.range, 2).await.unwrap() {
                while let Some(batch) = stream.next().await {
                    count += batch.unwrap().len();
                }
            }
            rows.push(count);
            source.release(&planned.range).await.unwrap();
            start = Some(planned.range.end);
        }
        rows
    }

    #[tokio::test]
    async fn the_input_is_read_to_its_end() {
        let source = json("{\"a\":1}\n{\"a\":2}\n{\"a\":3}", schema("a INT"));
        source.restore(History::default(), Reach::AvailableNow).await.unwrap();
        assert_eq!(epochs(&source).await.iter().sum::<usize>(), 3);
    }

    #[tokio::test]
    async fn an_epoch_takes_no_more_rows_than_its_limit() {
        let limit = SourceOptions { max_per_trigger: Some(Limit::Rows(2)), ..schema("a INT") };
        let source = json("{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", limit);
        source.restore(History::default(), Reach::AvailableNow).await.unwrap();
        assert_eq!(epochs(&source).await, [2, 1]);
    }

    #[tokio::test]
    async fn the_schema_is_inferred_from_the_first_lines_and_none_is_lost() {
        let source = json("{\"a\":1}\n{\"a\":2.5,\"b\":\"x\"}\n", schema("infer"));
        let found = source.schema(None).unwrap();
        assert_eq!(crate::formats::ddl::print(&found), "a DOUBLE, b STRING");
        source.restore(History::default(), Reach::AvailableNow).await.unwrap();
        assert_eq!(epochs(&source).await.iter().sum::<usize>(), 2);
    }

    /// A source over a pipe, and the end of it to write to.
    fn over_pipe(format: FileFormat, options: SourceOptions) -> (StdinSource, std::io::PipeWriter) {
        let (reader, writer) = std::io::pipe().unwrap();
        let csv = (format == FileFormat::Csv).then(|| CsvInput { header: true, ..CsvInput::default() });
        let settings = StdinSettings { format: Some(format), csv, max_line_bytes: None };
        (StdinSource::reading(reader, "in", settings, options).unwrap(), writer)
    }

    #[tokio::test]
    async fn waiting_for_the_lines_to_infer_from_can_be_given_up_and_loses_none() {
        let (source, mut writer) = over_pipe(FileFormat::Json, schema("infer"));
        tokio::select! {
            biased;
            _ = source.restore(History::default(), Reach::AvailableNow) => panic!("there is no line yet"),
            () = tokio::task::yield_now() => {}
        }
        writer.write_all(b"{\"a\":1}\n").unwrap();
        drop(writer);
        source.restore(History::default(), Reach::AvailableNow).await.unwrap();
        assert_eq!(epochs(&source).await, [1]);
    }

    #[tokio::test]
    async fn a_header_that_has_not_come_yet_holds_nobody_up() {
        let (source, mut writer) = over_pipe(FileFormat::Csv, schema("a INT"));
        source.restore(History::default(), Reach::Endless).await.unwrap();
        assert!(source.latest(None).await.unwrap().is_none());
        writer.write_all(b"a\n1\n").unwrap();
        source.wait().await;
        assert_eq!(source.latest(None).await.unwrap().unwrap().range.end.0["rows"], 1);
    }

    #[tokio::test]
    async fn lines_before_a_failure_are_delivered_before_it() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("the line went dead"))
            }
        }
        for reach in [Reach::AvailableNow, Reach::Endless] {
            let input = (&b"a\nb\n"[..]).chain(Failing);
            let options = SourceOptions { max_per_trigger: Some(Limit::Rows(1)), ..SourceOptions::default() };
            let source = StdinSource::reading(input, "in", StdinSettings::default(), options).unwrap();
            source.restore(History::default(), reach).await.unwrap();
            let (mut start, mut rows) = (None, 0);
            let error = loop {
                match source.latest(start.as_ref()).await {
                    Ok(Some(planned)) => {
                        rows += source.read(&planned.range, 1).await.unwrap().len();
                        source.release(&planned.range).await.unwrap();
                        start = Some(planned.range.end);
                    }
                    Ok(None) => source.wait().await,
                    Err(error) => break error,
                }
            };
            assert_eq!((rows, error.kind()), (2, engine::Kind::Unavailable));
            assert_eq!(error.report(), "reading from standard input: the line went dead");
        }
    }

    #[tokio::test]
    async fn a_csv_header_is_no_row() {
        let csv = Some(CsvInput { header: true, ..CsvInput::default() });
        let settings = StdinSettings { format: Some(FileFormat::Csv), csv, max_line_bytes: None };
        let source =
            StdinSource::reading(&b"b,a\nx,1\n"[..], "in", settings, schema("a INT, b STRING")).unwrap();
        source.restore(History::default(), Reach::AvailableNow).await.unwrap();
        assert_eq!(epochs(&source).await, [1]);
    }

    #[tokio::test]
    async fn once_is_refused_with_what_to_do() {
        let source = json("", schema("a INT"));
        let error = source.restore(History::default(), Reach::Once).await.unwrap_err();
        assert!(error.report().contains("use the trigger available-now"), "{}", error.report());
    }

    #[test]
    fn parquet_has_no_lines() {
        let settings = StdinSettings { format: Some(FileFormat::Parquet), ..StdinSettings::default() };
        assert!(StdinSource::reading(&b""[..], "in", settings, SourceOptions::default()).is_err());
    }
}
