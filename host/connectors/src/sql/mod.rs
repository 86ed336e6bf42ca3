//! SQL databases: PostgreSQL, SQLite, MariaDB and MySQL.
//!
//! | | |
//! | --- | --- |
//! | as a sink | rows and the mark that they are stored in one transaction: [`SqlSinkSettings`] |
//! | as a table | a static side for joins: [`SqlTableSettings`] |
//! | as a source | polled by a column that rises: [`SqlSourceSettings`] |
//! | as an audit | what became of each epoch: [`AuditSettings`] |
//!
//! The settings are there in every build; what talks to a database is behind the feature `sql`.

mod settings;

#[cfg(feature = "sql")]
mod connected;

#[cfg(feature = "sql")]
pub use connected::{audit, sink, source, table};
pub use settings::{AuditSettings, SqlSinkSettings, SqlSourceSettings, SqlTableSettings};

use crate::files::sink::AtStep;
use engine::OutputMode;
use jiff::tz::TimeZone;

/// What a sink needs to know beside its settings.
#[derive(Clone)]
pub struct SqlSinkOptions {
    /// What is stored.
    pub mode: OutputMode,
    /// The zone of times without one.
    pub time_zone: TimeZone,
    /// Stops at the steps of a commit, for crash tests.
    pub at_step: Option<AtStep>,
}

#[cfg(not(feature = "sql"))]
mod absent;
#[cfg(not(feature = "sql"))]
pub use absent::{audit, sink, source, table};
