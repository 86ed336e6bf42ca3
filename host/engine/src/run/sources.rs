//! The sources of a start: waited for, planned and released.

use super::Run;
use crate::{Epoch, Planned, Result, checkpoint::Ranges, plan::NamedSource, query::Stop, trigger::Trigger};
use futures::{FutureExt, future::select_all};
use std::sync::atomic::Ordering::Relaxed;

impl Run<'_> {
    pub(super) async fn wait_for_data(&mut self, trigger: Trigger, stop: &Stop) -> bool {
        if matches!(trigger, Trigger::ProcessingTime(_)) {
            self.triggered_now(self.query.clock.now());
            return stop.is_requested();
        }
        tokio::select! {
            () = stop.requested() => true,
            () = any_source_ready(&self.sources) => false,
            () = self.next_idle() => false,
            () = self.next_timer() => false,
        }
    }

    /// Whether no source can ever have anything new again.
    pub(super) async fn have_ended(&self) -> bool {
        for named in &self.sources {
            if !named.source.has_ended().await {
                return false;
            }
        }
        true
    }

    /// What the next epoch reads; empty if nothing is new.
    pub(super) async fn plan(&mut self) -> Result<Ranges> {
        let mut ranges = Ranges::new();
        for NamedSource { name, source, .. } in &self.sources {
            let latest = source.latest(self.positions.get(name)).await;
            let Some(Planned { range, backlog }) =
                latest.map_err(|e| e.while_doing(format!("source `{name}`")))?
            else {
                continue;
            };
            self.backlog.insert(name.clone(), backlog);
            ranges.insert(name.clone(), vec![range]);
        }
        if ranges.is_empty() {
            // Everything outside was there, and nothing is left to be done: a failure after this is a new one.
            self.advanced.store(true, Relaxed);
        }
        Ok(ranges)
    }

    /// Lets the sources archive, and the checkpoint drop, what is no longer needed after `epoch`.
    pub(super) async fn release(&self, epoch: Epoch, ranges: &Ranges) -> Result<()> {
        self.release_ranges(ranges, Some(epoch)).await?;
        /// Listing the records on every epoch would cost more than the few files it finds.
        const EVERY: u64 = 16;
        if epoch.0 % EVERY == EVERY - 1 {
            let remembering = self.sources.iter().filter(|s| s.source.facts().needs_history);
            let names: Vec<&str> = remembering.map(|s| s.name.as_str()).collect();
            self.checkpoint.forget(epoch, self.query.settings.retain_epochs, &names).await?;
            self.forget_state().await?;
        }
        Ok(())
    }

    /// Releases ranges; a snapshot that a source gives is kept as one of everything up to `complete`.
    pub(super) async fn release_ranges(&self, ranges: &Ranges, complete: Option<Epoch>) -> Result<()> {
        for NamedSource { name, source, .. } in &self.sources {
            for range in ranges.get(name).into_iter().flatten() {
                let released = source.release(range).await;
                let snapshot = released.map_err(|e| e.while_doing(format!("source `{name}`")))?;
                if let (Some(snapshot), Some(epoch)) = (snapshot, complete) {
                    self.checkpoint.write_snapshot(name, epoch, snapshot).await?;
                }
            }
        }
        Ok(())
    }
}

pub(super) async fn any_source_ready(sources: &[NamedSource]) {
    if sources.is_empty() {
        return std::future::pending().await;
    }
    select_all(sources.iter().map(|s| s.source.wait().boxed())).await;
}
