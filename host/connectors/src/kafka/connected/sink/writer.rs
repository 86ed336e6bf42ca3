use super::super::{
    client::{Context, consumer, insist, kind_of_code, not_made},
    encode::Outgoing,
};
use crate::kafka::{KafkaSinkOptions, sink_settings::KafkaSinkSettings};
use engine::{Clock, Epoch, Error, Kind, Result};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{Consumer, ConsumerGroupMetadata},
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::{BaseProducer, BaseRecord, Producer, PurgeConfig},
};
use serde_json::json;
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// How long to wait before looking again whether there is room, or an acknowledgement.
const TICK: Duration = Duration::from_millis(1);

/// How long a broker may take to make a topic, and how often it is asked.
const MAKING: Duration = Duration::from_secs(2);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How long something is waited for before somebody is told.
const SILENCE: Duration = Duration::from_secs(2);

/// How long one step of a commit may take. When a leader dies, a client has been seen to ask in vain until the time-out of the transaction,
/// which is minutes; another client goes on at once, and reads in the mark what has become of the epoch.
const COMMITTING: Duration = Duration::from_secs(30);

/// How long it may take to take a transaction back.
const ABORT: Duration = Duration::from_secs(5);

/// A producer and, with exactly-once delivery, where its marks are kept.
pub(super) struct Writer {
    producer: BaseProducer<Context>,
    /// The id of its transactions, if there are any; the group of its marks has the same name.
    pub(super) id: Option<String>,
    marks: Option<Marks>,
    pub(super) options: KafkaSinkOptions,
    /// How long a transaction may take.
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mark: Option<Epoch>,
    /// Since when there is a transaction.
    begun: Option<Duration>,
    /// How long brokers that were away have been waited for in it.
    away: Duration,
}

/// A wait for brokers.
#[derive(Default)]
struct Waiting {
    since: Option<Duration>,
    looked: Option<Duration>,
}

/// Offsets of a group as marks of epochs.
struct Marks {
    topic: String,
    group: ConsumerGroupMetadata,
}

impl Writer {
    /// Connects. With an id: ends what an earlier writer of that id began, and then reads its mark.
    pub(super) fn open(
        mut config: ClientConfig,
        settings: &KafkaSinkSettings,
        id: Option<String>,
        options: KafkaSinkOptions,
    ) -> Result<Self> {
        let of = format!("Kafka at {}", settings.bootstrap_servers);
        let timeout =
            config.get("transaction.timeout.ms").and_then(|text| text.parse().ok()).unwrap_or(60_000);
        match &id {
            Some(id) => config.set("transactional.id", id),
            None => config.remove("transaction.timeout.ms"),
        };
        let producer: BaseProducer<Context> =
            config.create_with_context(Context::new(of.clone())).map_err(|error| not_made(&of, error))?;
        let mut writer = Writer {
            producer,
            id: id.clone(),
            marks: None,
            options,
            timeout: Duration::from_millis(timeout),
            state: Mutex::default(),
        };
        if let Some(topic) = &settings.topic {
            writer.find(topic)?;
        }
        let (Some(id), Some(topic)) = (id, &settings.topic) else { return Ok(writer) };
        writer.ask("starting transactions", |timeout| writer.producer.init_transactions(timeout))?;
        writer.read_mark(config, &id, topic, of)?;
        Ok(writer)
    }

    /// Reads the mark. Nobody else can write it any more.
    fn read_mark(&mut self, mut config: ClientConfig, id: &str, topic: &str, of: String) -> Result<()> {
        for of_producers in [
            "transactional.id",
            "transaction.timeout.ms",
            "enable.idempotence",
            "delivery.report.only.error",
            "queue.buffering.max.kbytes",
            "queue.buffering.max.messages",
            "linger.ms",
            "compression.type",
        ] {
            config.remove(of_producers);
        }
        config
            .set("group.id", id)
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed");
        let reader = consumer(&config, Context::new(of))?;
        let kept = self.ask("reading the mark of the last epoch", |timeout| {
            let mut asked = TopicPartitionList::new();
            asked.add_partition(topic, 0);
            let kept = reader.committed_offsets(asked, timeout)?;
            let element = kept.find_partition(topic, 0);
            element.map_or(Ok(Offset::Invalid), |of| of.error().map(|()| of.offset()))
        })?;
        let group = reader.group_metadata().ok_or_else(|| Error::internal("a consumer without a group"))?;
        if let Offset::Offset(next) = kept {
            self.state().mark = u64::try_from(next).ok().and_then(|next| next.checked_sub(1)).map(Epoch);
        }
        self.marks = Some(Marks { topic: topic.to_owned(), group });
        Ok(())
    }

    /// A topic has to be there before an epoch without rows can be marked in it. A broker that may make topics begins to, being asked
    /// for it.
    fn find(&self, topic: &str) -> Result<()> {
        let asked = self.clock().monotonic();
        while !self.has(topic)? {
            if self.clock().monotonic().saturating_sub(asked) >= MAKING {
                let what = format!("there is no topic {topic:?}; create it, or correct its name");
                return Err(Error::invalid(what));
            }
            self.producer.poll(ASK_AGAIN);
        }
        Ok(())
    }

