//! One shard of a plugin's step in one epoch.

use super::{
    bind::Bound,
    groups::{self, Sent},
    host::KeyedCall,
    run::Run,
};
use crate::{ipc::Decoder, outcome, step::batching};
use async_trait::async_trait;
use engine::{
    EpochContext, Outbox, Partition, Piece, Result, ShardEntries, ShardWorker,
    keyed::{CallState, Migration, OldEntry, TimerClock, expire, old_entries, put_back, take_fired},
};
use std::sync::Arc;

/// Takes the rows of its keys; the guest sees them once all have come.
pub(super) struct Worker {
    bound: Arc<Bound>,
    cx: EpochContext,
    pieces: Vec<Sent>,
}

impl Worker {
    pub(super) fn new(bound: Arc<Bound>, cx: EpochContext) -> Self {
        Worker { bound, cx, pieces: Vec::new() }
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
        let mut instance = bound.instances.take().await.map_err(|fault| blame(fault.to_string()))?;
        let said = instance.migrate(migration, &rows).await.map_err(|fault| blame(fault.to_string()))?;
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
        self.pieces.push(Sent { from: (input, partition), piece });
        Ok(())
    }

    async fn on_epoch_end(&mut self, entries: ShardEntries, out: &mut Outbox) -> Result<()> {
        self.migrate(&entries).await?;
        expire(&mut entries.open()?, &self.bound.tables, self.cx.now.0)?;
        let limits = &self.bound.settings.limits;
        let has_time = self.bound.by.has_event_time();
        let state = CallState::new(self.bound.tables.clone(), entries.clone(), &self.cx, has_time);
        let call = KeyedCall::new(state, limits)?;
        let mut run = Run::new(&self.bound, &self.cx, call, out)?;
        let target = batching(limits).target_rows;
        for unit in groups::units(std::mem::take(&mut self.pieces), &self.bound.settings.input, target)? {
            run.work(unit).await?;
        }
        for clock in [TimerClock::EventTime, TimerClock::ProcessingTime] {
            self.fire(&mut run, &entries, clock).await?;
        }
        run.end();
        Ok(())
    }
}
