//! Which versions of plugins an epoch runs with: those that it first ran with, and between epochs newer ones.

use super::Run;
use crate::{
    Epoch, Result,
    checkpoint::{OffsetRecord, Ranges, Resume},
    plan::{Dataflow, Renewed, Work},
    release::Releases,
};

impl Run<'_> {
    /// Before the first plan is made: what the first epoch that runs needs, or the last one that ran.
    pub(super) async fn pin_first(&mut self, resume: Resume) -> Result<()> {
        let (releases, exact) = match resume {
            Resume::Fresh => (Releases::new(), false),
            Resume::Continue(last) => (self.checkpoint.offsets(last).await?.releases, false),
            Resume::Replay { first, .. } => (self.checkpoint.offsets(first).await?.releases, true),
        };
        self.query.planner.pin(&releases, exact).await.map(drop)
    }

    /// Before an epoch runs again: its own plugins, whatever ran last. `done` is the last committed epoch.
    pub(super) async fn pin_again(&mut self, record: &OffsetRecord, done: Option<Epoch>) -> Result<()> {
        if self.query.planner.pin(&record.releases, true).await? {
            self.make_anew(&record.sources, done).await?;
        }
        Ok(())
    }

    /// Once all has run again: from the last epoch's plugins on, as the pipeline says.
    pub(super) async fn pin_from(&mut self, last: Epoch) -> Result<()> {
        let releases = self.checkpoint.offsets(last).await?.releases;
        if self.query.planner.pin(&releases, false).await? {
            self.make_anew(&Ranges::new(), Some(last)).await?;
        }
        Ok(())
    }

    async fn make_anew(&mut self, ranges: &Ranges, done: Option<Epoch>) -> Result<()> {
        self.flow = Dataflow::default();
        self.replan(ranges).await?;
        if self.flow.remembers() {
            // What a version keeps in memory of its state is not another's.
            self.recall(done).await?;
        }
        self.open_sinks(done).await
    }

    /// Between two epochs: puts steps that are ready in the place of those that they are newer versions of.
    pub(super) fn renew(&mut self) {
        let renewed = self.query.planner.renewed();
        if renewed.is_empty() {
            return;
        }
        for Renewed { name, work } in renewed {
            for (index, named) in self.flow.steps.iter_mut().enumerate() {
                if named.name == name && takes_the_place(&named.work, &work) {
                    named.work = work.clone();
                    self.lanes.forget(index);
                }
            }
        }
        // The newer ones may look at other columns.
        self.tell_wanted();
    }
}

fn takes_the_place(old: &Work, new: &Work) -> bool {
    match (old, new) {
        (Work::Stateless(_), Work::Stateless(_)) => true,
        (Work::Keyed(old), Work::Keyed(new)) => old.identity() == new.identity(),
        _ => false,
    }
}
