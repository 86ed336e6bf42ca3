//! One start of a query: the loop that plans, runs and commits epochs.

mod again;
mod audited;
mod continuous;
mod idle;
mod releases;
mod report;
mod sinks;
mod sources;
mod stateful;
mod tables;

use self::idle::Quiet;
use crate::{
    BadRows, Created, Epoch, EpochContext, Error, Kind, Offset, Partition, QueryId, Result, Timestamp,
    checkpoint::{Checkpoint, CommitRecord, Metadata, OffsetRecord, Ranges, Resume},
    dataflow::{EpochRun, Lanes},
    event_time::{InForce, Times, Watermarks},
    plan::{Dataflow, Input, NamedSource},
    progress::Phases,
    query::{Query, Step, Stop},
    shards::States,
    state::KeyGroups,
    trigger::{Trigger, until_tick},
};
use arrow::datatypes::SchemaRef;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// One start of a query.
pub(crate) struct Run<'q> {
    query: &'q Query,
    checkpoint: Checkpoint,
    id: QueryId,
    run_id: String,
    owner: u64,
    sources: Vec<NamedSource>,
    /// Where each source's next range starts.
    positions: BTreeMap<String, Offset>,
    /// The schemas that `flow` was made for.
    schemas: Vec<SchemaRef>,
    flow: Dataflow,
    lanes: Lanes,
    key_groups: KeyGroups,
    states: Arc<States>,
    /// What the state of each step was last committed as; none before that is known.
    identities: Option<BTreeMap<String, String>>,
    watermarks: Watermarks,
    /// What the last planned epoch runs with.
    in_force: InForce,
    /// When the last epoch was triggered.
    triggered: Option<Timestamp>,
    quiet: Quiet,
    /// When the epoch before the last one reported was triggered.
    reported: Option<Timestamp>,
    phases: Phases,
    /// The newest epoch that this run has committed, and the rows it read.
    committed: Option<(Epoch, u64)>,
    /// Event times of the last epoch.
    times: Option<Times>,
    backlog: BTreeMap<String, u64>,
    /// By source, those that nobody was warned of.
    bad_rows: BTreeMap<String, BadRows>,
    /// The steps of which it was said that they leave late rows out.
    lost: BTreeSet<String>,
    /// Set once an epoch is committed or there is none to run.
    advanced: &'q AtomicBool,
}

impl<'q> Run<'q> {
    pub(crate) async fn start(
        query: &'q Query,
        owner: &mut Option<u64>,
        advanced: &'q AtomicBool,
    ) -> Result<(Run<'q>, Resume)> {
        let checkpoint = Checkpoint::new(query.store.clone());
        let sources = query.planner.sources().await?;
        let read = sources.iter().map(|s| (s.name.clone(), s.source.facts().identity)).collect();
        let metadata = checkpoint.open(&query.settings.name, read).await?;
        let owner = match *owner {
            // A restart within the process must not push out a host that has taken over meanwhile.
            Some(number) => checkpoint.still_mine(number).await.map(|()| number)?,
            None => *owner.insert(checkpoint.claim(std::process::id(), query.clock.now()).await?),
        };
        for NamedSource { name, source, .. } in &sources {
            let history = checkpoint.history(name).await?;
            let restored = source.restore(history, query.settings.trigger.reach()).await;
            restored.map_err(|e| e.while_doing(format!("source `{name}`")))?;
        }
        let resume = checkpoint.resume().await?;
        let mut run = Run::new(query, checkpoint, metadata, owner, sources, advanced);
        run.pin_first(resume).await?;
        run.replan(&Ranges::new()).await?;
        run.recover_sinks(resume).await?;
        Ok((run, resume))
    }

