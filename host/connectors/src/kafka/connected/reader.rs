//! Reading ranges of partitions from a consumer that fetches ahead.

use super::{
    client::{Context, PATIENCE, insist, kind_of},
    offsets::{Offsets, Span, Tp},
};
use engine::{Clock, Error, Kind, Result};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, base_consumer::PartitionQueue},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
    message::{BorrowedMessage, OwnedMessage},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// How long to wait for a message before looking around.
const TICK: Duration = Duration::from_millis(20);

/// How long nothing may come after the end of a partition was announced, before it is asked for anew.
const QUIET: Duration = Duration::from_millis(250);

/// A consumer of some partitions, and what is common to all that read from it.
pub(super) struct Cluster {
    pub(super) consumer: Arc<BaseConsumer<Context>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fail_on_data_loss: bool,
    /// Told when messages come in.
    pub(super) news: Arc<Notify>,
}

impl Cluster {
    fn context(&self) -> &Context {
        self.consumer.client().context()
    }

    /// Serves what the client calls back. Messages never come this way.
    pub(super) fn poll(&self, timeout: Duration) {
        let _ = self.consumer.poll(timeout);
    }

    /// Asks the brokers until they answer, for as long as there is hope.
    pub(super) fn ask<T>(&self, doing: &str, ask: impl Fn(Duration) -> KafkaResult<T>) -> Result<T> {
        insist(self.context(), &*self.clock, doing, |timeout| self.poll(timeout), ask)
    }

    /// The offsets of these partitions at an end, or at a time in milliseconds; for a time behind the last message, the end.
    pub(super) fn offsets(&self, of: impl IntoIterator<Item = Tp>, at: At) -> Result<Offsets> {
        let of: Vec<Tp> = of.into_iter().collect();
        if of.is_empty() {
            return Ok(Offsets::default());
        }
        let answered = self.ask("asking for offsets", |timeout| {
            let mut list = TopicPartitionList::with_capacity(of.len());
            for (topic, partition) in &of {
                list.add_partition_offset(topic, *partition, at.asked())?;
            }
            let answered = self.consumer.offsets_for_times(list, timeout)?;
            let waiting = answered.elements().iter().find_map(|of| of.error().err().filter(|e| !is_gone(e)));
            waiting.map_or(Ok(answered), Err)
        });
        let answered = answered?;
        let mut offsets = Offsets::default();
        let mut at_end = Vec::new();
        for element in answered.elements().iter().filter(|element| element.error().is_ok()) {
            let tp = (element.topic().to_owned(), element.partition());
            match element.offset() {
                Offset::Offset(offset) => offsets.set(tp, offset),
                _ => at_end.push(tp),
            }
        }
        if !at_end.is_empty() && matches!(at, At::Time(_)) {
            self.offsets(at_end, At::End)?.iter().for_each(|(tp, offset)| offsets.set(tp, offset));
        }
        Ok(offsets)
    }

    /// An end of one partition; none if there is no such partition.
    fn offset(&self, tp: &Tp, at: At) -> Result<Option<i64>> {
        let (topic, partition) = tp;
        let doing = format!("looking for topic {topic}");
        let metadata = self.ask(&doing, |timeout| self.consumer.fetch_metadata(Some(topic), timeout))?;
        let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        if !partitions.any(|there| there.id() == *partition) {
            return Ok(None);
        }
        Ok(self.offsets([tp.clone()], at)?.get(tp))
    }

    /// Starts to fetch a partition from an offset on.
    pub(super) fn open(&self, tp: &Tp, from: i64) -> Result<Reader> {
        let (topic, partition) = tp;
        // Split off before it is assigned, so that no message of it goes elsewhere.
        let queue = self.consumer.split_partition_queue(topic, *partition);
        let mut queue = queue.ok_or_else(|| Error::internal(format!("no queue of {topic}/{partition}")))?;
        let news = self.news.clone();
        queue.set_nonempty_callback(move || news.notify_one());
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(topic, *partition, Offset::Offset(from))
            .and_then(|()| self.consumer.incremental_assign(&list))
            .map_err(|e| self.context().failed(&format!("starting to read {topic}/{partition}"), e))?;
        Ok(Reader {
            of: format!("{topic}/{partition}").into(),
            tp: tp.clone(),
            queue: Arc::new(queue),
            next: from,
            held: None,
            drained: true,
        })
    }
}

/// A place in a partition.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// The oldest message there is.
    Beginning,
    /// Behind the newest that may be read.
    End,
    /// The first message of this time or later, in milliseconds.
    Time(i64),
}

impl At {
    /// The broker takes its own special times for the ends.
    fn asked(self) -> Offset {
        match self {
            At::Beginning => Offset::Beginning,
            At::End => Offset::End,
            At::Time(millis) => Offset::Offset(millis.max(0)),
        }
    }
}

fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::UnknownTopic
                | Code::UnknownTopicId
        )
    )
}

/// Reads one partition.
pub(super) struct Reader {
    tp: Tp,
    /// `topic/partition`.
    pub(super) of: Arc<str>,
    queue: Arc<PartitionQueue<Context>>,
    /// What was read before this offset.
    next: i64,
    /// A message that came out of the queue too early.
    held: Option<OwnedMessage>,
    /// Whether nothing is in the queue, as far as is known: then something new is told to `news`.
    drained: bool,
}

/// Takes messages in; false if nobody wants any more.
pub(super) trait Take {
    fn take(&mut self, message: &impl Message, of: &Arc<str>) -> Result<bool>;

    /// Whether anybody wants more.
    fn is_wanted(&self) -> bool;
}

/// What came out of a queue.
enum Next<'q> {
    Message(BorrowedMessage<'q>),
    /// The end of the partition was announced; perhaps a while ago.
    End,
    Nothing,
}

impl Reader {
    /// Whether there may be messages that nobody has read, without waiting for any.
    pub(super) fn has_more(&mut self) -> bool {
        while self.held.is_none() && !self.drained {
            match self.queue.poll(Duration::ZERO) {
                Some(Ok(message)) => self.held = Some(message.detach()),
                Some(Err(_)) => {}
                None => self.drained = true,
            }
        }
        self.held.is_some()
    }

    /// Reads all messages of a span, in order.
    pub(super) fn read(&mut self, span: &Span, cluster: &Cluster, into: &mut impl Take) -> Result<()> {
        let mut fresh = false;
        if self.next != span.from {
            self.seek(span.from, cluster)?;
            fresh = true;
        }
        if let Some(held) = self.held.take() {
            if held.offset() >= span.to {
                self.next = span.to;
                self.held = Some(held);
                return Ok(());
            }
            self.next = held.offset() + 1;
            if !into.take(&held, &self.of)? {
                return Ok(());
            }
        }
        let mut quiet = Quiet::since(cluster);
        let queue = self.queue.clone();
        // What has gone by unseen is looked at before anything is waited for.
        let mut wait = Duration::ZERO;
        while self.next < span.to {
            match poll(&queue, wait, &mut self.drained) {
                Ok(Next::Message(message)) if message.offset() < self.next => {}
                Ok(Next::Message(message)) if message.offset() >= span.to => {
                    self.held = Some(message.detach());
                    self.next = span.to;
                }
                Ok(Next::Message(message)) => {
                    self.next = message.offset() + 1;
                    wait = Duration::ZERO;
                    quiet.over(cluster);
                    if !into.take(&message, &self.of)? {
                        return Ok(());
                    }
                }
                Ok(Next::End) if fresh => return self.end(span, cluster),
                Ok(Next::End) => quiet.announced = true,
                Ok(Next::Nothing) if !into.is_wanted() => return Ok(()),
                Ok(Next::Nothing) if self.passed(span.to, cluster) => self.next = span.to,
                Ok(Next::Nothing) => {
                    if quiet.wants_answer(cluster) {
                        // What was announced may have been the end before these messages came.
                        self.seek(self.next, cluster)?;
                        fresh = true;
                        quiet = Quiet::since(cluster);
                    }
                    wait = TICK;
                    quiet.bear(cluster)?;
                }
                Err(error) => {
                    quiet.bear(cluster)?;
                    self.lost(span, cluster, error)?;
                }
            }
        }
        Ok(())
    }

    /// Whether everything before `to` has gone by, that nobody gets to see included: marks of transactions.
    fn passed(&self, to: i64, cluster: &Cluster) -> bool {
        let Ok(positions) = cluster.consumer.position() else { return false };
        let (topic, partition) = &self.tp;
        let here = positions.find_partition(topic, *partition).map(|of| of.offset());
        matches!(here, Some(Offset::Offset(at)) if at >= to)
    }

    /// Starts to fetch from another offset.
    fn seek(&mut self, to: i64, cluster: &Cluster) -> Result<()> {
        let (topic, partition) = &self.tp;
        self.held = None;
        let doing = format!("going to offset {to} of {}", self.of);
        let sought = cluster.ask(&doing, |timeout| {
            match cluster.consumer.seek(topic, *partition, Offset::Offset(to), timeout) {
                // It has stopped to fetch, as it does where an offset is gone.
                Err(KafkaError::Seek(_)) => Ok(false),
                done => done.map(|()| true),
            }
        })?;
        if !sought {
            let mut list = TopicPartitionList::with_capacity(1);
            // The queue stays what it is: it belongs to the partition.
            list.add_partition_offset(topic, *partition, Offset::Offset(to))
                .and_then(|()| cluster.consumer.incremental_unassign(&list))
                .and_then(|()| cluster.consumer.incremental_assign(&list))
                .map_err(|e| cluster.context().failed(&doing, e))?;
        }
        self.drained = false;
        self.next = to;
        Ok(())
    }

