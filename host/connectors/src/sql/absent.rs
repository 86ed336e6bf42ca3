//! What a build without databases answers.

use super::{AuditSettings, SqlSinkOptions, SqlSinkSettings, SqlSourceSettings, SqlTableSettings};
use crate::{connection::ConnectionSettings, source::SourceOptions};
use engine::{Audit, Clock, Error, Result, Sink, Source, Table};
use jiff::tz::TimeZone;
use std::sync::Arc;

fn absent<T>() -> Result<T> {
    Err(Error::invalid("this streamhost was built without `sql`; build it with `--features sql`"))
}

/// No sink: this build has no databases.
pub fn sink(_: SqlSinkSettings, _: &ConnectionSettings, _: SqlSinkOptions) -> Result<Arc<dyn Sink>> {
    absent()
}

/// No source: this build has no databases.
pub fn source(
    _: SqlSourceSettings,
    _: &ConnectionSettings,
    _: SourceOptions,
    _: Arc<dyn Clock>,
) -> Result<Arc<dyn Source>> {
    absent()
}

/// No table: this build has no databases.
pub async fn table(
    _: &SqlTableSettings,
    _: &ConnectionSettings,
    _: SourceOptions,
    _: Arc<dyn Clock>,
) -> Result<Arc<dyn Table>> {
    absent()
}

/// No audit: this build has no databases.
pub fn audit(
    _: &AuditSettings,
    _: &ConnectionSettings,
    _: String,
    _: &TimeZone,
    _: Arc<dyn Clock>,
) -> Result<Arc<dyn Audit>> {
    absent()
}
