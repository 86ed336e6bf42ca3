//! What an epoch takes of some topics, and how it is read.

use super::{
    client::{Context, consumer},
    cluster::{At, Cluster},
    columns::ColumnPlan,
    decode::{Decoder, Rules},
    offsets::{Detail, Offsets, Span, Tp, between, kept, offsets_of, share_of},
    reader::{Take, loss},
    topics::Topics,
};
use crate::kafka::settings::{KafkaSettings, MinRows, Named, StartingOffset, StartingOffsets};
use engine::{Batch, Clock, Error, Offset, Planned, Range, Reach, Result, Wanted};
use rdkafka::{
    ClientConfig, Message, TopicPartitionList,
    consumer::{CommitMode, Consumer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, mpsc};

/// Bytes and messages that wait to be read, of all partitions together; a message has some hundred bytes beside its own.
const BYTES_AHEAD: usize = 64 << 20;
const MESSAGES_AHEAD: usize = 400_000;

/// Of so many partitions each has its share from the start on.
const FEW: usize = 16;

/// What threads that may block work with.
pub(super) struct Inner {
    pub(super) settings: KafkaSettings,
    pub(super) topics: Topics,
    pub(super) columns: ColumnPlan,
    pub(super) max_rows: Option<u64>,
    pub(super) config: ClientConfig,
    pub(super) of: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) news: Arc<Notify>,
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) reach: Option<Reach>,
    cluster: Option<Arc<Cluster>>,
    /// For how many partitions the consumer was made; 0: none was yet.
    shares: usize,
    /// The partitions to read, and when they were looked for.
    found: Option<(BTreeSet<Tp>, Duration)>,
    /// Whether it was settled where the query begins: what is found later is new.
    begun: bool,
    /// Where partitions start of which nothing was read.
    initial: Offsets,
    /// How far the partitions went when the last range was planned.
    newest: Option<Offset>,
    /// Partitions that were read, are gone, and were told of.
    gone: BTreeSet<Tp>,
    /// The columns that the plan looks at.
    pub(super) wanted: Option<Wanted>,
    /// What is there when the query starts, if it reads no further.
    cap: Option<Offsets>,
    /// When the last range was planned.
    planned: Option<Duration>,
    /// Since when there are rows that are too few.
    pub(super) held_back: bool,
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Whatever panicked left positions that were true.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The consumer, made when it is first needed.
    fn cluster(&self) -> Result<Arc<Cluster>> {
        let mut state = self.state();
        if let Some(cluster) = &state.cluster {
            return Ok(cluster.clone());
        }
        let mut config = self.config.clone();
        state.shares = state.shares.max(FEW);
        for (name, alias, value) in ahead(state.shares) {
            if config.get(name).is_none() && config.get(alias).is_none() {
                config.set(name, value.to_string());
            }
        }
        let cluster = Arc::new(Cluster {
            consumer: consumer(&config, Context::new(self.of.clone()))?,
            clock: self.clock.clone(),
            fail_on_data_loss: self.settings.fail_on_data_loss,
            follows: config.get("client.rack").is_some_and(|rack| !rack.is_empty()),
            news: self.news.clone(),
            readers: Mutex::default(),
        });
        state.cluster = Some(cluster.clone());
        Ok(cluster)
    }

    /// The partitions there are, and a consumer that has room for them. What it may fetch of each is settled when it is made.
    fn found(&self, known: &BTreeSet<Tp>) -> Result<(Arc<Cluster>, BTreeSet<Tp>)> {
        let cluster = self.cluster()?;
        cluster.poll(Duration::ZERO);
        let found = self.partitions(&cluster, known)?;
        let mut state = self.state();
        if found.len() <= state.shares {
            return Ok((cluster, found));
        }
        (state.cluster, state.shares) = (None, found.len().next_power_of_two());
        drop(state);
        Ok((self.cluster()?, found))
    }

    /// The partitions there are, looked for if that was long ago.
    fn partitions(&self, cluster: &Cluster, known: &BTreeSet<Tp>) -> Result<BTreeSet<Tp>> {
        let now = self.clock.monotonic();
        if let Some((found, at)) = &self.state().found
            && now.saturating_sub(*at) < self.settings.discovery_interval.0
        {
            return Ok(found.clone());
        }
        let found = self.topics.look(cluster, known)?;
        self.state().found = Some((found.clone(), now));
        Ok(found)
    }

    /// Where to begin with partitions of which nothing was read. Found out once, so that every plan starts there.
    fn begin(&self, cluster: &Cluster, new: BTreeSet<Tp>, first: bool) -> Result<Offsets> {
        let unknown: Vec<Tp> = {
            let state = self.state();
            new.iter().filter(|tp| state.initial.get(tp).is_none()).cloned().collect()
        };
        if !unknown.is_empty() {
            let at = |tp: &Tp| if first { self.starting_offset(tp) } else { Start::At(At::Beginning) };
            let (mut ends, mut given) = (BTreeMap::<u8, (At, Vec<Tp>)>::new(), Vec::new());
            for tp in unknown {
                match at(&tp) {
                    Start::Offset(offset) => given.push((tp, offset)),
                    Start::At(at) => ends.entry(order(at)).or_insert_with(|| (at, Vec::new())).1.push(tp),
                }
            }
            for (at, tps) in ends.into_values() {
                given.extend(cluster.offsets(tps, at)?.iter());
            }
            let mut state = self.state();
            given.into_iter().for_each(|(tp, offset)| state.initial.set(tp, offset));
        }
        self.state().begun = true;
        Ok(self.state().initial.only(|tp| new.contains(tp)))
    }

    fn starting_offset(&self, (topic, partition): &Tp) -> Start {
        match &self.settings.starting_offsets {
            StartingOffsets::Earliest => Start::At(At::Beginning),
            StartingOffsets::Latest => Start::At(At::End),
            StartingOffsets::Timestamp(time) => Start::At(At::Time(time.as_millisecond())),
            StartingOffsets::Offsets(all) => match all.get(topic).and_then(|of| of.get(partition)) {
                Some(StartingOffset::At(offset)) => Start::Offset(i64::try_from(*offset).unwrap_or(i64::MAX)),
                Some(StartingOffset::Named(Named::Latest)) => Start::At(At::End),
                Some(StartingOffset::Named(Named::Earliest)) | None => Start::At(At::Beginning),
            },
        }
    }

    /// Where the partitions of `from` end now, as far as they are still there.
    fn ends(&self, cluster: &Cluster, from: &Offsets, found: &BTreeSet<Tp>) -> Result<Offsets> {
        let there =
            |found: &BTreeSet<Tp>| from.partitions().intersection(found).cloned().collect::<Vec<Tp>>();
        match cluster.offsets(there(found), At::End) {
            Ok(end) => Ok(end),
            // Some may have gone since they were looked for.
            Err(error) => {
                let found = self.topics.look(cluster, &from.partitions())?;
                self.state().found = Some((found.clone(), self.clock.monotonic()));
                match found.is_superset(&from.partitions()) {
                    true => Err(error),
                    false => cluster.offsets(there(&found), At::End),
                }
            }
        }
    }

    /// Fails where partitions that were read are gone, or their ends have gone back; or says so, once.
    fn refuse_loss(&self, cluster: &Cluster, from: &Offsets, end: &Offsets) -> Result<()> {
        for (tp, next) in from.iter() {
            let of = format!("{}/{}", tp.0, tp.1);
            match end.get(&tp) {
                Some(end) if end < next => loss(
                    cluster,
                    &of,
                    end,
                    next,
                    &format!(
                        "the partition ends at {end}, and {next} was to be read next: was the topic made anew?"
                    ),
                )?,
                Some(_) => drop(self.state().gone.remove(&tp)),
                None if self.state().gone.contains(&tp) => {}
                None => {
                    loss(cluster, &of, next, next + 1, "the partition is gone: was the topic deleted?")?;
                    self.state().gone.insert(tp);
                }
            }
        }
        Ok(())
    }

    /// The beginnings of partitions that were made anew: their ends are before what was read of them.
    fn made_anew(&self, cluster: &Cluster, known: &Offsets, end: &Offsets) -> Result<Offsets> {
        let is_anew = |(tp, next): &(Tp, i64)| end.get(tp).is_some_and(|end| end < *next);
        cluster.offsets(known.iter().filter(is_anew).map(|(tp, _)| tp), At::Beginning)
    }

    /// Plans the next range.
    pub(super) fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let known = offsets_of(start)?;
        let (cluster, found) = self.found(&known.partitions())?;
        let first = start.is_none() && !self.state().begun;
        if first {
            self.topics.refuse_missing(&found, &self.settings.starting_offsets, &self.of)?;
        }
        let new: BTreeSet<Tp> = found.iter().filter(|tp| known.get(tp).is_none()).cloned().collect();
        let begun = self.begin(&cluster, new, first)?;
        let from: Offsets = known.iter().chain(begun.iter()).collect();
        let mut end = self.ends(&cluster, &from, &found)?;
        self.state().newest = Some(kept(&end)?);
        self.refuse_loss(&cluster, &from, &end)?;
        // Behind a loss that is to be borne: what is there now counts.
        let anew = self.made_anew(&cluster, &known, &end)?;
        let begun: Offsets = begun.iter().chain(anew.iter()).collect();
        let from = from.iter().chain(anew.iter()).collect::<Offsets>();
        let from: Offsets =
            from.iter().filter_map(|(tp, at)| end.get(&tp).map(|end| (tp, at.min(end)))).collect();
        self.open_readers(&cluster, &from)?;
        let reach = self.state().reach.unwrap_or(Reach::Endless);
        if reach != Reach::Endless {
            let cap = self.state().cap.get_or_insert_with(|| end.clone()).clone();
            end = end.only(|tp| from.get(tp).is_some());
            end = end
                .iter()
                .map(|(tp, at)| {
                    let least = from.get(&tp).unwrap_or(at);
                    let most = cap.get(&tp).unwrap_or(least);
                    (tp, at.min(most).max(least))
                })
                .collect();
        }
        self.range(start, &known, &from, &end, &begun, reach)
    }

    fn range(
        &self,
        start: Option<&Offset>,
        known: &Offsets,
        from: &Offsets,
        end: &Offsets,
        begun: &Offsets,
        reach: Reach,
    ) -> Result<Option<Planned>> {
        let there = between(from, end);
        // A start at "latest" is a position too: without a record of it, the next start would begin later, or skip what a topic has
        // that was made meanwhile. So is the beginning of a partition that was made anew.
        let is_anew = |(tp, at): (Tp, i64)| known.get(&tp).is_some_and(|known| known != at);
        let to_be_noted = begun.iter().any(is_anew)
            || start.is_none() && !matches!(self.settings.starting_offsets, StartingOffsets::Earliest);
        if there == 0 && !to_be_noted {
            self.state().held_back = false;
            return Ok(None);
        }
        if reach == Reach::Endless && !to_be_noted && self.waits_for_more(there) {
            return Ok(None);
        }
        let to = match self.max_rows {
            Some(limit) if reach != Reach::Once => share_of(limit, from, end),
            _ => end.clone(),
        };
        self.state().planned = Some(self.clock.monotonic());
        let (value_schema, key_schema) = self.columns.newest()?;
        let detail = Detail { from: begun.clone(), value_schema, key_schema };
        let backlog = between(&to, end);
        // A partition that is gone keeps its place: it may be back, and would else be new.
        let to: Offsets = known.iter().chain(to.iter()).collect();
        let range = Range { start: start.cloned(), end: kept(&to)?, detail: detail.value()? };
        Ok(Some(Planned { range, backlog }))
    }

    /// Whether so few rows are to wait for others. The first epoch does not.
    fn waits_for_more(&self, rows: u64) -> bool {
        let Some(MinRows { rows: least, max_delay }) = self.settings.min_per_trigger else { return false };
        let now = self.clock.monotonic();
        let mut state = self.state();
        let waited_long = state.planned.is_none_or(|at| now.saturating_sub(at) >= max_delay.0);
        state.held_back = rows < least && !waited_long;
        state.held_back
    }

    /// How far the partitions went when the last range was planned.
    pub(super) fn newest(&self) -> Option<Offset> {
        self.state().newest.clone()
    }

    /// Starts to fetch what is not fetched yet.
    fn open_readers(&self, cluster: &Cluster, from: &Offsets) -> Result<()> {
        from.iter().try_for_each(|(tp, at)| cluster.reader(&tp, at).map(drop))
    }

    /// Whether messages are at hand that no range has taken.
    pub(super) fn has_more(&self) -> bool {
        let Some(cluster) = self.state().cluster.clone() else { return false };
        let readers: Vec<_> = cluster.readers().values().cloned().collect();
        // One that is being read tells by itself.
        readers.iter().any(|reader| reader.try_lock().is_ok_and(|mut reader| reader.has_more()))
    }

    /// Reads a share of a range, and sends it on in batches.
    pub(super) fn read_share(&self, share: &[Span], rules: Rules, out: mpsc::Sender<Result<Batch>>) {
        let read = || {
            let cluster = self.cluster()?;
            let mut sending = Sending { decoder: Decoder::new(rules)?, out: &out };
            for span in share {
                let reader = cluster.reader(&span.tp, span.from)?;
                reader.lock().unwrap_or_else(PoisonError::into_inner).read(span, &cluster, &mut sending)?;
                if !sending.is_wanted() {
                    return Ok(());
                }
            }
            let last = sending.decoder.flush()?;
            last.map_or(Ok(()), |batch| sending.send(batch).map(drop))
        };
        if let Err(error) = read() {
            // Nobody listens any more: then nobody needs to know.
            let _ = out.blocking_send(Err(error));
        }
    }

    /// Tells the group how far the query is.
    pub(super) fn commit(&self, end: &Offsets) -> Result<()> {
        let cluster = self.cluster()?;
        let mut list = TopicPartitionList::new();
        let gone = self.state().gone.clone();
        for ((topic, partition), offset) in end.iter().filter(|(tp, _)| !gone.contains(tp)) {
            list.add_partition_offset(&topic, partition, rdkafka::Offset::Offset(offset))
                .map_err(|e| Error::internal("an offset that is none").caused_by(e))?;
        }
        if let Err(error) = cluster.consumer.commit(&list, CommitMode::Async) {
            tracing::warn!("{}: offsets of an epoch were not committed to the group: {error}", self.of);
        }
        Ok(())
    }
}

