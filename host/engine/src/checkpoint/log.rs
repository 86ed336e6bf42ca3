use super::{
    CheckpointStore, Created,
    name::Name,
    record::{CommitRecord, Metadata, OffsetRecord, Owner, Resume},
};
use crate::{Epoch, Error, History, Kind, QueryId, Result, Timestamp, state::KeyGroups};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

/// The records of one query in their store, by meaning instead of by name.
#[derive(Clone)]
pub struct Checkpoint {
    pub(super) store: Arc<dyn CheckpointStore>,
    /// The metadata as it was read or written last: every other record says whose it is.
    pub(super) known: Arc<Mutex<Option<Metadata>>>,
}

/// What a checkpoint says about itself, for `streamhost checkpoint show`.
pub struct EpochSummary {
    /// The epoch.
    pub epoch: Epoch,
    /// Its plan, unless it was dropped as too old.
    pub offsets: Option<OffsetRecord>,
    /// Its commit, if it got that far.
    pub commit: Option<CommitRecord>,
    /// Bytes of both records.
    pub bytes: u64,
}

impl Checkpoint {
    /// The checkpoint in `store`.
    pub fn new(store: Arc<dyn CheckpointStore>) -> Self {
        Checkpoint { store, known: Arc::default() }
    }

    /// What holds its records.
    pub(crate) fn store(&self) -> &dyn CheckpointStore {
        &*self.store
    }

    /// Where it is, for messages.
    pub fn location(&self) -> String {
        self.store.location()
    }

    /// The metadata; made from `name` and `sources` if there is none. A checkpoint of other sources is refused: their
    /// offsets would be applied to the wrong data.
    pub async fn open(&self, name: &str, sources: BTreeMap<String, String>) -> Result<Metadata> {
        let fresh = Metadata {
            id: QueryId::random(),
            former: Vec::new(),
            name: name.to_owned(),
            sources,
            key_groups: KeyGroups::default(),
        };
        if self.metadata().await?.is_none() && self.write_metadata(&fresh).await? == Created::Won {
            return Ok(fresh);
        }
        let kept: Metadata = self
            .metadata()
            .await?
            .ok_or_else(|| Error::new(Kind::Unavailable, "the checkpoint's metadata was removed"))?;
        self.refuse_other_sources(&kept, &fresh.sources)?;
        Ok(kept)
    }

    fn refuse_other_sources(&self, kept: &Metadata, asked: &BTreeMap<String, String>) -> Result<()> {
        if kept.sources == *asked {
            return Ok(());
        }
        let list = |sources: &BTreeMap<String, String>| {
            sources.iter().map(|(name, what)| format!("{name} = {what}")).collect::<Vec<_>>().join(", ")
        };
        Err(Error::invalid(format!(
            "checkpoint {} belongs to pipeline `{}` with the sources {}, but this pipeline has {}; use another `checkpoint` directory, or put the old sources back; if the same input has only moved, correct `sources` in the checkpoint's file `metadata`",
            self.location(),
            kept.name,
            list(&kept.sources),
            list(asked),
        )))
    }

    /// Registers a start; the answer is this host's number among them.
    pub async fn claim(&self, pid: u32, started: Timestamp) -> Result<u64> {
        loop {
            let number = self.newest_owner().await?.map_or(0, |k| k + 1);
            let owner = Owner { pid, started };
            if self.create(&Name::Owner { number }, &owner).await? == Created::Won {
                if let Some(number) = number.checked_sub(2) {
                    self.store.delete(&Name::Owner { number }.path()).await?;
                }
                return Ok(number);
            }
        }
    }

    /// Refuses to go on if a later host has started. An early exit only: what fences for good is that commits are
    /// created only if absent.
    pub async fn still_mine(&self, number: u64) -> Result<()> {
        match self.newest_owner().await? {
            Some(newest) if newest > number => Err(self.fenced("a later start has taken over")),
            _ => Ok(()),
        }
    }

