//! Topics as a source.

use super::{
    client::{config, validate},
    columns::ColumnPlan,
    offsets::{Detail, Span, offsets_of, shares, spans},
    planning::Inner,
    topics::Topics,
};
use crate::{
    kafka::settings::KafkaSettings,
    source::{Limit, SourceOptions},
};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use engine::{
    BadRows, BatchStream, Clock, Error, History, Offset, Planned, Range, Reach, Result, Source, SourceFacts,
    Wanted,
};
use futures::stream;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;

/// Batches that wait between the thread that reads partitions and the plan.
const AHEAD: usize = 2;

/// How long nobody looks for new messages when the client has not told of any.
const LOOK: Duration = Duration::from_secs(1);

/// How often a wait for more rows looks how many there are.
const RECOUNT: Duration = Duration::from_millis(200);

/// Topics of a cluster.
pub(crate) struct KafkaSource {
    inner: Arc<Inner>,
}

impl KafkaSource {
    /// [`engine::Kind::Invalid`] if a setting cannot be. Connects to nothing.
    pub(crate) fn new(
        query: &str,
        name: &str,
        settings: KafkaSettings,
        options: SourceOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let topics = Topics::new(&settings)?;
        let columns = ColumnPlan::new(settings.clone(), options.clone(), clock.clone())?;
        let group = settings.group.clone().unwrap_or_else(|| format!("streamhost-{query}-{name}"));
        let config = config(
            &settings.bootstrap_servers,
            &settings.client,
            &[
                ("isolation.level", "read_committed"),
                // A queue that has become empty is to be filled again at once.
                ("fetch.queue.backoff.ms", "10"),
                // A question to a broker is answered at once if there is something new in a partition that it names. One whose queue was
                // full is not named, and waits for the next question: with the client's own 500 ms most of the time.
                ("fetch.wait.max.ms", "50"),
                ("reconnect.backoff.max.ms", "1000"),
            ],
            &[
                ("group.id", group),
                ("enable.auto.commit", "false".into()),
                ("enable.auto.offset.store", "false".into()),
                ("auto.offset.reset", "error".into()),
                ("enable.partition.eof", "true".into()),
            ],
        )?;
        validate(&config)?;
        let max_rows = match options.max_per_trigger {
            Some(Limit::Rows(rows)) => Some(rows),
            _ => None,
        };
        let inner = Inner {
            of: format!("Kafka at {}", settings.bootstrap_servers),
            settings,
            topics,
            columns,
            max_rows,
            config,
            clock,
            news: Arc::default(),
            state: Mutex::default(),
        };
        Ok(KafkaSource { inner: Arc::new(inner) })
    }
}

#[async_trait]
impl Source for KafkaSource {
    fn facts(&self) -> SourceFacts {
        let description = format!("KafkaSource[{}]", self.inner.topics);
        SourceFacts {
            identity: description.clone(),
            description,
            replayable: true,
            needs_history: false,
            consumes: false,
        }
    }

    fn schema(&self, range: Option<&Range>) -> Result<SchemaRef> {
        let ids = match range {
            Some(range) => Detail::of(range)?.schemas(),
            None => self.inner.columns.newest()?,
        };
        Ok(self.inner.columns.rules(ids)?.schema)
    }

    async fn restore(&self, _: History, reach: Reach) -> Result<()> {
        self.inner.state().reach = Some(reach);
        Ok(())
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let (inner, start) = (self.inner.clone(), start.cloned());
        blocking(move || inner.latest(start.as_ref())).await?
    }

    async fn wait(&self) {
        if self.inner.state().held_back {
            return self.inner.clock.sleep(RECOUNT).await;
        }
        let news = self.inner.news.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        if self.inner.has_more() {
            return;
        }
        tokio::select! {
            () = news => {}
            () = self.inner.clock.sleep(LOOK) => {}
        }
    }

    async fn read(&self, range: &Range, partitions: usize) -> Result<Vec<BatchStream>> {
        let shares = shares(spans(range)?, partitions);
        let (inner, ids) = (self.inner.clone(), Detail::of(range)?.schemas());
        // The registry may have to be asked.
        let rules = blocking(move || inner.columns.rules(ids)).await??;
        let rules = rules.wanting(self.inner.state().wanted.as_ref());
        let stream = |share: Vec<Span>| {
            let (send, receive) = mpsc::channel(AHEAD);
            let (inner, rules) = (self.inner.clone(), rules.clone());
            tokio::task::spawn_blocking(move || inner.read_share(&share, rules, send));
            let batches = stream::unfold(receive, async |mut receive| {
                let batch = receive.recv().await?;
                Some((batch, receive))
            });
            Box::pin(batches) as BatchStream
        };
        Ok(shares.into_iter().map(stream).collect())
    }

    async fn release(&self, range: &Range) -> Result<Option<Bytes>> {
        let (inner, end) = (self.inner.clone(), offsets_of(Some(&range.end))?);
        blocking(move || inner.commit(&end)).await??;
        Ok(None)
    }

    fn want(&self, columns: Wanted) {
        self.inner.state().wanted = Some(columns);
    }

    fn newest(&self) -> Option<Offset> {
        self.inner.newest()
    }

    fn bad_rows(&self) -> BadRows {
        self.inner.columns.tally().take()
    }
}

/// Runs what talks to brokers on a thread that may wait for them.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::internal("a thread of a Kafka source").caused_by(e))
}
