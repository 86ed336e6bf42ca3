//! What a query writes down so that it can go on after a crash.
//!
//! ```text
//! metadata            the query's identity and what its sources read
//! owners/<k>          one per start
//! offsets/<n>         the plan of epoch n, written before its first row is read
//! commits/<n>         epoch n is in every sink
//! sources/<name>/<n>  what a source remembers, up to epoch n
//! state/<step>/…      what keyed steps remember; each commit names the files that are its own. `layout` says what they hold
//! ```
//!
//! Every record is JSON, written once and never changed. It begins with a `version` and with what it is: which record, of
//! which epoch, of which query. A file that was copied or moved over another is refused by that. What a source remembers
//! is its own text below a line that says so.

mod local;
mod log;
mod memory;
mod migrate;
mod name;
mod read;
mod record;
mod state;
mod store;

pub use local::LocalStore;
pub use log::{Checkpoint, EpochSummary};
pub use memory::MemoryStore;
pub use migrate::Migration;
pub use record::{CommitRecord, Metadata, OffsetRecord, Owner, Ranges, Resume, StateRecord};
pub use state::StepState;
pub use store::{CheckpointStore, Created};
