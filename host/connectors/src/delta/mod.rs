//! Delta tables as source, as sink, and as the static side of a join.
//!
//! The log and its checkpoints are read and written by deltalake; which rows go where, and once, is decided here.

#[cfg(feature = "delta")]
mod changes;
#[cfg(feature = "delta")]
mod epoch;
#[cfg(feature = "delta")]
mod files;
#[cfg(feature = "delta")]
mod folder;
#[cfg(feature = "delta")]
mod maintain;
#[cfg(feature = "delta")]
mod position;
#[cfg(feature = "delta")]
mod protocol;
#[cfg(feature = "delta")]
mod prune;
#[cfg(feature = "delta")]
mod read;
#[cfg(feature = "delta")]
mod schema;
mod settings;
#[cfg(feature = "delta")]
mod sink;
#[cfg(feature = "delta")]
mod source;
#[cfg(feature = "delta")]
mod state;
#[cfg(feature = "delta")]
mod stats;
#[cfg(feature = "delta")]
mod table;
#[cfg(feature = "delta")]
mod time;
#[cfg(feature = "delta")]
mod upsert;

pub use settings::{Compact, DeltaSettings, DeltaSinkSettings, DeltaTableSettings, StartingVersion, Vacuum};

use crate::{files::sink::AtStep, source::SourceOptions, stores::Environment};
use engine::{Clock, OutputMode, Result, Sink, Source, Table};
use std::sync::Arc;

/// What a Delta sink needs to know beside its settings.
#[derive(Clone)]
pub struct DeltaSinkOptions {
    /// What its rows are to the table.
    pub mode: OutputMode,
    /// When a commit was made.
    pub clock: Arc<dyn Clock>,
    /// Where credentials are.
    pub environment: Environment,
    /// Told of the steps of a commit, for crash tests: `staged` and `logged`.
    pub at_step: Option<AtStep>,
}

/// The rows of a table. [`engine::Kind::Invalid`] if a setting cannot be; nothing is read yet.
#[cfg(feature = "delta")]
pub fn source(
    name: &str,
    settings: DeltaSettings,
    options: SourceOptions,
    clock: Arc<dyn Clock>,
    environment: &Environment,
) -> Result<Arc<dyn Source>> {
    Ok(Arc::new(source::DeltaSource::new(name, settings, options, clock, environment)?))
}

/// A table to write to. [`engine::Kind::Invalid`] if a setting cannot be; nothing is touched yet.
#[cfg(feature = "delta")]
pub fn sink(settings: DeltaSinkSettings, options: DeltaSinkOptions) -> Result<Arc<dyn Sink>> {
    Ok(Arc::new(sink::DeltaSink::new(settings, options)?))
}

/// A table to join with. [`engine::Kind::Invalid`] if it is not there.
#[cfg(feature = "delta")]
pub async fn table(settings: &DeltaTableSettings, environment: &Environment) -> Result<Arc<dyn Table>> {
    Ok(Arc::new(table::DeltaTable::open(settings, environment).await?))
}

#[cfg(not(feature = "delta"))]
mod without {
    use super::*;
    use crate::stores::built_without;

    /// Not in this program.
    pub fn source(
        _: &str,
        _: DeltaSettings,
        _: SourceOptions,
        _: Arc<dyn Clock>,
        _: &Environment,
    ) -> Result<Arc<dyn Source>> {
        Err(built_without("delta"))
    }

    /// Not in this program.
    pub fn sink(_: DeltaSinkSettings, _: DeltaSinkOptions) -> Result<Arc<dyn Sink>> {
        Err(built_without("delta"))
    }

    /// Not in this program.
    pub async fn table(_: &DeltaTableSettings, _: &Environment) -> Result<Arc<dyn Table>> {
        Err(built_without("delta"))
    }
}

#[cfg(not(feature = "delta"))]
pub use without::{sink, source, table};