    /// The partition ends before the span does, as far as messages go: fine if its offsets do not.
    fn end(&mut self, span: &Span, cluster: &Cluster) -> Result<()> {
        let end = cluster.offset(&self.tp, At::End)?;
        if end.is_some_and(|end| end >= span.to) {
            self.next = span.to;
            return Ok(());
        }
        loss(
            cluster,
            &self.of,
            self.next,
            span.to,
            &match end {
                Some(end) => format!("the partition ends at {end}: was the topic made anew?"),
                None => "the partition is gone: was the topic deleted?".to_owned(),
            },
        )?;
        self.next = span.to;
        Ok(())
    }

    /// The broker does not have what is to come next.
    fn lost(&mut self, span: &Span, cluster: &Cluster, error: KafkaError) -> Result<()> {
        if !is_gone(&error) && error.rdkafka_error_code() != Some(Code::AutoOffsetReset) {
            return Err(cluster.context().failed(&format!("reading {}", self.of), error));
        }
        let oldest = cluster.offset(&self.tp, At::Beginning)?;
        let end = cluster.offset(&self.tp, At::End)?;
        let oldest = match (oldest, end) {
            // It is there after all: the brokers were about to share out their partitions.
            (Some(oldest), Some(end)) if oldest <= self.next && self.next < end => {
                return self.seek(self.next, cluster);
            }
            (Some(oldest), _) if oldest > self.next => oldest,
            _ => return self.end(span, cluster),
        };
        loss(
            cluster,
            &self.of,
            self.next,
            span.to.min(oldest),
            &format!("the oldest that is there is {oldest}"),
        )?;
        if oldest < span.to {
            return self.seek(oldest, cluster);
        }
        self.next = span.to;
        Ok(())
    }
}

/// The next of a queue; an error is about what the partition has.
fn poll<'q>(queue: &'q PartitionQueue<Context>, wait: Duration, drained: &mut bool) -> KafkaResult<Next<'q>> {
    *drained = false;
    match queue.poll(wait) {
        Some(Ok(message)) => Ok(Next::Message(message)),
        Some(Err(KafkaError::PartitionEOF(_))) => Ok(Next::End),
        None => {
            *drained = true;
            Ok(Next::Nothing)
        }
        Some(Err(error)) if is_passing(&error) => Ok(Next::Nothing),
        Some(Err(error)) => Err(error),
    }
}

/// Whether the client tries again by itself.
fn is_passing(error: &KafkaError) -> bool {
    let known = error.rdkafka_error_code() == Some(Code::AutoOffsetReset) || is_gone(error);
    !known && kind_of(error) == Kind::Unavailable
}

/// Says what is lost, or fails.
pub(super) fn loss(cluster: &Cluster, of: &str, from: i64, to: i64, why: &str) -> Result<()> {
    let what = format!("{of}: offsets {from} to {} were to be read and are gone: {why}", to - 1);
    if cluster.fail_on_data_loss {
        return Err(Error::data(format!(
            "{what}; to go on behind what is lost, set `fail-on-data-loss = false`, or start with another checkpoint"
        )));
    }
    tracing::error!("{what}; going on behind them");
    Ok(())
}

/// A time without a message.
struct Quiet {
    since: Duration,
    /// Whether the end of the partition was announced in it.
    announced: bool,
    /// Whether it has become so long that it was warned of.
    warned: bool,
}

impl Quiet {
    fn since(cluster: &Cluster) -> Self {
        Quiet { since: cluster.clock.monotonic(), announced: false, warned: false }
    }

    /// A message has come.
    #[inline]
    fn over(&mut self, cluster: &Cluster) {
        self.announced = false;
        self.since = Duration::MAX;
        if std::mem::take(&mut self.warned) {
            cluster.context().answered();
        }
    }

    /// How long it has been; the first call after a message starts to count.
    fn length(&mut self, cluster: &Cluster) -> Duration {
        let now = cluster.clock.monotonic();
        if self.since == Duration::MAX {
            self.since = now;
        }
        now.saturating_sub(self.since)
    }

    /// Whether to ask anew for what is behind an end that was announced.
    fn wants_answer(&mut self, cluster: &Cluster) -> bool {
        self.announced && self.length(cluster) >= QUIET
    }

    /// Waits on, unless it has been too long.
    fn bear(&mut self, cluster: &Cluster) -> Result<()> {
        cluster.poll(Duration::ZERO);
        let length = self.length(cluster);
        if length >= PATIENCE {
            return Err(cluster.context().hopeless().unwrap_or_else(|| cluster.context().gone()));
        }
        if length >= PATIENCE / 5 {
            self.warned = true;
            cluster.context().waiting();
        }
        Ok(())
    }
}
