//! A record of epochs that is kept elsewhere.

use crate::{Epoch, QueryId, Result, Timestamp};
use async_trait::async_trait;

/// Keeps what became of each epoch, for whoever answers for the query.
///
/// An epoch starts, and then is committed or fails; one that ran when its process died starts once more. What is told may have been
/// told before, of the last committed epoch at each start: a process may die between a commit and this. So it must be idempotent.
///
/// # Failure
///
/// An error ends the query as one of a sink does: no epoch goes on that was not told of. Only that an epoch has failed is told as
/// well as it can be.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Something has become of an epoch of a query.
    async fn epoch(&self, query: &QueryId, epoch: Epoch, outcome: EpochOutcome) -> Result<()>;
}

/// What has become of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochOutcome {
    /// It is planned, and starts now.
    Started(Timestamp),
    /// It is committed.
    Committed {
        /// Rows that it read.
        rows: u64,
    },
    /// It ended with an error.
    Failed,
}
