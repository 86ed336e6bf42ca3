//! Sources that have been quiet for so long that nobody waits for their rows.
//!
//! Which they are is decided when an epoch is planned, and in its record, so that a replay decides the same. A restart waits
//! anew; as watermarks only rise, nothing is taken back by that.

use super::Run;
use crate::{checkpoint::Ranges, event_time::Seen, plan::NamedSource};
use std::{collections::BTreeMap, time::Duration};

/// Since when each source had nothing new, by the monotonic clock.
#[derive(Default)]
pub(super) struct Quiet(BTreeMap<String, Duration>);

impl Run<'_> {
    /// The sources that are idle now, if these ranges are all that is new.
    pub(super) fn idle(&mut self, ranges: &Ranges) -> Vec<String> {
        let now = self.query.clock.monotonic();
        let mut idle = Vec::new();
        for NamedSource { name, idle_after, .. } in &self.sources {
            let Some(idle_after) = idle_after else { continue };
            let since = self.quiet.0.entry(name.clone()).or_insert(now);
            if ranges.contains_key(name) {
                *since = now;
            } else if now.saturating_sub(*since) >= *idle_after {
                idle.push(name.clone());
            }
        }
        idle
    }

    /// Comes when a source becomes idle that is not yet.
    pub(super) async fn next_idle(&self) {
        let now = self.query.clock.monotonic();
        let left = self.sources.iter().filter_map(|NamedSource { name, idle_after, .. }| {
            let quiet = now.saturating_sub(*self.quiet.0.get(name)?);
            idle_after.as_ref()?.checked_sub(quiet).filter(|left| !left.is_zero())
        });
        match left.min() {
            Some(left) => self.query.clock.sleep(left).await,
            None => std::future::pending().await,
        }
    }

    /// Raises the watermark to where it is without those of idle sources.
    pub(super) fn watch_without(&mut self, idle: &[String]) {
        if idle.is_empty() {
            return;
        }
        let watermarks = self.flow.stateless().filter(|(_, _, step)| step.event_time().is_some());
        let seen: Vec<Seen> = watermarks
            .map(|(index, name, _)| Seen {
                name: name.to_owned(),
                candidate: None,
                idle: self.is_idle(index, idle),
            })
            .collect();
        self.watermarks.advance(self.flow.policy, seen);
    }

    /// Whether all rows of a step are of idle sources.
    pub(super) fn is_idle(&self, step: usize, idle: &[String]) -> bool {
        let name = |source: usize| self.sources.get(source).map(|source| &source.name);
        self.flow.sources_above(step).into_iter().all(|source| name(source).is_some_and(|n| idle.contains(n)))
    }
}
