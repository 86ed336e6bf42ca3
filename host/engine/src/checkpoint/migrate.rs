//! A checkpoint for a pipeline whose steps with state were changed.

use super::{Checkpoint, CommitRecord, Created, Resume, StateRecord, name::Name};
use crate::{
    Epoch, Error, Result, Timestamp,
    state::{KeyGroups, StateFiles, StateTable},
};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of the state of steps. That of a step which is not named stays.
#[derive(Clone, Debug, Default)]
pub struct Migration {
    /// A step's name → its new one.
    pub renamed: BTreeMap<String, String>,
    /// Steps whose state is left behind.
    pub forgotten: BTreeSet<String>,
    /// New steps, which begin with no state: they know nothing of the rows before.
    pub empty: BTreeSet<String>,
}

impl Checkpoint {
    /// Makes, in `to`, which is empty, the checkpoint of a query that goes on where this one has committed last: the same
    /// identity, so that sinks go on too, and the steps' state as `migration` says. Answers the epoch.
    ///
    /// A host that still runs on this checkpoint is replaced, so that it commits nothing more.
    pub async fn migrate(&self, to: &Checkpoint, migration: &Migration, at: Timestamp) -> Result<Epoch> {
        let metadata = self.metadata().await?.ok_or_else(|| {
            Error::invalid(format!("{} is no checkpoint: it has no file `metadata`", self.location()))
        })?;
        if to.metadata().await?.is_some() {
            return Err(Error::invalid(format!(
                "{} is a checkpoint already; name a directory that is not there yet",
                to.location()
            )));
        }
        to.know(&metadata);
        self.claim(std::process::id(), at).await?;
        let last = self.last_committed().await?;
        let commit =
            self.commit(last).await?.ok_or_else(|| Error::internal("a commit that was there is gone"))?;
        migration.fits(&commit.state)?;
        let state = self.carried(to, migration, &commit.state, metadata.key_groups, last).await?;
        for source in metadata.sources.keys() {
            self.copy_all(to, &format!("sources/{source}")).await?;
        }
        for epoch in self.planned().await? {
            written(to.write_offsets(epoch, &self.offsets(epoch).await?).await?, to)?;
        }
        written(to.write_commit(last, &CommitRecord { state, ..commit }).await?, to)?;
        // Only with this is it a checkpoint.
        written(to.write_metadata(&metadata).await?, to)?;
        Ok(last)
    }

    /// The last epoch, if it is committed: one that is not runs again with the steps that it was planned with.
    async fn last_committed(&self) -> Result<Epoch> {
        match self.resume().await? {
            Resume::Continue(last) => Ok(last),
            Resume::Fresh => Err(Error::invalid(format!(
                "checkpoint {} has no committed epoch, so there is nothing to carry over; start with a new one",
                self.location()
            ))),
            Resume::Replay { first, .. } => Err(Error::invalid(format!(
                "epoch {first} of checkpoint {} is planned and not committed: run the pipeline as it was once more, until it ends or \
                 is stopped, and migrate then",
                self.location()
            ))),
        }
    }

    /// Writes the state that stays, under its new names.
    async fn carried(
        &self,
        to: &Checkpoint,
        migration: &Migration,
        state: &BTreeMap<String, StateRecord>,
        groups: KeyGroups,
        last: Epoch,
    ) -> Result<BTreeMap<String, StateRecord>> {
        let mut carried = BTreeMap::new();
        for (step, record) in state.iter().filter(|(step, _)| !migration.forgotten.contains(*step)) {
            let name = migration.renamed.get(step).unwrap_or(step);
            let table = StateTable::restore(self.store(), step, groups, &record.files).await?;
            let copy = StateTable::new(name, groups);
            for group in 0..groups.count() {
                let mut into = copy.group(group)?;
                table.group(group)?.scan().try_for_each(|(key, value)| into.put(key, value))?;
            }
            let unique = uuid::Uuid::new_v4().simple().to_string();
            let files = copy.commit(to.store(), last, &unique).await?;
            if let Some(layout) = self.layout(step).await? {
                written(to.create(&Name::Layout { step: name.clone() }, &layout).await?, to)?;
            }
            carried.insert(name.clone(), StateRecord { of: record.of.clone(), files });
        }
        let nothing =
            |step: &String| (step.clone(), StateRecord { of: String::new(), files: StateFiles::default() });
        carried.extend(migration.empty.iter().map(nothing));
        Ok(carried)
    }

    async fn copy_all(&self, to: &Checkpoint, folder: &str) -> Result<()> {
        for name in self.store().list(folder).await? {
            let path = format!("{folder}/{name}");
            if let Some(record) = self.store().read(&path).await? {
                written(to.store().create(&path, record).await?, to)?;
            }
        }
        Ok(())
    }
}

impl Migration {
    /// Every name has to mean something, and no two states may come under one.
    fn fits(&self, state: &BTreeMap<String, StateRecord>) -> Result<()> {
        let there = || match state.is_empty() {
            true => "no step has any".into(),
            false => format!("there is that of {}", state.keys().cloned().collect::<Vec<_>>().join(", ")),
        };
        if let Some(name) = self.renamed.keys().chain(&self.forgotten).find(|name| !state.contains_key(*name))
        {
            return Err(Error::invalid(format!("there is no state of a step `{name}`; {}", there())));
        }
        let stay = state.keys().filter(|name| !self.forgotten.contains(*name));
        let names = stay.map(|name| self.renamed.get(name).unwrap_or(name)).chain(&self.empty);
        let mut taken = BTreeSet::new();
        for name in names {
            let odd = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
            if name.is_empty() || name.starts_with('.') || name.contains(odd) {
                return Err(Error::invalid(format!(
                    "{name:?} is no name of a step; a name has letters, digits, `-` and `_`"
                )));
            }
            if !taken.insert(name) {
                return Err(Error::invalid(format!("two steps would have the name `{name}`")));
            }
        }
        Ok(())
    }
}

fn written(created: Created, to: &Checkpoint) -> Result<()> {
    match created {
        Created::Won => Ok(()),
        Created::Lost => Err(Error::invalid(format!(
            "{} is not empty; name a directory that is not there yet",
            to.location()
        ))),
    }
}
