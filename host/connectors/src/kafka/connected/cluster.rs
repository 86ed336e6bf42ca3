//! A consumer, and what is asked of the brokers by it.

use super::{
    client::{Closing, Context, insist},
    offsets::{Offsets, Tp},
    reader::Reader,
};
use engine::{Clock, Error, Result};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::Consumer,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
    topic_partition_list::TopicPartitionListElem as Element,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// A consumer of some partitions, and what is common to all that read from it.
pub(super) struct Cluster {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fail_on_data_loss: bool,
    /// Whether messages may come from a replica that follows the leader, and learns later than it where a partition ends.
    pub(super) follows: bool,
    /// Told when messages come in.
    pub(super) news: Arc<Notify>,
    pub(super) readers: Mutex<Readers>,
    /// Behind the readers, which hold it too.
    pub(super) consumer: Closing,
}

/// Those of the partitions that are fetched.
pub(super) type Readers = BTreeMap<Tp, Arc<Mutex<Reader>>>;

impl Cluster {
    pub(super) fn context(&self) -> &Context {
        self.consumer.client().context()
    }

    pub(super) fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves what the client calls back. Messages never come this way.
    pub(super) fn poll(&self, timeout: Duration) {
        let _ = self.consumer.poll(timeout);
    }

    /// Asks the brokers until they answer, for as long as there is hope.
    pub(super) fn ask<T>(&self, doing: &str, ask: impl Fn(Duration) -> KafkaResult<T>) -> Result<T> {
        insist(self.context(), &*self.clock, doing, |timeout| self.poll(timeout), ask)
    }

    /// The partitions of a topic; none if there is no such topic. A broker that does not know yet, or may not say, does not answer
    /// by that that there is none.
    pub(super) fn partitions(&self, topic: &str) -> Result<Vec<i32>> {
        self.ask(&format!("looking for topic {topic}"), |timeout| self.partitions_of(topic, timeout))
    }

    fn partitions_of(&self, topic: &str, timeout: Duration) -> KafkaResult<Vec<i32>> {
        let metadata = self.consumer.fetch_metadata(Some(topic), timeout)?;
        let error = metadata.topics().iter().find_map(|of| of.error()).map(Code::from);
        if let Some(code) = error.filter(|code| !is_gone_code(*code)) {
            return Err(KafkaError::MetadataFetch(code));
        }
        Ok(metadata.topics().iter().flat_map(|of| of.partitions()).map(|of| of.id()).collect())
    }

    /// The offsets of these partitions at an end, or at a time in milliseconds; for a time behind the last message, the end. Those of
    /// partitions that are gone are left out.
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
            answered.elements().iter().try_for_each(|element| self.settled(element, timeout))?;
            Ok(answered)
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

    /// Whether the answer about a partition is one. A broker that has just started may say that it does not have the partition that it is
    /// to have; who knows is who has the metadata.
    fn settled(&self, element: &Element<'_>, timeout: Duration) -> KafkaResult<()> {
        match element.error() {
            Err(error) if !is_gone(&error) => Err(error),
            Err(_) if self.partitions_of(element.topic(), timeout)?.contains(&element.partition()) => {
                Err(KafkaError::OffsetFetch(Code::LeaderNotAvailable))
            }
            _ => Ok(()),
        }
    }

    /// An end of one partition; none if there is no such partition.
    pub(super) fn offset(&self, tp: &Tp, at: At) -> Result<Option<i64>> {
        match self.partitions(&tp.0)?.contains(&tp.1) {
            true => Ok(self.offsets([tp.clone()], at)?.get(tp)),
            false => Ok(None),
        }
    }

    /// What reads a partition; if nothing does, it is fetched from an offset on.
    pub(super) fn reader(&self, tp: &Tp, from: i64) -> Result<Arc<Mutex<Reader>>> {
        if let Some(reader) = self.readers().get(tp) {
            return Ok(reader.clone());
        }
        let reader = Arc::new(Mutex::new(self.open(tp, from)?));
        self.readers().insert(tp.clone(), reader.clone());
        Ok(reader)
    }

    fn open(&self, tp: &Tp, from: i64) -> Result<Reader> {
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
        Ok(Reader::new(tp, queue, from))
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

/// Whether it says that something is not there.
pub(super) fn is_gone(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(is_gone_code)
}

fn is_gone_code(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::UnknownTopic | Code::UnknownTopicId
    )
}
