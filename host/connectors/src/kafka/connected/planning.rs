//! What an epoch takes of some topics, and how it is read.

use super::{
    client::{Context, consumer},
    columns::ColumnPlan,
    decode::{Decoder, Rules},
    offsets::{Detail, Offsets, Span, Tp, between, kept, offsets_of, share_of},
    reader::{At, Cluster, Reader, Take, loss},
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

/// Bytes that wait to be read, of all partitions together; each has one fetch at least.
const FETCHED_AHEAD: usize = 64 << 20;

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
    readers: BTreeMap<Tp, Arc<Mutex<Reader>>>,
    /// The partitions to read, and when they were looked for.
    found: Option<(BTreeSet<Tp>, Duration)>,
    /// Where partitions start of which nothing was read.
    initial: Offsets,
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
        let partitions = state.found.as_ref().map_or(16, |(found, _)| found.len()).max(1);
        if config.get("queued.max.messages.kbytes").is_none() {
            config.set(
                "queued.max.messages.kbytes",
                ((FETCHED_AHEAD >> 10) / partitions).max(1024).to_string(),
            );
        }
        let cluster = Arc::new(Cluster {
            consumer: Arc::new(consumer(&config, Context::new(self.of.clone()))?),
            clock: self.clock.clone(),
            fail_on_data_loss: self.settings.fail_on_data_loss,
            news: self.news.clone(),
        });
        state.cluster = Some(cluster.clone());
        Ok(cluster)
    }

    /// The partitions there are, looked for if that was long ago.
    fn partitions(&self, cluster: &Cluster) -> Result<BTreeSet<Tp>> {
        let now = self.clock.monotonic();
        if let Some((found, at)) = &self.state().found
            && now.saturating_sub(*at) < self.settings.discovery_interval.0
        {
            return Ok(found.clone());
        }
        let found = self.topics.look(cluster)?;
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
                let found = self.topics.look(cluster)?;
                self.state().found = Some((found.clone(), self.clock.monotonic()));
                match found.is_superset(&from.partitions()) {
                    true => Err(error),
                    false => cluster.offsets(there(&found), At::End),
                }
            }
        }
    }

    /// Partitions that were read and are gone, and ends that have gone back.
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
                Some(_) => {}
                None => loss(cluster, &of, next, next + 1, "the partition is gone: was the topic deleted?")?,
            }
        }
        Ok(())
    }

    /// Plans the next range.
    pub(super) fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let cluster = self.cluster()?;
        cluster.poll(Duration::ZERO);
        let found = self.partitions(&cluster)?;
        let known = offsets_of(start)?;
        if start.is_none() {
            self.topics.refuse_missing(&found, &self.of)?;
        }
        let new: BTreeSet<Tp> = found.iter().filter(|tp| known.get(tp).is_none()).cloned().collect();
        let begun = self.begin(&cluster, new, start.is_none())?;
        let mut from: Offsets = known.iter().chain(begun.iter()).collect();
        let mut end = self.ends(&cluster, &from, &found)?;
        self.refuse_loss(&cluster, &from, &end)?;
        // Behind a loss that is to be borne: what is there now counts.
        from = from.iter().filter_map(|(tp, at)| end.get(&tp).map(|end| (tp, at.min(end)))).collect();
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
        // A start at "latest" is a position too: without a record of it, the next start would begin later.
        let to_be_noted = start.is_none()
            && !matches!(self.settings.starting_offsets, StartingOffsets::Earliest)
            && !from.is_empty();
        if there == 0 && !to_be_noted {
            self.state().held_back = false;
            return Ok(None);
        }
        if reach == Reach::Endless && there > 0 && self.waits_for_more(there) {
            return Ok(None);
        }
        let to = match self.max_rows {
            Some(limit) if reach != Reach::Once => share_of(limit, from, end),
            _ => end.clone(),
        };
        self.state().planned = Some(self.clock.monotonic());
        let (value_schema, key_schema) = self.columns.newest()?;
        let detail = Detail { from: begun.only(|tp| known.get(tp).is_none()), value_schema, key_schema };
        let backlog = between(&to, end);
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

    /// Starts to fetch what is not fetched yet.
    fn open_readers(&self, cluster: &Cluster, from: &Offsets) -> Result<()> {
        for (tp, at) in from.iter() {
            self.reader(cluster, &tp, at)?;
        }
        Ok(())
    }

    fn reader(&self, cluster: &Cluster, tp: &Tp, from: i64) -> Result<Arc<Mutex<Reader>>> {
        if let Some(reader) = self.state().readers.get(tp) {
            return Ok(reader.clone());
        }
        let reader = Arc::new(Mutex::new(cluster.open(tp, from)?));
        self.state().readers.insert(tp.clone(), reader.clone());
        Ok(reader)
    }

    /// Whether messages are at hand that no range has taken.
    pub(super) fn has_more(&self) -> bool {
        let readers: Vec<_> = self.state().readers.values().cloned().collect();
        // One that is being read tells by itself.
        readers.iter().any(|reader| reader.try_lock().is_ok_and(|mut reader| reader.has_more()))
    }

    /// Reads a share of a range, and sends it on in batches.
    pub(super) fn read_share(&self, share: &[Span], rules: Rules, out: mpsc::Sender<Result<Batch>>) {
        let read = || {
            let cluster = self.cluster()?;
            let mut sending = Sending { decoder: Decoder::new(rules)?, out: &out };
            for span in share {
                let reader = self.reader(&cluster, &span.tp, span.from)?;
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
        for ((topic, partition), offset) in end.iter() {
            list.add_partition_offset(&topic, partition, rdkafka::Offset::Offset(offset))
                .map_err(|e| Error::internal("an offset that is none").caused_by(e))?;
        }
        if let Err(error) = cluster.consumer.commit(&list, CommitMode::Async) {
            tracing::warn!("{}: offsets of an epoch were not committed to the group: {error}", self.of);
        }
        Ok(())
    }
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