    /// The error of a host that was replaced.
    pub fn fenced(&self, why: &str) -> Error {
        Error::new(
            Kind::Fenced,
            format!(
                "another host runs this query on checkpoint {}: {why}; nothing of this host's epoch was published twice. Keep one of the two",
                self.location()
            ),
        )
    }

    async fn newest_owner(&self) -> Result<Option<u64>> {
        Ok(self.numbers("owners").await?.last().copied())
    }

    /// The epochs that have an offset record, ascending.
    pub async fn planned(&self) -> Result<Vec<Epoch>> {
        Ok(self.numbers("offsets").await?.into_iter().map(Epoch).collect())
    }

    /// The epochs that have a commit record, ascending.
    pub async fn committed(&self) -> Result<Vec<Epoch>> {
        Ok(self.numbers("commits").await?.into_iter().map(Epoch).collect())
    }

    /// The plans that still count, oldest first: of the last committed epoch, and of all after it.
    pub async fn in_force(&self) -> Result<Vec<OffsetRecord>> {
        let committed = self.committed().await?.last().copied();
        let mut records = Vec::new();
        for epoch in self.planned().await?.into_iter().filter(|epoch| Some(*epoch) >= committed) {
            records.push(self.offsets(epoch).await?);
        }
        Ok(records)
    }

    /// What a start has to do.
    pub async fn resume(&self) -> Result<Resume> {
        // Commits first: an epoch planned and committed in between shows as planned only, and is found stored.
        let commit = self.committed().await?.last().copied();
        let offset = self.planned().await?.last().copied();
        Resume::decide(offset, commit)
    }

    /// What is known of a source: its newest snapshot and the ranges planned after it.
    pub async fn history(&self, source: &str) -> Result<History> {
        let snapshot = self.snapshots(source).await?.last().copied();
        let mut history = History::default();
        if let Some(epoch) = snapshot {
            history.snapshot = self.snapshot(source, epoch).await?;
        }
        for epoch in self.planned().await? {
            if snapshot.is_none_or(|s| epoch > s) {
                history.ranges.extend(self.offsets(epoch).await?.sources.remove(source).unwrap_or_default());
            }
        }
        Ok(history)
    }

    /// Keeps a source's snapshot, which speaks of every epoch up to `epoch`.
    pub async fn write_snapshot(&self, source: &str, epoch: Epoch, snapshot: Bytes) -> Result<()> {
        // A snapshot of this epoch by an earlier try says the same.
        let _ = self.create_snapshot(source, epoch, &snapshot).await?;
        let all = self.snapshots(source).await?;
        for epoch in all.into_iter().rev().skip(2) {
            let old = Name::Snapshot { source: source.to_owned(), epoch };
            self.store.delete(&old.path()).await?;
        }
        Ok(())
    }

    pub(super) async fn snapshots(&self, source: &str) -> Result<Vec<Epoch>> {
        Ok(self.numbers(&format!("sources/{source}")).await?.into_iter().map(Epoch).collect())
    }

    /// Drops the records of epochs that are `retain` or more behind `newest`, but none with a range that a source in
    /// `remembering` still needs: one after the older of its two kept snapshots.
    pub async fn forget(&self, newest: Epoch, retain: u64, remembering: &[&str]) -> Result<()> {
        let below = newest.0.saturating_sub(retain.saturating_sub(1));
        let mut covered = Vec::with_capacity(remembering.len());
        for source in remembering {
            covered.push((*source, self.snapshots(source).await?.first().copied()));
        }
        let mut needed = BTreeSet::new();
        for epoch in self.planned().await?.into_iter().take_while(|e| e.0 < below) {
            if self.is_needed(epoch, &covered).await? {
                needed.insert(epoch.0);
            }
        }
        for folder in ["offsets", "commits"] {
            let old = self.numbers(folder).await?.into_iter().take_while(|n| *n < below);
            for old in old.filter(|n| !needed.contains(n)) {
                self.store.delete(&format!("{folder}/{old}")).await?;
            }
        }
        Ok(())
    }