    fn new(
        query: &'q Query,
        checkpoint: Checkpoint,
        metadata: Metadata,
        owner: u64,
        sources: Vec<NamedSource>,
        advanced: &'q AtomicBool,
    ) -> Run<'q> {
        Run {
            query,
            checkpoint,
            id: metadata.id,
            run_id: uuid::Uuid::new_v4().to_string(),
            owner,
            sources,
            positions: BTreeMap::new(),
            schemas: Vec::new(),
            flow: Dataflow::default(),
            lanes: Lanes::default(),
            key_groups: metadata.key_groups,
            states: Arc::default(),
            identities: None,
            watermarks: Watermarks::default(),
            in_force: InForce::default(),
            triggered: None,
            quiet: Quiet::default(),
            reported: None,
            phases: Phases::default(),
            committed: None,
            times: None,
            backlog: BTreeMap::new(),
            bad_rows: BTreeMap::new(),
            lost: BTreeSet::new(),
            advanced,
        }
    }

    /// Makes the steps and sinks for the schemas of these ranges, unless they are made for them already.
    async fn replan(&mut self, ranges: &Ranges) -> Result<()> {
        let schemas = self.schemas_of(ranges)?;
        if schemas != self.schemas || self.flow.sinks.is_empty() {
            self.flow = self.query.planner.dataflow(&schemas).await?;
            self.lanes = Lanes::default();
            self.schemas = schemas;
            if let Some(identities) = &self.identities {
                self.refuse_other_steps(identities)?;
            }
            self.tell_wanted();
        }
        Ok(())
    }

    fn tell_wanted(&self) {
        for (index, NamedSource { source, .. }) in self.sources.iter().enumerate() {
            source.want(self.flow.wanted(Input::Source(index)));
        }
    }

    fn schemas_of(&self, ranges: &Ranges) -> Result<Vec<SchemaRef>> {
        let schema = |NamedSource { name, source, .. }: &NamedSource| {
            let range = ranges.get(name).and_then(|ranges| ranges.last());
            source.schema(range).map_err(|e| e.while_doing(format!("source `{name}`")))
        };
        self.sources.iter().map(schema).collect()
    }

    /// The query's identity.
    pub(crate) fn id(&self) -> &QueryId {
        &self.id
    }

    /// Finishes what an earlier start has left, and answers the epoch to plan next.
    pub(crate) async fn catch_up(&mut self, resume: Resume, stop: &Stop) -> Result<Epoch> {
        match resume {
            Resume::Fresh => {
                self.recall(None).await?;
                Ok(Epoch(0))
            }
            Resume::Continue(last) => {
                // A crash may have come between the commit and the release.
                let record = self.checkpoint.offsets(last).await?;
                self.release(last, &record.sources).await?;
                self.positions = record.positions;
                self.in_force = record.watermarks;
                self.recall(Some(last)).await?;
                self.tell_of_last(last).await?;
                Ok(last.next())
            }
            Resume::Replay { first, last } => {
                self.recall(first.before()).await?;
                if let Some(last) = first.before() {
                    self.tell_of_last(last).await?;
                }
                for epoch in (first.0..=last.0).map(Epoch) {
                    if stop.is_requested() {
                        return Ok(epoch);
                    }
                    let record = self.checkpoint.offsets(epoch).await?;
                    self.positions.clone_from(&record.positions);
                    self.pin_again(&record, epoch.before()).await?;
                    self.warn_of_other_plugins(epoch, &record);
                    let late = self.too_late(stop, epoch);
                    self.audited(epoch, record, 1, late).await?;
                }
                self.pin_from(last).await?;
                Ok(last.next())
            }
        }
    }

    /// Of a replay by other code, some sinks may have the rows of the first code already.
    fn warn_of_other_plugins(&self, epoch: Epoch, record: &OffsetRecord) {
        let now: BTreeMap<String, String> = self.flow.digests().collect();
        let names: BTreeSet<&String> = record.plugins.keys().chain(now.keys()).collect();
        for name in names {
            let (then, now) = (record.plugins.get(name), now.get(name));
            if then != now {
                tracing::warn!(
                    epoch = epoch.0,
                    step = name,
                    ?then,
                    ?now,
                    "the plugin changed before this epoch was committed: sinks that have the epoch keep the old rows, the others get new ones"
                );
            }
        }
    }

    /// Epoch after epoch, as the trigger says.
    pub(crate) async fn epochs(&mut self, first: Epoch, trigger: Trigger, stop: &Stop) -> Result<()> {
        let mut epoch = first;
        loop {
            if self.wait_for_trigger(trigger, stop).await {
                return Ok(());
            }
            self.renew();
            let started = self.query.clock.monotonic();
            let ranges = tokio::select! {
                // A source may wait for rows while it plans.
                ranges = self.plan() => ranges?,
                () = stop.requested() => return Ok(()),
            };
            self.phases = Phases { latest_offset: self.millis_since(started), ..Phases::default() };
            let idle = self.idle(&ranges);
            self.watch_without(&idle);
            if ranges.is_empty() && !self.time_has_work(trigger)? {
                if trigger.ends() || self.have_ended().await || self.wait_for_data(trigger, stop).await {
                    return Ok(());
                }
                continue;
            }
            // Before anything is durable: what the steps and sinks refuse must not have to be replayed.
            let planning = self.query.clock.monotonic();
            self.replan(&ranges).await?;
            self.phases.query_planning = self.millis_since(planning);
            let mut record = OffsetRecord { idle, ..self.record(ranges) };
            record.tables = self.refresh_tables().await?;
            self.checkpoint.still_mine(self.owner).await?;
            let writing = self.query.clock.monotonic();
            if self.checkpoint.write_offsets(epoch, &record).await? == Created::Lost {
                return Err(self.checkpoint.fenced(&format!("it planned epoch {epoch} first")));
            }
            self.phases.wal_commit = self.millis_since(writing);
            self.triggered_now(record.time);
            let late = self.too_late(stop, epoch);
            self.audited(epoch, record, 0, late).await?;
            epoch = epoch.next();
            if trigger == Trigger::Once {
                return Ok(());
            }
        }
    }

    fn triggered_now(&mut self, at: Timestamp) {
        self.triggered = Some(at);
    }

    /// Waits for the next tick, if the trigger has ticks. True if a stop was requested.
    async fn wait_for_trigger(&self, trigger: Trigger, stop: &Stop) -> bool {
        if let Trigger::ProcessingTime(interval) = trigger {
            let wait = until_tick(interval, self.triggered, self.query.clock.now());
            tokio::select! {
                () = stop.requested() => return true,
                () = self.query.clock.sleep(wait) => {}
            }
        }
        stop.is_requested()
    }

    /// Waits until there may be data, or until the next tick is to be waited for. True if a stop was requested.
    fn record(&self, sources: Ranges) -> OffsetRecord {
        let mut positions = self.positions.clone();
        positions.extend(
            sources.iter().filter_map(|(name, ranges)| Some((name.clone(), ranges.last()?.end.clone()))),
        );
        OffsetRecord {
            time: self.query.clock.now(),
            partitions: self.query.settings.parallelism,
            plugins: self.flow.digests().collect(),
            releases: self.query.planner.releases(),
            positions,
            consumed: self.consumed(&sources),
            sources,
            tables: BTreeMap::new(),
            idle: Vec::new(),
            watermarks: InForce { late: self.in_force.eviction, eviction: self.watermarks.global },
        }
    }

    /// The sources of these ranges that cannot be read again after their release.
    fn consumed(&self, ranges: &Ranges) -> Vec<String> {
        let planned = self.sources.iter().filter(|s| ranges.contains_key(&s.name));
        let gone = planned.filter(|s| {
            let facts = s.source.facts();
            facts.consumes || !facts.replayable
        });
        gone.map(|s| s.name.clone()).collect()
    }

    /// Comes when an epoch has not ended `stop_timeout` after a stop was requested.
    fn too_late(&self, stop: &Stop, epoch: Epoch) -> impl Future<Output = Error> + use<> {
        let (clock, stop, timeout) =
            (self.query.clock.clone(), stop.clone(), self.query.settings.stop_timeout);
        async move {
            stop.requested().await;
            clock.sleep(timeout).await;
            Error::new(
                Kind::Unavailable,
                format!(
                    "epoch {epoch} was not finished {timeout:?} after the request to stop (`stop-timeout`); it is abandoned, and runs again at the next start"
                ),
            )
        }
    }

    /// What the steps may know of an epoch; its partition is filled in for each task.
    fn context(&self, epoch: Epoch, attempt: u32, record: &OffsetRecord) -> EpochContext {
        EpochContext {
            query: self.id.clone(),
            epoch,
            partition: Partition(0),
            attempt,
            in_force: record.watermarks,
            now: record.time,
        }
    }

    /// Runs a planned epoch and commits it.
    async fn epoch(&mut self, epoch: Epoch, record: OffsetRecord, attempt: u32) -> Result<()> {
        let started = self.query.clock.monotonic();
        self.reached(epoch, Step::Planned)?;
        self.replan(&record.sources).await?;
        self.hold_tables(&record, attempt).await?;
        self.in_force = record.watermarks;
        let context = self.context(epoch, attempt, &record);
        let (input, written, commit) = self.rows_to_sinks(&context, &record, true).await?;
        let committing = self.query.clock.monotonic();
        self.write_commit(epoch, commit).await?;
        self.reached(epoch, Step::Committed)?;
        self.release(epoch, &record.sources).await?;
        self.phases.commit_offsets += self.millis_since(committing);
        self.reached(epoch, Step::Released)?;
        self.report(&context, &record, &input, &written, started);
        self.warn_of_bad_rows(Some(epoch));
        Ok(())
    }

    /// Lets the rows of the record's ranges flow to the sinks, and commits the state and the sinks. Answers rows by source,
    /// rows by sink, and what there is to be committed.
    async fn rows_to_sinks(
        &mut self,
        context: &EpochContext,
        record: &OffsetRecord,
        marked: bool,
    ) -> Result<(Vec<u64>, Vec<u64>, CommitRecord)> {
        let started = self.query.clock.monotonic();
        let (writing, mut sinks) = self.begin_sinks(context, record.partitions, marked).await?;
        let run = EpochRun {
            sources: &self.sources,
            flow: &self.flow,
            lanes: &self.lanes,
            states: &self.states,
            max_state: self.query.settings.max_state,
            context: context.clone(),
            partitions: record.partitions.max(1),
            writing,
        };
        // With every sink's rows stored already there is nothing to run for, but to bring state up to date. How many rows the epoch
        // had only who committed it last would have written down.
        // What an earlier try has put out does not count.
        again::fingerprints(&self.flow);
        let (input, outputs) = if run.writing.iter().any(Option::is_some) || self.flow.remembers() {
            (run.run(&record.sources).await?, again::fingerprints(&self.flow))
        } else {
            (run.count_or_warn(&record.sources).await, BTreeMap::new())
        };
        let writing = run.writing;
        self.reached(context.epoch, Step::Ran)?;
        self.phases.add_batch += self.millis_since(started);
        let committing = self.query.clock.monotonic();
        let state = self.commit_state(context.epoch).await?;
        let written = self.commit_sinks(context.epoch, writing, &mut sinks).await?;
        self.phases.commit_offsets += self.millis_since(committing);
        for (named, range) in
            self.sources.iter().filter_map(|s| Some((s, record.sources.get(&s.name)?.last()?)))
        {
            self.positions.insert(named.name.clone(), range.end.clone());
        }
        let times = self.watch_event_time(&record.idle);
        let commit = CommitRecord {
            time: self.query.clock.now(),
            rows: input.iter().sum(),
            sinks,
            watermarks: self.watermarks.clone(),
            state,
            outputs,
        };
        self.times = times;
        Ok((input, written, commit))
    }

    async fn write_commit(&mut self, epoch: Epoch, record: CommitRecord) -> Result<()> {
        if self.checkpoint.write_commit(epoch, &record).await? == Created::Lost {
            return Err(self.checkpoint.fenced(&format!("it committed epoch {epoch} first")));
        }
        self.committed = Some((epoch, record.rows));
        self.advanced.store(true, Relaxed);
        Ok(())
    }

    fn reached(&self, epoch: Epoch, step: Step) -> Result<()> {
        self.query.observer.reached(epoch, step)
    }

    fn millis_since(&self, earlier: Duration) -> u64 {
        (self.query.clock.monotonic() - earlier).as_millis() as u64
    }
}

/// The work on an epoch, unless it is too late first.
async fn in_time<T>(
    too_late: impl Future<Output = Error>,
    epoch: Epoch,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        done = work => done.map_err(|e| e.while_doing(format!("epoch {epoch}"))),
        error = too_late => Err(error),
    }
}
