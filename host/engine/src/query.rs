//! The query: what it is made of, and how it starts again.

use crate::{
    Audit, CheckpointStore, Clock, Epoch, Kind, QueryId, Result,
    checkpoint::{Checkpoint, Resume},
    plan::Planner,
    progress::Progress,
    run::Run,
    trigger::Trigger,
};
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::watch;

/// How a query runs.
#[derive(Clone, Debug)]
pub struct QuerySettings {
    /// The pipeline's name.
    pub name: String,
    /// When an epoch starts.
    pub trigger: Trigger,
    /// Into how many partitions an epoch is divided at most. Results do not depend on it.
    pub parallelism: u32,
    /// How many epochs' records are kept.
    pub retain_epochs: u64,
    /// What happens after an `Unavailable` error.
    pub restart: Restart,
    /// How long a query that was asked to stop may take to finish its epoch.
    pub stop_timeout: Duration,
    /// Bytes of memory that the state of all steps together may take.
    pub max_state: u64,
}

/// What [`QuerySettings::max_state`] is unless somebody says otherwise.
pub const MAX_STATE: u64 = 1 << 30;

/// How often and how fast a query starts again after an `Unavailable` error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Tries in a row of which none committed an epoch, or found that there was nothing to do.
    pub attempts: u32,
    /// Wait before the first; doubled each time.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Restart {
    /// The wait after `failures` failures in a row, or none to give up.
    fn wait(self, failures: u32) -> Option<Duration> {
        (failures <= self.attempts).then(|| {
            let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20));
            doubled.min(self.longest)
        })
    }
}

/// A named point in the life of an epoch. After each of them a crash must lose nothing and double nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `offsets/n` is durable.
    Planned,
    /// Every row is in the sinks' writers.
    Ran,
    /// The state is durable; only a query with state comes here.
    StateCommitted,
    /// The sink of this index has committed.
    SinkCommitted(usize),
    /// `commits/n` is durable.
    Committed,
    /// The sources have released their ranges.
    Released,
}

/// Whoever wants to know how a query goes. Called from the query's own task: must be quick.
pub trait Observer: Send + Sync {
    /// An epoch is committed.
    fn progress(&self, _progress: &Progress) {}

    /// A query has started: its identity and the epoch it begins with.
    fn started(&self, _id: &QueryId, _resume: Resume) {}

    /// An epoch has come to a step. An error ends the query as if the process had died there: for crash tests.
    fn reached(&self, _epoch: Epoch, _step: Step) -> Result<()> {
        Ok(())
    }
}

/// Asks a query to stop: it finishes its epoch, commits, and returns.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A request to be made through the sender: `send(true)`. Dropping the sender is no request.
    pub fn channel() -> (watch::Sender<bool>, Stop) {
        let (sender, receiver) = watch::channel(false);
        (sender, Stop(receiver))
    }

    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn requested(&self) {
        if self.0.clone().wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A continuous job: sources, steps and sinks that a [`Planner`] makes, and the checkpoint that outlives them.
pub struct Query {
    /// How it runs.
    pub settings: QuerySettings,
    /// Makes its parts.
    pub planner: Arc<dyn Planner>,
    /// What it writes down.
    pub store: Arc<dyn CheckpointStore>,
    /// Its only clock.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// Who keeps a record of its epochs elsewhere.
    pub audit: Option<Arc<dyn Audit>>,
}

impl Query {
    /// Runs until the trigger ends it, `stop` is requested, or an error. Starts again after `Unavailable` errors, from
    /// the checkpoint as a new process would; but not before it has once worked, in this process or, if its trigger does not end it, as the
    /// checkpoint knows, in an earlier one. What never worked is more likely to be set wrongly than to be away for a moment, and who starts
    /// a query that ends by itself is told, and starts it again.
    pub async fn run(&self, stop: &Stop) -> Result<()> {
        let checkpoint = Checkpoint::new(self.store.clone());
        let mut owner = None;
        let mut failures = 0;
        let mut worked = false;
        loop {
            let advanced = AtomicBool::new(false);
            let ended = self.attempt(stop, &mut owner, &advanced).await;
            let advanced = advanced.into_inner();
            worked |= advanced;
            if !worked
                && !self.settings.trigger.ends()
                && matches!(&ended, Err(e) if e.kind() == Kind::Unavailable)
            {
                // What the checkpoint cannot be asked counts as no.
                worked = checkpoint.committed().await.is_ok_and(|epochs| !epochs.is_empty());
            }
            let error = match (ended, owner) {
                // The host that this one has replaced finished an epoch meanwhile: go on from there.
                (Err(e), Some(owner))
                    if e.kind() == Kind::Fenced && checkpoint.still_mine(owner).await.is_ok() =>
                {
                    continue;
                }
                (Err(e), _) if e.kind() == Kind::Unavailable && worked && !stop.is_requested() => e,
                (ended, _) => return ended,
            };
            failures = if advanced { 1 } else { failures + 1 };
            let Some(wait) = self.settings.restart.wait(failures) else { return Err(error) };
            tracing::warn!(error = error.report(), ?wait, "starting again from the checkpoint");
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                () = stop.requested() => return Err(error),
            }
        }
    }

    /// One start; `owner` is this host's number, once it has one.
    async fn attempt(&self, stop: &Stop, owner: &mut Option<u64>, advanced: &AtomicBool) -> Result<()> {
        let (mut run, resume) = tokio::select! {
            started = Run::start(self, owner, advanced) => started?,
            // A source may wait for rows to infer its columns from.
            () = stop.requested() => return Ok(()),
        };
        self.observer.started(run.id(), resume);
        let next = run.catch_up(resume, stop).await?;
        let ended = match self.settings.trigger {
            Trigger::Continuous(interval) => run.continuous(next, interval, stop).await,
            trigger => run.epochs(next, trigger, stop).await,
        };
        if ended.is_ok() {
            // Behind the last epoch there may have been nothing but rows that do not fit.
            run.warn_of_bad_rows(None);
        }
        ended
    }
}
