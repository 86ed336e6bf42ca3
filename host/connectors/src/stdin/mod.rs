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
    BatchStream, Clock, Error, History, Offset, Planned, Range, Reach, Result, Source, SourceFacts,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    io::Read,
    sync::{Arc, Mutex as Lock, PoisonError},
};
use tokio::sync::Mutex;

/// Lines of standard input. They come once and cannot be replayed. With the trigger `available-now` or `once` the query
/// ends when the input does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
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
    input: LineInput,
    opened: Lock<Opened>,
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
        let input_options = LineInput::new(format, csv, max_line_bytes, options)
            .map_err(|e| e.while_doing(format!("source {name}")))?;
        let schema = input_options.schema()?;
        let opened = Opened { input: Some(Box::new(input)), lines: None, first: Vec::new(), schema };
        let feed = Mutex::new((Feed::default(), Reach::Endless));
        Ok(StdinSource { name, input: input_options, opened: Lock::new(opened), feed })
    }

    /// The columns; waits for the first lines if they are to be inferred.
    fn known_schema(&self) -> Result<Schema> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = &opened.schema {
            return Ok(schema.clone());
        }
        opened.open(&self.input)?;
        let first = match opened.lines.as_ref().and_then(|lines| lines.recv().ok()) {
            Some(Ok(raw)) => raw,
            _ => {
                return Err(Error::invalid(
                    "standard input is empty: no data to infer a schema from; set `schema`",
                ));
            }
        };
        let schema = self.input.infer(&first)?;
        opened.first.push(first);
        opened.schema = Some(schema.clone());
        Ok(schema)
    }

    fn start(&self, feed: &mut Feed) -> Result<()> {
        if feed.incoming.is_some() || feed.ended {
            return Ok(());
        }
        let rules = self.input.rules(self.known_schema()?);
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.open(&self.input)?;
        let mut first = std::mem::take(&mut opened.first);
        let Some(lines) = opened.lines.take() else { return Ok(()) };
        let format = self.input.line_format(&mut first, &lines, &rules)?;
        feed.incoming = Some(feed::decode(first, lines, format, rules, "standard input".into())?);
        Ok(())
    }
}

impl Opened {
    fn open(&mut self, input: &LineInput) -> Result<()> {
        if let Some(reader) = self.input.take() {
            self.lines = Some(feed::read_lines(reader, input.longest())?);
        }
        Ok(())
    }
}

#[async_trait]
impl Source for StdinSource {
    fn facts(&self) -> SourceFacts {
        SourceFacts {
            description: "StdinSource".into(),
            replayable: false,
            needs_history: false,
            consumes: false,
        }
    }

    fn schema(&self, _: Option<&Range>) -> Result<SchemaRef> {
        self.known_schema().map(Arc::new).map_err(|e| e.while_doing(format!("source {}", self.name)))
    }

    async fn restore(&self, history: History, reach: Reach) -> Result<()> {
        let mut feed = self.feed.lock().await;
        feed.1 = reach;
        feed.0.restore(&history.ranges, reach).map_err(|e| e.while_doing(format!("source {}", self.name)))
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Limit, SchemaOption};
    use futures::StreamExt;

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
