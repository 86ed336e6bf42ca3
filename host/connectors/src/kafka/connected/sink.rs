//! Topics as a sink.

mod epoch;
mod writer;

use self::{epoch::KafkaEpoch, writer::Writer};
use super::{
    avro,
    client::{config, validate},
    encode::Layout,
    registry::Registry,
};
use crate::kafka::{
    KafkaSinkOptions,
    sink_settings::{Delivery, KafkaSinkSettings, MissingMark, SinkFormat},
};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use engine::{Begin, Begun, Epoch, Error, Guarantee, OutputMode, QueryId, Result, Sink, Token};
use rdkafka::ClientConfig;
use serde::Deserialize;
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Writes a message for each row.
///
/// # Exactly once
///
/// An epoch is one transaction, which also commits, as offset of partition 0 of `topic` in a group of its own, what epoch it is: its mark.
/// The group and the transactional id are `<query id>-<sink>`.
///
/// - Whoever starts to write first makes the brokers end or take back what an earlier writer of this id began
///   (`init_transactions`), and only then reads the mark. So a mark that is not there will never come.
/// - Of two hosts the one that started last is the one that can commit.
/// - A mark of epoch n says that every epoch up to n is stored.
pub(crate) struct KafkaSink {
    settings: KafkaSinkSettings,
    options: KafkaSinkOptions,
    delivery: Delivery,
    config: ClientConfig,
    state: Arc<Mutex<State>>,
    registry: Option<Arc<Registry>>,
    /// What the registry answered, by schema.
    ids: Mutex<HashMap<String, u32>>,
}

#[derive(Default)]
struct State {
    /// What a commit record says to be stored here.
    committed: Option<Committed>,
    writer: Option<Arc<Writer>>,
}

/// The newest epoch that is committed, as a token has it.
#[derive(Clone, Deserialize)]
struct Committed {
    epoch: Epoch,
    /// Where its mark is kept. A query that was given a new identity has none there yet.
    group: Option<String>,
}

impl KafkaSink {
    /// [`engine::Kind::Invalid`] if a setting cannot be. Connects to nothing.
    pub(crate) fn new(settings: KafkaSinkSettings, options: KafkaSinkOptions) -> Result<Self> {
        let delivery = settings.delivery(options.continuous)?;
        if settings.topic.is_none() && settings.topic_from_column.is_none() {
            return Err(Error::invalid("write topic = \"results\", or topic-from-column = \"…\""));
        }
        let fixed: Vec<(&str, String)> = [
            ("enable.idempotence", "true"),
            ("delivery.report.only.error", "true"),
            ("group.id", ""),
            ("transactional.id", ""),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into();
        let mut config = config(
            &settings.bootstrap_servers,
            &settings.client,
            &[
                ("transaction.timeout.ms", "600000"),
                // Messages that wait are in memory, and who writes more waits too.
                ("queue.buffering.max.kbytes", "65536"),
                ("queue.buffering.max.messages", "200000"),
                ("linger.ms", "1"),
                ("reconnect.backoff.max.ms", "1000"),
            ],
            &fixed,
        )?;
        config.remove("group.id");
        config.remove("transactional.id");
        validate(&config)?;
        let registry = settings
            .schema_registry
            .clone()
            .map(|registry| Arc::new(Registry::new(registry, options.clock.clone())));
        if settings.value == SinkFormat::Avro && registry.is_none() {
            return Err(Error::invalid(
                "avro needs a registry for its schemas; set schema-registry = { url = \"http://localhost:8081\" }",
            ));
        }
        let (state, ids) = (Arc::default(), Mutex::default());
        Ok(KafkaSink { settings, options, delivery, config, state, registry, ids })
    }

    /// What talks to the brokers for this sink of this query; made once.
    fn writer(&self, query: &QueryId, name: &str) -> impl FnOnce() -> Result<Arc<Writer>> + Send + 'static {
        let (state, settings, options) = (self.state.clone(), self.settings.clone(), self.options.clone());
        let (config, id) = (self.config.clone(), group(query, name));
        let id = (self.delivery == Delivery::ExactlyOnce).then_some(id);
        move || {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(writer) = &state.writer {
                return Ok(writer.clone());
            }
            let writer = Arc::new(Writer::open(config, &settings, id, options)?);
            state.writer = Some(writer.clone());
            Ok(writer)
        }
    }

