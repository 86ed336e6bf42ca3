//! A source driven by hand.

use async_trait::async_trait;
use connectors::{
    formats::{
        encode::{EncodeRows, JsonOutput},
        json::encode::JsonRows,
    },
    kafka::{self, KafkaSettings},
    source::{Limit, SchemaOption, SourceOptions},
};
use engine::{
    BadRows, Batch, Clock, History, Offset, Planned, Range, Reach, Result, Source, SystemClock, Timestamp,
};
use futures::StreamExt;
use jiff::tz::TimeZone;
use std::{sync::Arc, time::Duration};

/// Options with these columns.
pub(crate) fn columns(ddl: &str) -> SourceOptions {
    SourceOptions { schema: Some(SchemaOption::Ddl(ddl.into())), ..SourceOptions::default() }
}

/// The same, and so many rows an epoch.
pub(crate) fn limited(ddl: &str, rows: u64) -> SourceOptions {
    SourceOptions { max_per_trigger: Some(Limit::Rows(rows)), ..columns(ddl) }
}

/// A source and how far it was read.
pub(crate) struct Feed {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) at: Option<Offset>,
}

impl Feed {
    /// The same, with a clock of which somebody's patience is over sooner.
    pub(crate) async fn impatient(servers: &str, settings: &str, options: SourceOptions) -> Feed {
        let text = format!("bootstrap-servers = {servers:?}\n{settings}");
        let source =
            kafka::source("test", "in", toml::from_str(&text).unwrap(), options, Arc::new(Hasty::default()));
        let feed = Feed { source: source.unwrap(), at: None };
        feed.source.restore(History::default(), Reach::Endless).await.unwrap();
        feed
    }

    /// A source with what `settings` says beside the servers, as in `[sources.in.kafka]`.
    pub(crate) fn try_new(servers: &str, settings: &str, options: SourceOptions) -> Result<Feed> {
        let text = format!("bootstrap-servers = {servers:?}\n{settings}");
        let settings: KafkaSettings = toml::from_str(&text).unwrap();
        let source = kafka::source("test", "in", settings, options, Arc::new(SystemClock::new()))?;
        Ok(Feed { source, at: None })
    }

    pub(crate) async fn new(servers: &str, settings: &str, options: SourceOptions) -> Feed {
        let feed = Feed::try_new(servers, settings, options).unwrap();
        feed.source.restore(History::default(), Reach::Endless).await.unwrap();
        feed
    }

    pub(crate) async fn plan(&self) -> Result<Option<Planned>> {
        self.source.latest(self.at.as_ref()).await
    }

    /// The batches of a range, stream after stream.
    pub(crate) async fn read(&self, range: &Range, partitions: usize) -> Result<Vec<Batch>> {
        let mut batches = Vec::new();
        for mut stream in self.source.read(range, partitions).await? {
            while let Some(batch) = stream.next().await {
                batches.push(batch?);
            }
        }
        Ok(batches)
    }

    /// The rows of the next range, which is released: JSON, a line each. None if nothing is new.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<String>>> {
        let Some(planned) = self.plan().await? else { return Ok(None) };
        let rows = lines(&self.read(&planned.range, 2).await?);
        self.source.release(&planned.range).await?;
        self.at = Some(planned.range.end);
        Ok(Some(rows))
    }

    /// Waits, as a query does, until there are rows; answers them.
    pub(crate) async fn rows(&mut self) -> Vec<String> {
        let all = async {
            loop {
                match self.next().await.unwrap() {
                    Some(rows) if !rows.is_empty() => return rows,
                    _ => self.source.wait().await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("no rows came")
    }

    pub(crate) fn bad_rows(&self) -> BadRows {
        self.source.bad_rows()
    }
}

/// A clock that runs ten times too fast.
#[derive(Default)]
pub(crate) struct Hasty(SystemClock);

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic() * 10
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration / 10).await;
    }
}

/// Rows as JSON lines.
pub(crate) fn lines(batches: &[Batch]) -> Vec<String> {
    let mut text = Vec::new();
    for batch in batches {
        JsonRows::new(&JsonOutput::default(), TimeZone::UTC).encode(&batch.rows, &mut text).unwrap();
    }
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}
