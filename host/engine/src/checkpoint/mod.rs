//! What a query writes down so that it can go on after a crash.

mod local;
mod memory;
mod store;

pub use local::LocalStore;
pub use memory::MemoryStore;
pub use store::{CheckpointStore, Created};