/// What a consumer of so many partitions may fetch ahead of each: settings of librdkafka with the other name that they have.
fn ahead(partitions: usize) -> [(&'static str, &'static str, usize); 3] {
    let bytes = (BYTES_AHEAD / partitions).max(64 << 10);
    [
        ("queued.max.messages.kbytes", "", bytes >> 10),
        ("queued.min.messages", "", (MESSAGES_AHEAD / partitions).clamp(100, 100_000)),
        ("fetch.message.max.bytes", "max.partition.fetch.bytes", bytes.min(1 << 20)),
    ]
}

enum Start {
    Offset(i64),
    At(At),
}

/// Places that are asked for together.
fn order(at: At) -> u8 {
    match at {
        At::Beginning => 0,
        At::End => 1,
        At::Time(_) => 2,
    }
}

/// Decodes messages and sends batches on.
struct Sending<'a> {
    decoder: Decoder,
    out: &'a mpsc::Sender<Result<Batch>>,
}

impl Sending<'_> {
    fn send(&self, batch: Batch) -> Result<bool> {
        Ok(self.out.blocking_send(Ok(batch)).is_ok())
    }
}

impl Take for Sending<'_> {
    #[inline]
    fn take(&mut self, message: &impl Message, of: &Arc<str>) -> Result<bool> {
        match self.decoder.push(message, of)? {
            None => Ok(true),
            Some(batch) => self.send(batch),
        }
    }

    fn is_wanted(&self) -> bool {
        !self.out.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_ahead_of_all_partitions_is_bounded_however_many_there_are() {
        for partitions in [1, 4, 16, 64, 256, 1024] {
            let [(_, _, kbytes), (_, _, messages), (_, _, fetch)] = ahead(partitions);
            assert!(partitions * (kbytes << 10) <= BYTES_AHEAD, "{partitions}");
            assert!(partitions * messages <= MESSAGES_AHEAD, "{partitions}");
            assert!(fetch <= kbytes << 10, "{partitions}");
        }
    }
}