    /// The id that the schema of some rows has in the registry; it is put there unless it is there.
    async fn registered(&self, layout: &Layout, schema: &SchemaRef) -> Result<u32> {
        let (Some(registry), SinkFormat::Avro) = (self.registry.clone(), self.settings.value) else {
            return Ok(0);
        };
        let text = avro::schema_of(&*layout.record(schema)?)?;
        let subject = self.subject()?;
        let lock = |ids: &Mutex<HashMap<String, u32>>| {
            ids.lock().unwrap_or_else(PoisonError::into_inner).get(&text).copied()
        };
        if let Some(id) = lock(&self.ids) {
            return Ok(id);
        }
        let asked = text.clone();
        let id = blocking(move || registry.register(&subject, &asked)).await??;
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(text, id);
        Ok(id)
    }

    fn subject(&self) -> Result<String> {
        let named =
            self.settings.schema_registry.as_ref().and_then(|registry| registry.value_subject.clone());
        let subject = named.or_else(|| self.settings.topic.as_ref().map(|topic| format!("{topic}-value")));
        subject.ok_or_else(|| {
            Error::invalid(
                "schema-registry: topics come from a column, so set value-subject = \"results-value\"",
            )
        })
    }

    /// The newest epoch that this sink of this query is said to have stored.
    fn committed(&self, begin: &Begin) -> Option<Epoch> {
        let committed = self.state.lock().unwrap_or_else(PoisonError::into_inner).committed.clone()?;
        let own = group(&begin.query, &begin.sink);
        committed.group.is_none_or(|group| group == own).then_some(committed.epoch)
    }

    /// A commit record says that an epoch is stored, and the mark does not.
    fn refuse_lost_mark(&self, writer: &Writer, begin: &Begin) -> Result<()> {
        let (Some(committed), mark) = (self.committed(begin), writer.mark()) else { return Ok(()) };
        if mark >= Some(committed) || self.settings.missing_mark == MissingMark::Write {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the checkpoint says that epoch {committed} is stored, and the mark that group {} keeps in the brokers {}; a mark is forgotten \
             when it was not renewed for `offsets.retention.minutes`, or with its topic. Look whether epoch {} is in the topic: if it is not, set \
             missing-mark = \"write\" to go on; if it is, take its rows out, or start with another checkpoint",
            group(&begin.query, &begin.sink),
            mark.map_or_else(|| "is gone".to_owned(), |mark| format!("is of epoch {mark}")),
            begin.epoch,
        )))
    }
}

/// What a sink of a query is called among the brokers.
fn group(query: &QueryId, name: &str) -> String {
    format!("{}-{name}", query.0)
}

/// What is in the commit record of an epoch.
fn token(writer: &Writer, epoch: Epoch) -> Token {
    Token(match &writer.id {
        Some(group) => json!({ "epoch": epoch.0, "group": group }),
        None => json!({ "epoch": epoch.0 }),
    })
}

#[async_trait]
impl Sink for KafkaSink {
    fn accepts(&self, _: OutputMode, schema: &SchemaRef) -> Result<Guarantee> {
        Layout::new(&self.settings, schema)?;
        Ok(match self.delivery {
            Delivery::ExactlyOnce => Guarantee::ExactlyOnce,
            Delivery::AtLeastOnce => Guarantee::AtLeastOnce,
        })
    }

    fn recall(&self, committed: &Token) {
        let committed = Committed::deserialize(&committed.0).ok();
        self.state.lock().unwrap_or_else(PoisonError::into_inner).committed = committed;
    }

    async fn open(&self, query: &QueryId, name: &str) -> Result<()> {
        blocking(self.writer(query, name)).await?.map(drop)
    }

    async fn begin(&self, begin: &Begin) -> Result<Begun> {
        let writer = blocking(self.writer(&begin.query, &begin.sink)).await??;
        if self.delivery == Delivery::ExactlyOnce {
            self.refuse_lost_mark(&writer, begin)?;
            if writer.mark() >= Some(begin.epoch) {
                return Ok(Begun::Stored(token(&writer, begin.epoch)));
            }
        }
        // An epoch before this one may have been abandoned.
        let fresh = writer.clone();
        blocking(move || fresh.reset()).await??;
        let layout = Layout::new(&self.settings, &begin.schema)?;
        let avro_id = self.registered(&layout, &begin.schema).await?;
        Ok(Begun::Writer(Box::new(KafkaEpoch::new(writer, layout, avro_id, begin.epoch))))
    }
}

/// Runs what talks to brokers on a thread that may wait for them.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::internal("a thread of a Kafka sink").caused_by(e))
}
