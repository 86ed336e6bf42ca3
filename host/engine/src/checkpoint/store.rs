use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;

/// A place for small durable records under `/`-separated names, such as `offsets/17`.
///
/// Everything a query promises rests on `create`: it is atomic (a reader sees all or nothing), durable when it
/// returns (a power cut does not take it back), and exclusive (of two hosts exactly one is told [`Created::Won`]).
#[async_trait]
pub trait CheckpointStore: Send + Sync {
    /// The record, or none if there is none.
    async fn read(&self, name: &str) -> Result<Option<Bytes>>;

    /// Writes a record that must not exist yet.
    async fn create(&self, name: &str, record: Bytes) -> Result<Created>;

    /// The names of the records directly in `folder`, without the folder, in no order.
    async fn list(&self, folder: &str) -> Result<Vec<String>>;

    /// Removes a record; none is fine.
    async fn delete(&self, name: &str) -> Result<()>;

    /// Where it is, for messages.
    fn location(&self) -> String;
}

/// An answer of [`CheckpointStore::create`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the record may be another host's"]
pub enum Created {
    /// The record is ours.
    Won,
    /// A record of that name was there already; it is unchanged.
    Lost,
}
