//! Reading ranges of partitions from a consumer that fetches ahead.

use super::{
    client::{Context, PATIENCE, kind_of},
    cluster::{At, Cluster, is_gone},
    offsets::{Span, Tp},
};
use engine::{Error, Kind, Result};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{Consumer, base_consumer::PartitionQueue},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
    message::{BorrowedMessage, OwnedMessage},
};
use std::{sync::Arc, time::Duration};

/// How long to wait for a message before looking around.
const TICK: Duration = Duration::from_millis(20);

/// How long nothing may come after the end of a partition was announced, before it is asked for anew.
const QUIET: Duration = Duration::from_millis(250);

/// How often a leader has to announce the end of a partition, each time to a new question and where it says itself that the end is
/// further on, before it is believed that no message is between the two.
const SURE: u32 = 4;

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
    pub(super) fn new(tp: &Tp, queue: PartitionQueue<Context>, from: i64) -> Self {
        Reader {
            of: format!("{}/{}", tp.0, tp.1).into(),
            tp: tp.clone(),
            queue: Arc::new(queue),
            next: from,
            held: None,
            drained: true,
        }
    }

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
                Ok(Next::End) if fresh => self.end(span, cluster, &mut quiet)?,
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
                    self.lost(span, cluster, error, &mut quiet)?;
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

    /// A broker says that the partition ends before the span does. That is so if nobody gets to see what is between: marks of
    /// transactions, and what was taken back. But a leader that is new, and a replica that follows one, announce an end that is
    /// too early until they have heard of the right one: then messages are still to come.
    fn end(&mut self, span: &Span, cluster: &Cluster, quiet: &mut Quiet) -> Result<()> {
        if self.passed(span.to, cluster) {
            self.next = span.to;
            return Ok(());
        }
        let end = cluster.offset(&self.tp, At::End)?;
        if let Some(end) = end.filter(|end| *end >= span.to) {
            quiet.ends += 1;
            if quiet.ends > SURE && !cluster.follows {
                self.next = span.to;
                return Ok(());
            }
            quiet.behind.get_or_insert_with(|| {
                format!(
                    "{}: a replica has nothing behind offset {}, and its leader goes on to {end}: it is behind",
                    self.of,
                    self.next - 1
                )
            });
            quiet.bear(cluster)?;
            return self.seek(self.next, cluster);
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
    fn lost(&mut self, span: &Span, cluster: &Cluster, error: KafkaError, quiet: &mut Quiet) -> Result<()> {
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
            _ => return self.end(span, cluster, quiet),
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
    /// How often it was announced too early, and what that means.
    ends: u32,
    behind: Option<String>,
    /// Whether it has become so long that it was warned of.
    warned: bool,
}

impl Quiet {
    fn since(cluster: &Cluster) -> Self {
        Quiet { since: cluster.clock.monotonic(), announced: false, ends: 0, behind: None, warned: false }
    }

    /// A message has come.
    #[inline]
    fn over(&mut self, cluster: &Cluster) {
        (self.announced, self.ends) = (false, 0);
        self.behind = None;
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
            if let Some(behind) = self.behind.take() {
                return Err(Error::new(Kind::Unavailable, behind));
            }
            return Err(cluster.context().hopeless().unwrap_or_else(|| cluster.context().gone()));
        }
        if length >= PATIENCE / 5 {
            self.warned = true;
            cluster.context().waiting();
        }
        Ok(())
    }
}