    /// Whether an epoch has a range of a source whose snapshots, up to the epoch beside its name, do not speak of it.
    async fn is_needed(&self, epoch: Epoch, covered: &[(&str, Option<Epoch>)]) -> Result<bool> {
        let remembering = covered.iter().filter(|(_, upto)| upto.is_none_or(|upto| upto < epoch));
        let remembering: Vec<&str> = remembering.map(|(source, _)| *source).collect();
        if remembering.is_empty() {
            return Ok(false);
        }
        let record = self.offsets(epoch).await?;
        Ok(remembering.iter().any(|source| record.sources.contains_key(*source)))
    }

    /// Takes commits after `to` back, so that the next start runs those epochs again over the same ranges. With
    /// `new_id` the query gets a new identity, so that sinks store the epochs once more. Ranges that were released and
    /// are no longer there are refused, unless `restored` says that somebody has put them back.
    pub async fn reset(&self, to: Epoch, new_id: bool, restored: bool, at: Timestamp) -> Result<Vec<Epoch>> {
        let metadata = self.metadata().await?.ok_or_else(|| {
            Error::invalid(format!("{} is no checkpoint: it has no file `metadata`", self.location()))
        })?;
        let committed = self.committed().await?;
        if !committed.contains(&to) {
            let kept = match (committed.first(), committed.last()) {
                (Some(a), Some(b)) => format!("epochs {a} to {b} are kept"),
                _ => "no epoch is committed".into(),
            };
            return Err(Error::invalid(format!("cannot go back to epoch {to}: {kept}")));
        }
        let again: Vec<Epoch> = committed.into_iter().filter(|e| *e > to).collect();
        if !restored {
            self.refuse_consumed(to, &again).await?;
        }
        // A host that runs now is replaced, so that it cannot commit over the gap.
        self.claim(std::process::id(), at).await?;
        if new_id {
            let former = metadata.former.iter().chain([&metadata.id]).cloned().collect();
            self.store.delete(&Name::Metadata.path()).await?;
            let _ = self.write_metadata(&Metadata { id: QueryId::random(), former, ..metadata }).await?;
        }
        // Newest first: at every moment the commits that are left have no gap.
        for epoch in again.iter().rev() {
            self.store.delete(&format!("commits/{epoch}")).await?;
        }
        Ok(again)
    }

    async fn refuse_consumed(&self, to: Epoch, again: &[Epoch]) -> Result<()> {
        for epoch in again {
            if let Some(source) = self.offsets(*epoch).await?.consumed.first() {
                return Err(Error::invalid(format!(
                    "cannot go back to epoch {to}: epoch {epoch} cannot run again, for what source `{source}` read is gone since (archived, deleted, or a stream that comes only once); put archived files back where they were, with their times, and add `--restored`"
                )));
            }
        }
        Ok(())
    }

    /// Every epoch that has left a record, ascending.
    pub async fn epochs(&self) -> Result<Vec<EpochSummary>> {
        let mut all: Vec<Epoch> = self.planned().await?;
        all.extend(self.committed().await?);
        all.sort_unstable();
        all.dedup();
        let mut summaries = Vec::with_capacity(all.len());
        for epoch in all {
            summaries.push(EpochSummary {
                epoch,
                offsets: self.read(&Name::Offsets { epoch }).await?,
                commit: self.commit(epoch).await?,
                bytes: self.size(&Name::Offsets { epoch }).await?
                    + self.size(&Name::Commit { epoch }).await?,
            });
        }
        Ok(summaries)
    }

    async fn size(&self, name: &Name) -> Result<u64> {
        Ok(self.store.read(&name.path()).await?.map_or(0, |b| b.len() as u64))
    }

    /// The numeric names in a folder, ascending.
    async fn numbers(&self, folder: &str) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for name in self.store.list(folder).await? {
            // None comes near the largest: whoever counts on from a number need not think of that.
            let number = name.parse().ok().filter(|number| *number < u64::MAX / 2);
            let number = number.ok_or_else(|| {
                Error::data(format!(
                    "{}/{folder} holds `{name}`, which is no epoch: the directory is not a checkpoint, or was changed by hand; move the file away",
                    self.location()
                ))
            })?;
            numbers.push(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}
