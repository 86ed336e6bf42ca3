//! State for people: what keyed steps remember, as tables.

use super::{Checkpoint, CommitRecord, StateRecord, name::Name};
use crate::{
    Epoch, Error, Result,
    operators::{Entries, Layout},
    sql::Rows,
    state::{KeyGroups, StateTable},
};

/// What one step remembered after an epoch.
#[derive(Debug)]
pub struct StepState {
    /// The step's name.
    pub step: String,
    /// What the step does, in words.
    pub of: String,
    /// Entries, of which there may be fewer than rows: the sessions of a key are one.
    pub entries: u64,
    /// Bytes that it takes in memory.
    pub bytes: u64,
    /// What it remembers.
    pub rows: Rows,
}

impl Checkpoint {
    /// Says what the state of a step is, unless that is said already. What was said of older tables of a plugin is said anew.
    pub(crate) async fn write_layout(&self, step: &str, layout: &Layout) -> Result<()> {
        let name = Name::Layout { step: step.to_owned() };
        if self.store().read(&name.path()).await?.is_some() {
            if !matches!(layout.entries, Entries::Tables { .. })
                || self.layout(step).await?.as_ref() == Some(layout)
            {
                return Ok(());
            }
            self.store().delete(&name.path()).await?;
        }
        // Another host that is first says the same.
        let _ = self.create(&name, layout).await?;
        Ok(())
    }

    /// What every step remembered after `epoch`, or after the last committed one.
    pub async fn state(&self, epoch: Option<Epoch>) -> Result<(Epoch, Vec<StepState>)> {
        let (epoch, commit) = self.committed_as(epoch).await?;
        let metadata = self.metadata().await?.ok_or_else(|| Error::internal("a commit without metadata"))?;
        let mut all = Vec::new();
        for (step, StateRecord { of, files }) in commit.state {
            let groups = metadata.key_groups;
            let table = StateTable::restore(self.store(), &step, groups, &files).await?;
            let rows = self.readable(&step, groups, &table).await?;
            all.push(StepState { entries: table.rows(), bytes: table.bytes(), step, of, rows });
        }
        Ok((epoch, all))
    }

    async fn committed_as(&self, epoch: Option<Epoch>) -> Result<(Epoch, CommitRecord)> {
        let kept = self.committed().await?;
        let place = self.location();
        let newest = kept.last().copied();
        let asked = epoch.or(newest).ok_or_else(|| {
            Error::invalid(format!("no epoch of checkpoint {place} is committed yet: there is no state"))
        })?;
        let commit = self.commit(asked).await?.ok_or_else(|| {
            let range = match (kept.first(), newest) {
                (Some(first), Some(last)) => format!("{first} to {last} are"),
                _ => "none is".into(),
            };
            Error::invalid(format!(
                "epoch {asked} is not among the committed ones that checkpoint {place} keeps; {range}"
            ))
        })?;
        Ok((asked, commit))
    }

    async fn readable(&self, step: &str, groups: KeyGroups, table: &StateTable) -> Result<Rows> {
        let layout = self.layout(step).await?.ok_or_else(|| {
            let name = Name::Layout { step: step.to_owned() };
            Error::data(format!(
                "{}/{} is missing: there is no telling what the state of step `{step}` is until the next start of the query writes it anew",
                self.location(),
                name.path()
            ))
        })?;
        let groups = (0..groups.count()).map(|group| table.group(group)).collect::<Result<Vec<_>>>()?;
        layout.table(groups.iter().flat_map(|group| group.scan()))
    }
}
