//! Records, read and written: each one says what it is, and is believed only if it is that.

use super::{
    Checkpoint, CommitRecord, Created, Metadata, OffsetRecord,
    name::{self, Name, Wrong},
    record::FORMAT_VERSION,
};
use crate::{Epoch, Error, Result, operators::Layout};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::PoisonError;

impl Checkpoint {
    /// The metadata, if there is a checkpoint at all.
    pub async fn metadata(&self) -> Result<Option<Metadata>> {
        let Some(bytes) = self.store.read(&Name::Metadata.path()).await? else { return Ok(None) };
        let read = name::parse::<Metadata>(&bytes, &Name::Metadata, |_| true);
        let remedy = "put it back from a copy, or start with another `checkpoint`";
        let metadata = read.map_err(|wrong| self.refused(&Name::Metadata, wrong, None, remedy))?;
        self.know(&metadata);
        Ok(Some(metadata))
    }

    /// The plan of an epoch.
    pub async fn offsets(&self, epoch: Epoch) -> Result<OffsetRecord> {
        let name = Name::Offsets { epoch };
        self.read(&name).await?.ok_or_else(|| {
            Error::data(format!(
                "checkpoint file {}/{} is missing; restore it from a copy",
                self.location(),
                name.path()
            ))
        })
    }

    /// The commit of an epoch, if it got that far.
    pub async fn commit(&self, epoch: Epoch) -> Result<Option<CommitRecord>> {
        self.read(&Name::Commit { epoch }).await
    }

    /// Writes the plan of an epoch.
    pub async fn write_offsets(&self, epoch: Epoch, record: &OffsetRecord) -> Result<Created> {
        self.create(&Name::Offsets { epoch }, record).await
    }

    /// Writes the commit of an epoch.
    pub async fn write_commit(&self, epoch: Epoch, record: &CommitRecord) -> Result<Created> {
        self.create(&Name::Commit { epoch }, record).await
    }

    pub(super) async fn write_metadata(&self, metadata: &Metadata) -> Result<Created> {
        let record = name::format(&Name::Metadata, &metadata.id, metadata)?;
        let created = self.store.create(&Name::Metadata.path(), record).await?;
        if created == Created::Won {
            self.know(metadata);
        }
        Ok(created)
    }

    /// Takes the records that are read and written from now on for those of this query.
    pub(super) fn know(&self, metadata: &Metadata) {
        // Every critical section is one assignment, so a poisoned one is whole.
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(metadata.clone());
    }

    async fn known(&self) -> Result<Metadata> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let metadata = match known {
            Some(known) => Some(known),
            None => self.metadata().await?,
        };
        metadata.ok_or_else(|| {
            Error::data(format!(
                "{}/metadata is missing; put it back from a copy, or start with another `checkpoint`",
                self.location()
            ))
        })
    }

    pub(super) async fn read<T: DeserializeOwned>(&self, name: &Name) -> Result<Option<T>> {
        let Some(bytes) = self.store.read(&name.path()).await? else { return Ok(None) };
        let known = self.known().await?;
        match name::parse(&bytes, name, |query| known.is_of(query)) {
            Ok(record) => Ok(Some(record)),
            Err(wrong) => Err(self.refused(name, wrong, Some(&known), &self.remedy(name).await?)),
        }
    }

    pub(super) async fn create<T: Serialize>(&self, name: &Name, record: &T) -> Result<Created> {
        let record = name::format(name, &self.known().await?.id, record)?;
        self.store.create(&name.path(), record).await
    }

    /// What a source remembered up to `epoch`.
    pub(super) async fn snapshot(&self, source: &str, epoch: Epoch) -> Result<Option<Bytes>> {
        let name = Name::Snapshot { source: source.to_owned(), epoch };
        let Some(bytes) = self.store.read(&name.path()).await? else { return Ok(None) };
        let known = self.known().await?;
        match name::unwrap(&bytes, &name, |query| known.is_of(query)) {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(wrong) => Err(self.refused(&name, wrong, Some(&known), &self.remedy(&name).await?)),
        }
    }

    pub(super) async fn create_snapshot(
        &self,
        source: &str,
        epoch: Epoch,
        snapshot: &[u8],
    ) -> Result<Created> {
        let name = Name::Snapshot { source: source.to_owned(), epoch };
        let record = name::wrap(&name, &self.known().await?.id, snapshot)?;
        self.store.create(&name.path(), record).await
    }

    /// What the state of a step is, if that was written.
    pub(super) async fn layout(&self, step: &str) -> Result<Option<Layout>> {
        self.read(&Name::Layout { step: step.to_owned() }).await
    }

    fn refused(&self, name: &Name, wrong: Wrong, known: Option<&Metadata>, remedy: &str) -> Error {
        let file = format!("checkpoint file {}/{}", self.location(), name.path());
        match wrong {
            Wrong::Version(version) => Error::invalid(format!(
                "{file} has format version {version}, and this streamhost reads {FORMAT_VERSION}: use the streamhost that wrote it, or \
                 start with another `checkpoint`"
            )),
            Wrong::Damaged(e, has) => {
                Error::data(format!("{file} is damaged ({has} bytes); {remedy}")).caused_by(e)
            }
            Wrong::Other(is, query) => {
                let of = known.map_or_else(String::new, |known| format!(" of query {}", known.id));
                let it = if is == *name { "it, or the file `metadata`," } else { "it" };
                Error::data(format!(
                    "{file} is damaged: it should be {name}{of}, and is {is} of query {query}, so {it} was copied or moved there; {remedy}"
                ))
            }
        }
    }

    /// The way back from a record that cannot be used.
    async fn remedy(&self, name: &Name) -> Result<String> {
        let other = "put it back from a copy, or start with another `checkpoint`".to_owned();
        Ok(match name {
            Name::Metadata | Name::Owner { .. } | Name::Offsets { .. } => other,
            Name::Commit { epoch } => self.back_from(*epoch).await?.unwrap_or(other),
            // The older of the two is kept with all ranges after it.
            Name::Snapshot { source, epoch } => match self.snapshots(source).await?.first() {
                Some(older) if older < epoch => "put it back from a copy, or delete it".into(),
                _ => other,
            },
            Name::Layout { .. } => {
                "put it back from a copy, or delete it: the next start of the query writes it anew".into()
            }
        })
    }

    /// The way back from a commit that cannot be used, if there is one but a copy.
    async fn back_from(&self, epoch: Epoch) -> Result<Option<String>> {
        let kept = self.committed().await?;
        if kept.last().is_some_and(|last| *last > epoch) {
            return Ok(Some("put it back from a copy, or delete it: later epochs do not need it".into()));
        }
        let known = self.known().await?;
        for epoch in kept.into_iter().rev().filter(|kept| *kept < epoch) {
            let name = Name::Commit { epoch };
            let Some(bytes) = self.store.read(&name.path()).await? else { continue };
            if name::parse::<CommitRecord>(&bytes, &name, |query| known.is_of(query)).is_ok() {
                let place = self.location();
                return Ok(Some(format!(
                    "put it back from a copy, or let the epochs after {epoch} run again after `streamhost checkpoint reset {place} --to {epoch}`"
                )));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