    fn has(&self, topic: &str) -> Result<bool> {
        self.ask(&format!("looking for topic {topic}"), |timeout| {
            let metadata = self.producer.client().fetch_metadata(Some(topic), timeout)?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            match found.and_then(|topic| topic.error()) {
                // It is being made.
                Some(error) if Code::from(error) == Code::LeaderNotAvailable => {
                    Err(KafkaError::MetadataFetch(Code::LeaderNotAvailable))
                }
                Some(_) => Ok(false),
                None => Ok(found.is_some_and(|topic| !topic.partitions().is_empty())),
            }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn context(&self) -> &Context {
        self.producer.client().context()
    }

    fn clock(&self) -> &dyn Clock {
        &*self.options.clock
    }

    fn ask<T>(&self, doing: &str, ask: impl Fn(Duration) -> rdkafka::error::KafkaResult<T>) -> Result<T> {
        insist(self.context(), self.clock(), doing, |timeout| self.producer.poll(timeout), ask)
    }

    /// The newest epoch that is stored.
    pub(super) fn mark(&self) -> Option<Epoch> {
        self.state().mark
    }

    fn step(&self, name: &str) {
        if let Some(at_step) = &self.options.at_step {
            at_step(name);
        }
    }

    /// Begins a transaction unless there is one.
    pub(super) fn begin(&self) -> Result<()> {
        if self.marks.is_none() {
            return Ok(());
        }
        let mut state = self.state();
        if state.begun.is_none() {
            let begun = self.producer.begin_transaction();
            begun.map_err(|error| self.context().failed("beginning a transaction", error))?;
            (state.begun, state.away) = (Some(self.clock().monotonic()), Duration::ZERO);
        }
        Ok(())
    }

    /// Takes back what an epoch wrote that was abandoned.
    pub(super) fn reset(&self) -> Result<()> {
        if self.state().begun.take().is_none() {
            return Ok(());
        }
        self.producer.purge(PurgeConfig::default().queue());
        if !self.is_drained() {
            // No broker answers. Where one does, what is forgotten on its way would show as a gap in the next transaction.
            self.producer.purge(PurgeConfig::default().inflight());
            self.is_drained();
        }
        let _ = self.context().undelivered();
        let aborted = self.producer.abort_transaction(ABORT);
        aborted.map_err(|error| self.context().failed("taking a transaction back", error))
    }

    /// Waits for what is on its way; false if that takes too long.
    fn is_drained(&self) -> bool {
        let begun = self.clock().monotonic();
        while self.producer.in_flight_count() > 0 {
            if self.clock().monotonic().saturating_sub(begun) >= ABORT {
                return false;
            }
            self.producer.poll(TICK);
        }
        true
    }

    /// Gives a message to the producer, once there is room. Stops to wait for it when the epoch is abandoned.
    pub(super) fn send(&self, message: Outgoing<'_>, abandoned: &AtomicBool) -> Result<()> {
        let Outgoing { topic, partition, key, value, headers } = message;
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
        (record.partition, record.key, record.payload, record.headers) = (partition, key, value, headers);
        let mut waiting = Waiting::default();
        while let Err((error, again)) = self.producer.send(record) {
            if error.rdkafka_error_code() != Some(Code::QueueFull) {
                return Err(self.unsendable(error, topic));
            }
            self.wait(&mut waiting)?;
            if abandoned.load(Relaxed) {
                return Err(Error::new(Kind::Unavailable, "the epoch was abandoned"));
            }
            record = again;
        }
        if waiting.since.is_some() {
            self.context().answered();
        }
        Ok(())
    }

    fn unsendable(&self, error: KafkaError, topic: &str) -> Error {
        let what = match error.rdkafka_error_code() {
            Some(Code::MessageSizeTooLarge) => {
                return Error::invalid(format!(
                    "a message for topic {topic} is larger than \"message.max.bytes\"; raise it in `client`, and in the broker"
                ));
            }
            Some(Code::UnknownPartition) => {
                return Error::data(format!("a row names a partition that topic {topic} does not have"))
                    .caused_by(error);
            }
            _ => format!("writing to topic {topic}"),
        };
        self.failed(&what, error)
    }

    /// How long the transaction has been going on, and how much of it was not spent on waiting for brokers that were away.
    fn in_transaction(&self) -> (Duration, Duration) {
        let (now, state) = (self.clock().monotonic(), self.state());
        let took = state.begun.map_or(Duration::ZERO, |begun| now.saturating_sub(begun));
        (took, took.saturating_sub(state.away))
    }

    /// Waits a moment for the brokers, and says so if it is a long one.
    fn wait(&self, waiting: &mut Waiting) -> Result<()> {
        self.producer.poll(TICK);
        let now = self.clock().monotonic();
        self.missed(waiting, now);
        if now.saturating_sub(*waiting.since.get_or_insert(now)) >= SILENCE {
            self.context().waiting();
            if let Some(hopeless) = self.context().hopeless() {
                return Err(hopeless);
            }
        }
        self.look()
    }

    /// Counts the time since the last call, if the brokers are away.
    fn missed(&self, waiting: &mut Waiting, now: Duration) {
        let before = waiting.looked.replace(now).unwrap_or(now);
        if self.context().in_trouble() {
            self.state().away += now.saturating_sub(before);
        }
    }

    /// Fails if a message could not be written.
    pub(super) fn look(&self) -> Result<()> {
        if !self.context().has_undelivered() {
            self.producer.poll(Duration::ZERO);
        }
        let Some((code, topic)) = self.context().undelivered() else { return Ok(()) };
        let error = KafkaError::MessageProduction(code);
        Err(match code {
            Code::UnknownTopicOrPartition | Code::UnknownTopic => {
                Error::invalid(format!("there is no topic {topic:?}; create it, or correct its name"))
                    .caused_by(error)
            }
            _ if kind_of_code(code) == Kind::Unavailable => {
                self.context().failed(&format!("a message for topic {topic} was not written"), error)
            }
            _ => self.failed(&format!("writing to topic {topic}"), error),
        })
    }

    /// Makes sure that all messages are written and, with marks, that they count, and the epoch with them.
    pub(super) fn commit(&self, epoch: Epoch) -> Result<()> {
        self.begin()?;
        let mut waiting = Waiting::default();
        while self.producer.in_flight_count() > 0 {
            self.wait(&mut waiting)?;
        }
        self.look()?;
        self.context().answered();
        let Some(marks) = &self.marks else { return Ok(()) };
        self.step("sent");
        let mark = mark(&marks.topic, epoch).map_err(|error| self.failed("marking an epoch", error))?;
        self.transact(|timeout| self.producer.send_offsets_to_transaction(&mark, &marks.group, timeout))
            .map_err(|error| self.failed("marking an epoch", error))?;
        self.step("marked");
        self.transact(|timeout| self.producer.commit_transaction(timeout))
            .map_err(|error| self.failed("committing a transaction", error))?;
        let mut state = self.state();
        (state.begun, state.mark) = (None, Some(epoch));
        drop(state);
        self.step("transaction-committed");
        Ok(())
    }

    /// A request about the transaction; it may be repeated as long as it says so.
    fn transact(
        &self,
        ask: impl Fn(Duration) -> rdkafka::error::KafkaResult<()>,
    ) -> std::result::Result<(), KafkaError> {
        const SLICE: Duration = Duration::from_secs(2);
        let begun = self.clock().monotonic();
        let mut waiting = Waiting { looked: Some(begun), ..Waiting::default() };
        loop {
            let answer = ask(SLICE);
            // What is wrong is heard of by polling.
            self.producer.poll(Duration::ZERO);
            self.missed(&mut waiting, self.clock().monotonic());
            match answer {
                Err(KafkaError::Transaction(error))
                    if error.is_retriable() && !error.txn_requires_abort() =>
                {
                    // Whoever is fenced, or whose transaction is over, hears of it by another error.
                    if self.clock().monotonic().saturating_sub(begun) >= self.timeout.min(COMMITTING) {
                        return Err(KafkaError::Transaction(error));
                    }
                    self.context().waiting();
                }
                answer => return answer,
            }
        }
    }

    /// The error, with what to do about it.
    fn failed(&self, doing: &str, error: KafkaError) -> Error {
        let (took, worked) = self.in_transaction();
        let timeout = self.timeout.as_millis();
        if worked >= self.timeout {
            return Error::invalid(format!(
                "{doing}: the epoch took longer than its transaction may, {timeout} ms; set `max-per-trigger` on the source, or raise \
                 \"transaction.timeout.ms\" in `client`"
            ))
            .caused_by(error);
        }
        if took >= self.timeout {
            // They may have taken it back, or committed it and not said so; and say then that this writer is none any more. The next
            // one reads in the mark which it was.
            let what = format!(
                "{doing}, with {}, which was away for longer than a transaction may take, {timeout} ms",
                self.context()
            );
            return Error::new(Kind::Unavailable, what).caused_by(error);
        }
        self.context().failed(doing, error)
    }
}

/// What says that an epoch is stored.
fn mark(topic: &str, epoch: Epoch) -> std::result::Result<TopicPartitionList, KafkaError> {
    let mut mark = TopicPartitionList::new();
    mark.add_partition_offset(topic, 0, Offset::Offset(epoch.0 as i64 + 1))?;
    if let Some(mut element) = mark.find_partition(topic, 0) {
        element.set_metadata(json!({ "epoch": epoch.0 }).to_string());
    }
    Ok(mark)
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Else readers of what is committed would wait until the brokers give the transaction up.
        let _ = self.reset();
    }
}
