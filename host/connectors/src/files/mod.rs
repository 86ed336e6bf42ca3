//! Files as a source and as a sink.

mod clean;
mod discover;
mod listing;
mod opened;
mod path_columns;
mod pending;
mod read;
mod seen;
mod settings;
pub mod sink;
mod source;
mod splits;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use listing::{damaged, lexical};
pub(crate) use opened::Opened;
pub use settings::{Clean, FileFormat, FilesSettings, MetadataField, OnBadFile};
pub use source::FileSource;
