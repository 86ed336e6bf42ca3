//! One shard of a plugin's step in one epoch.

use super::{
    bind::Bound,
    groups,
    host::KeyedCall,
    run::Run,
    sort::{self, Sorter, UnitSize},
};
use crate::{
    ipc::{self, Decoder, Encoder},
    outcome,
    step::batching,
};
use async_trait::async_trait;
use engine::{
    Batching, EpochContext, Outbox, Partition, Piece, Result, ShardEntries, ShardWorker,
    keyed::{CallState, Migration, OldEntry, TimerClock, expire, old_entries, put_back, take_fired},
};
use std::sync::Arc;

/// Rows of an epoch may take one part in so many of what a guest's memory may have before they are sorted in files: with what is read
/// of these, and a unit on its way, a shard takes about as much as its guest.
const SHARE_OF_ROWS: usize = 2;

/// Takes the rows of its keys; the guest sees them once all have come.
pub(super) struct Worker {
    bound: Arc<Bound>,
    cx: EpochContext,
    rows: Sorter,
}

impl Worker {
    pub(super) fn new(bound: Arc<Bound>, cx: EpochContext) -> Self {
        let most = bound.settings.limits.memory / SHARE_OF_ROWS;
        let scratch = bound.plugin.0.core.scratch.clone();
        let rows = Sorter::new(&bound.settings.input, sort::Bound { most, scratch });
        Worker { bound, cx, rows }
    }

    /// Rewrites what an older version of the plugin kept.
    async fn migrate(&self, entries: &ShardEntries) -> Result<()> {
        for migration in self.bound.migrations(self.cx.epoch).iter() {
            let mut old = old_entries(&entries.open()?, migration)?;
            for part in old.chunks_mut(batching(&self.bound.settings.limits).target_rows) {
                self.rewrite(migration, part).await?;
            }
            put_back(&mut entries.open()?, &old)?;
        }
        Ok(())
    }

    async fn rewrite(&self, migration: &Migration, part: &mut [OldEntry]) -> Result<()> {
        let (bound, before) = (&self.bound, migration.before.spec());
        let now = bound.tables.at(migration.table)?;
        let rows = migration.before.before(part)?;
        let blame = |why: String| {
            let of = format!(
                "migrating its table `{}` from version {} to {}",
                before.name,
                before.version,
                now.spec().version
            );
            bound.blame(format!("epoch {}", self.cx.epoch), format!("{of}: {why}"))
        };
        let schema = ipc::encode_schema(rows.schema_ref())?;
        let entries = Encoder::new(rows.schema_ref())?.encode(&rows)?;
        let mut instance = bound.take().await.map_err(|fault| blame(fault.to_string()))?;
        let said = instance.migrate(&before.name, before.version, &schema, &entries).await;
        let said = said.map_err(|fault| blame(fault.to_string()))?;
        let answer = Decoder::new(now.stored())?;
        let made = outcome::decode(&answer, said, outcome::caps(&bound.settings.limits));
        let made = made.map_err(|fault| blame(fault.to_string()))?;
        let made = outcome::whole(answer.schema(), &made)?;
        if made.num_rows() != rows.num_rows() {
            return Err(blame(format!("it answers {} rows to {}", made.num_rows(), rows.num_rows())));
        }
        bound.instances.keep(instance);
        now.rewrite(&migration.before, part, &made)
    }

    /// Hands the timers of a clock to the guest whose time has come.
    async fn fire(&self, run: &mut Run<'_>, entries: &ShardEntries, clock: TimerClock) -> Result<()> {
        let reached = match clock {
            TimerClock::EventTime => self.cx.in_force.eviction.micros(),
            TimerClock::ProcessingTime => self.cx.now.0,
        };
        let fired = take_fired(&mut entries.open()?, clock, reached)?;
        for unit in groups::timer_units(clock, &fired, batching(&self.bound.settings.limits).target_rows) {
            run.work(unit).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ShardWorker for Worker {
    async fn on_piece(&mut self, input: usize, partition: Partition, piece: Piece) -> Result<()> {
        self.rows.add(input, partition, piece).await
    }

    async fn on_epoch_end(&mut self, entries: ShardEntries, out: &mut Outbox) -> Result<()> {
        self.migrate(&entries).await?;
        expire(&mut entries.open()?, &self.bound.tables, self.cx.now.0)?;
        let limits = &self.bound.settings.limits;
        let has_time = self.bound.by.has_event_time();
        let state = CallState::new(self.bound.tables.clone(), entries.clone(), &self.cx, has_time);
        let call = KeyedCall::new(state, limits)?;
        let Batching { target_rows, max_bytes, .. } = batching(limits);
        let (mut units, origins) =
            self.rows.take().units(UnitSize { rows: target_rows, bytes: max_bytes }).await?;
        let mut run = Run::new(&self.bound, &self.cx, call, origins, out)?;
        while let Some(unit) = units.next().await? {
            run.work(unit).await?;
        }
        for clock in [TimerClock::EventTime, TimerClock::ProcessingTime] {
            self.fire(&mut run, &entries, clock).await?;
        }
        run.end();
        Ok(())
    }
}
