//! What becomes of epochs, told to the audit.

use super::{Run, in_time};
use crate::{Epoch, EpochOutcome, Error, Kind, Result, checkpoint::OffsetRecord};

impl Run<'_> {
    /// Runs a planned epoch and commits it, and tells the audit.
    pub(super) async fn audited(
        &mut self,
        epoch: Epoch,
        record: OffsetRecord,
        attempt: u32,
        too_late: impl Future<Output = Error>,
    ) -> Result<()> {
        self.tell(epoch, EpochOutcome::Started(record.time)).await?;
        let done = in_time(too_late, epoch, self.epoch(epoch, record, attempt)).await;
        self.ended(epoch, done).await
    }

    /// Tells how an epoch has ended. What was committed stays so, whatever went wrong behind the commit.
    pub(super) async fn ended<T>(&self, epoch: Epoch, done: Result<T>) -> Result<T> {
        let error = match (self.committed.filter(|(newest, _)| *newest == epoch), done) {
            (Some((_, rows)), done) => {
                let told = self.tell(epoch, EpochOutcome::Committed { rows }).await;
                return done.and_then(|done| told.map(|()| done));
            }
            (None, Ok(done)) => return Ok(done),
            (None, Err(error)) => error,
        };
        // What becomes of it is no longer for this host to say.
        if error.kind() != Kind::Fenced
            && let Err(untold) = self.tell(epoch, EpochOutcome::Failed).await
        {
            tracing::warn!(
                epoch = epoch.0,
                error = untold.report(),
                "the audit does not know that the epoch has failed"
            );
        }
        Err(error)
    }

    /// Tells of the last committed epoch once more: the process that committed it may not have come to that.
    pub(super) async fn tell_of_last(&self, epoch: Epoch) -> Result<()> {
        if self.query.audit.is_none() {
            return Ok(());
        }
        match self.checkpoint.commit(epoch).await? {
            Some(commit) => self.tell(epoch, EpochOutcome::Committed { rows: commit.rows }).await,
            None => Ok(()),
        }
    }

    pub(super) async fn tell(&self, epoch: Epoch, outcome: EpochOutcome) -> Result<()> {
        match &self.query.audit {
            Some(audit) => audit
                .epoch(&self.id, epoch, outcome)
                .await
                .map_err(|e| e.while_doing(format!("epoch {epoch}"))),
            None => Ok(()),
        }
    }
}
