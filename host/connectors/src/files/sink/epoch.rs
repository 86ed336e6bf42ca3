//! One epoch on its way to the output.

use super::{
    lane::Lane,
    layout::Layout,
    ledger::{Claimed, Ledger},
    manifest::{Entry, Manifest},
    names::Ticket,
};
use crate::formats::encode::{Codec, Encoding};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use engine::{Begin, Begun, Epoch, EpochWriter, Error, Kind, Partition, Result, ResultExt, Token};
use jiff::tz::TimeZone;
use std::{
    sync::{Mutex, PoisonError},
    thread,
};

/// What is the same for all files of an epoch.
pub(super) struct Job {
    pub(super) begin: Begin,
    pub(super) ticket: Ticket,
    pub(super) layout: Layout,
    pub(super) file_schema: SchemaRef,
    pub(super) encoding: Encoding,
    pub(super) codec: Codec,
    pub(super) extension: String,
    pub(super) zone: TimeZone,
    pub(super) max_rows: u64,
    pub(super) max_bytes: u64,
    /// Newer epochs whose manifests are kept.
    pub(super) retain: u64,
    /// Whether files are called after their writer.
    pub(super) by_writer: bool,
}

/// Writes one epoch; see [`Ledger`] for the protocol.
pub(super) struct FileEpoch {
    job: Job,
    ledger: Ledger,
    lanes: Vec<Mutex<Lane<Ledger>>>,
    floor: Epoch,
    /// Whether nothing of it is among the staging files any more.
    left: bool,
}

impl FileEpoch {
    /// Enters the epoch, or answers that it is there already.
    pub(super) fn begin(job: Job, ledger: Ledger) -> Result<Begun> {
        ledger.create()?;
        ledger.enter(&job.ticket)?;
        let lanes = (0..job.begin.partitions).map(|_| Mutex::default()).collect();
        let mut epoch = FileEpoch { job, ledger, lanes, floor: Epoch(0), left: false };
        if let Some(token) = epoch.stored()? {
            return Ok(Begun::Stored(token));
        }
        epoch.floor = epoch.floor()?;
        Ok(Begun::Writer(Box::new(epoch)))
    }

    /// The token of another writer that has this epoch, once its files have their names.
    fn stored(&self) -> Result<Option<Token>> {
        if !self.job.begin.marked {
            return Ok(None);
        }
        let Some(manifest) = self.ledger.manifest(self.job.begin.epoch)? else {
            return Ok(None);
        };
        self.ledger.publish(&manifest)?;
        Ok(Some(manifest.token()))
    }

    fn floor(&self) -> Result<Epoch> {
        let (epoch, floor) = (self.job.begin.epoch, self.ledger.floor()?);
        if epoch < floor {
            return Err(Error::new(
                Kind::Fenced,
                format!(
                    "sink {}: epoch {epoch} was finished long ago, what is remembered starts at epoch {floor}; \
                     another host has gone on, or the checkpoint was reset too far back: start a new query",
                    self.job.begin.sink
                ),
            ));
        }
        Ok(floor.max(Epoch(epoch.0.saturating_sub(self.job.retain))))
    }

    fn publish(mut self) -> Result<Token> {
        let files = self.finish_lanes()?;
        self.ledger.step("staged");
        let (ledger, ticket) = (&self.ledger, &self.job.ticket);
        let manifest = Manifest::new(ticket.epoch, ticket.writer.clone(), self.floor, files);
        let name = if self.job.begin.marked { ticket.epoch.to_string() } else { ticket.unmarked() };
        match ledger.claim(ticket, &manifest, &name)? {
            Claimed::Won => {
                ledger.step("manifest-written");
                ledger.publish(&manifest)?;
                ledger.step("renamed-all");
                ledger.leave(ticket)?;
                ledger.forget(self.floor)?;
                self.left = true;
                Ok(manifest.token())
            }
            Claimed::Lost => self.stored()?.ok_or_else(|| lost(&self.job.begin)),
        }
    }

    /// Files are finished and synced side by side: a disk takes many syncs in the time of one.
    fn finish_lanes(&mut self) -> Result<Vec<Entry>> {
        let ledger = &self.ledger;
        let finish = |lane: &mut Mutex<Lane<Ledger>>| {
            lane.get_mut().unwrap_or_else(PoisonError::into_inner).finish(ledger)
        };
        let lanes: Vec<Result<Vec<Entry>>> = thread::scope(|scope| {
            let threads: Vec<_> =
                self.lanes.iter_mut().map(|lane| scope.spawn(move || finish(lane))).collect();
            threads.into_iter().map(|t| t.join().unwrap_or_else(|_| Err(died()))).collect()
        });
        let mut files: Vec<Entry> =
            lanes.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        files.sort_by(|a, b| a.staged.cmp(&b.staged));
        Ok(files)
    }
}

#[async_trait]
impl EpochWriter for FileEpoch {
    async fn write(&self, partition: Partition, rows: RecordBatch) -> Result<()> {
        let lane = self.lanes.get(partition.index()).ok_or_else(|| {
            Error::internal(format!("partition {partition} of {} was written", self.job.begin.partitions))
        })?;
        // A lane whose writer panicked is never committed: the engine ends the epoch.
        let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = self.job.layout.split(&rows)?;
        parts
            .into_iter()
            .try_for_each(|(folder, rows)| lane.write(&self.job, &self.ledger, partition, folder, &rows))
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let publish = tokio::task::spawn_blocking(move || self.publish());
        publish.await.doing(Kind::Internal, || "committing files")?
    }
}

impl Drop for FileEpoch {
    fn drop(&mut self) {
        if !self.left {
            // What cannot be done now is done by the next `open`.
            let _ = self.ledger.revoke(&self.job.ticket);
        }
    }
}

fn died() -> Error {
    Error::internal("finishing a file panicked")
}

fn lost(begin: &Begin) -> Error {
    Error::new(
        Kind::Fenced,
        format!(
            "sink {}: another host has taken over epoch {} and what came after it",
            begin.sink, begin.epoch
        ),
    )
}
