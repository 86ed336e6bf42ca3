//! State and event time of a run: recalled at the start, committed with each epoch.

use super::Run;
use crate::{
    Epoch, Error, Kind, Result,
    checkpoint::StateRecord,
    event_time::{Seen, Times, Watermark},
    query::Step,
    shards::{States, Timeline},
    state::{StateFiles, StateTable},
    trigger::Trigger,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

impl Run<'_> {
    /// Takes back what was known after `last`; of nothing, if no epoch was ever committed.
    pub(super) async fn recall(&mut self, last: Option<Epoch>) -> Result<()> {
        let commit = match last {
            Some(epoch) => self.checkpoint.commit(epoch).await?,
            None => None,
        };
        let Some(commit) = commit else {
            self.write_layouts().await?;
            self.states = Arc::new(States::empty(&self.flow, self.key_groups));
            return Ok(());
        };
        let identities =
            commit.state.iter().map(|(step, record)| (step.clone(), record.of.clone())).collect();
        self.refuse_other_steps(&identities)?;
        self.identities = Some(identities);
        self.write_layouts().await?;
        self.watermarks = commit.watermarks;
        let files = commit.state.into_iter().map(|(step, record)| (step, record.files)).collect();
        let restored = States::restore(&self.flow, self.key_groups, self.checkpoint.store(), &files).await;
        self.states = match restored {
            Err(error) if error.kind() == Kind::Data => return Err(self.damaged(error, last).await?),
            restored => Arc::new(restored?),
        };
        Ok(())
    }

    async fn write_layouts(&self) -> Result<()> {
        for (_, name, step) in self.flow.keyed() {
            self.checkpoint.write_layout(name, &step.layout()).await?;
        }
        Ok(())
    }

    /// The error, with the epoch to go back to: the newest one before `last` whose state is whole.
    async fn damaged(&self, error: Error, last: Option<Epoch>) -> Result<Error> {
        let place = self.checkpoint.location();
        for epoch in self.checkpoint.committed().await?.into_iter().rev() {
            let Ok(Some(commit)) = self.checkpoint.commit(epoch).await else { continue };
            if Some(epoch) < last && self.is_whole(&commit.state).await {
                return Ok(error.while_doing(format!(
                    "the state after epoch {epoch} is whole: put the file back, or let the later epochs run again after `streamhost \
                     checkpoint reset {place} --to {epoch}`"
                )));
            }
        }
        Ok(error.while_doing(format!(
            "no older state in checkpoint {place} is whole either: put the file back, or start with another checkpoint"
        )))
    }

    async fn is_whole(&self, state: &BTreeMap<String, StateRecord>) -> bool {
        for (step, record) in state {
            if record.files.verify(self.checkpoint.store(), step, self.key_groups).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Whether an epoch without input has something to do: the watermark has risen, or it is time, and state waits for that.
    pub(super) fn time_has_work(&self, trigger: Trigger) -> Result<bool> {
        if trigger == Trigger::Once {
            return Ok(false);
        }
        let risen = self.watermarks.global > self.in_force.eviction;
        Ok((risen && self.flow.keyed().any(|(_, _, step)| step.timed()))
            || self.until_timer()?.is_some_and(|wait| wait.is_zero()))
    }

    /// How long it is until state has something to do at a time.
    fn until_timer(&self) -> Result<Option<Duration>> {
        let now = self.query.clock.now().0;
        let next = self.states.next_due(Timeline::ProcessingTime)?;
        Ok(next.map(|at| Duration::from_micros(at.saturating_sub(now).max(0) as u64)))
    }

    /// Comes when state has something to do because of the time.
    pub(super) async fn next_timer(&self) {
        match self.until_timer() {
            Ok(Some(wait)) => self.query.clock.sleep(wait).await,
            // What is wrong is found by who looks next.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Makes the state durable, and answers its files.
    pub(super) async fn commit_state(&mut self, epoch: Epoch) -> Result<BTreeMap<String, StateRecord>> {
        if !self.flow.remembers() {
            return Ok(BTreeMap::new());
        }
        self.refuse_too_much()?;
        let files = self.states.commit(self.checkpoint.store(), epoch, &self.run_id.replace('-', "")).await?;
        self.reached(epoch, Step::StateCommitted)?;
        let mut records = BTreeMap::new();
        for (_, name, step) in self.flow.keyed() {
            if let Some(files) = files.get(name) {
                let files = files.clone();
                records.insert(name.to_owned(), StateRecord { of: step.identity(), files });
            }
        }
        self.identities =
            Some(records.iter().map(|(step, record)| (step.clone(), record.of.clone())).collect());
        Ok(records)
    }

    /// Memory is bounded: more state than the query may have ends it, before anything of the epoch is stored.
    fn refuse_too_much(&self) -> Result<()> {
        let sizes =
            self.flow.keyed().filter_map(|(_, name, _)| Some((self.states.of(name).ok()?.size(), name)));
        let sizes: Vec<((u64, u64), &str)> = sizes.collect();
        let (all, most) =
            (sizes.iter().map(|((_, bytes), _)| bytes).sum::<u64>(), self.query.settings.max_state);
        let largest = sizes.into_iter().max_by_key(|((_, bytes), _)| *bytes);
        match largest {
            Some(((rows, bytes), name)) if all > most => Err(Error::data(format!(
                "the state of this query would take {all} bytes, and `max-state` is {most}; most of it, {bytes} bytes for {rows} \
                 entries, is of step `{name}`: raise `max-state`, or let entries leave by a watermark, a shorter delay or window, \
                 or fewer keys"
            ))),
            _ => Ok(()),
        }
    }

    /// State is of the step that made it: what is stored of one that groups otherwise would be taken for something else.
    pub(super) fn refuse_other_steps(&self, kept: &BTreeMap<String, String>) -> Result<()> {
        let now: BTreeMap<&str, _> = self.flow.keyed().map(|(_, name, step)| (name, step)).collect();
        let place = self.checkpoint.location();
        let remedy = "use another `checkpoint`, which starts from the beginning, or change it back; `streamhost checkpoint migrate` \
                      carries over what still fits";
        for (name, of) in kept {
            let what = match now.get(name.as_str()) {
                // A migration has said that the step is new, and begins with nothing.
                Some(_) if of.is_empty() => continue,
                Some(step) => match step.continues(of) {
                    Ok(true) => continue,
                    Ok(false) => format!(
                        "step `{name}` is now {}, but its state in checkpoint {place} was made by {of}",
                        step.identity()
                    ),
                    Err(error) => {
                        format!("step `{name}`: {}, and checkpoint {place} has state of it", error.report())
                    }
                },
                None => format!(
                    "checkpoint {place} has state of step `{name}`, {of}, which is gone from the pipeline"
                ),
            };
            return Err(Error::invalid(format!("{what}; {remedy}")));
        }
        match now.iter().find(|(name, _)| !kept.contains_key(**name)) {
            None => Ok(()),
            Some((name, step)) => Err(Error::invalid(format!(
                "step `{name}`, {}, is new: checkpoint {place} has no state of it, so it would know nothing of the rows before; {remedy}",
                step.identity()
            ))),
        }
    }

    /// Raises the watermarks by what the epoch saw, and answers the times it saw. `idle` sources hold none back.
    pub(super) fn watch_event_time(&mut self, idle: &[String]) -> Option<Times> {
        let mut all: Option<Times> = None;
        let mut seen = Vec::new();
        for (index, name, step) in self.flow.stateless() {
            let Some((delay, times)) = step.event_time() else { continue };
            if let Some(times) = times {
                all = Some(all.map_or(times, |all| all.and(times)));
            }
            let candidate = times.map(|times| Watermark(times.max.div_euclid(1000).saturating_sub(delay)));
            seen.push(Seen { name: name.to_owned(), candidate, idle: self.is_idle(index, idle) });
        }
        self.watermarks.advance(self.flow.policy, seen);
        all
    }

    /// Deletes the files of state that no kept epoch names.
    pub(super) async fn forget_state(&self) -> Result<()> {
        if !self.flow.remembers() {
            return Ok(());
        }
        let mut kept: BTreeMap<String, Vec<StateFiles>> = BTreeMap::new();
        for epoch in self.checkpoint.committed().await? {
            let commit = self.checkpoint.commit(epoch).await?;
            for (step, record) in commit.map(|commit| commit.state).into_iter().flatten() {
                kept.entry(step).or_default().push(record.files);
            }
        }
        for (step, files) in kept {
            StateTable::forget(self.checkpoint.store(), &step, &files).await?;
        }
        Ok(())
    }

    /// The continuous trigger has no end of an epoch at which state could be brought up to date.
    pub(super) fn refuse_state(&self) -> Result<()> {
        match self.flow.keyed().next() {
            None => Ok(()),
            Some((_, name, _)) => Err(Error::invalid(format!(
                "step `{name}` has state, which the continuous trigger cannot keep; use trigger = {{ processing-time = \"1s\" }}, or \"asap\""
            ))),
        }
    }
}
