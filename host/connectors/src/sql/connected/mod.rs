//! What talks to databases. One more of them is one more `Database` and `Connection`, with its `Dialect`.

mod audit;
mod cells;
mod client;
mod database;
mod epoch;
mod held;
mod marker;
mod mysql;
mod patient;
mod place;
mod postgres;
mod read;
mod sink;
mod source;
mod split;
mod sqlite;
mod statement;
mod table;
mod target;
#[cfg(test)]
mod tests;

use self::place::Place;
use super::{AuditSettings, SqlSinkOptions, SqlSinkSettings, SqlSourceSettings, SqlTableSettings};
use crate::{connection::ConnectionSettings, source::SourceOptions};
use engine::{Audit, Clock, Result, Sink, Source, Table};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// A sink that stores its rows in tables. [`engine::Kind::Invalid`] if settings contradict each other. Connects to nothing yet.
pub fn sink(
    settings: SqlSinkSettings,
    connection: &ConnectionSettings,
    options: SqlSinkOptions,
) -> Result<Arc<dyn Sink>> {
    let place = Place::new(connection, &options.time_zone)?;
    Ok(Arc::new(sink::SqlSink::new(settings, place, options)?))
}

/// A source that polls a table or a query. [`engine::Kind::Invalid`] if settings contradict each other. Connects to nothing yet.
pub fn source(
    settings: SqlSourceSettings,
    connection: &ConnectionSettings,
    options: SourceOptions,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Source>> {
    let place = Place::new(connection, &options.time_zone)?;
    Ok(Arc::new(source::SqlSource::new(settings, place, options, clock)?))
}

/// A table, or a query, that streams are joined with. Asks the database for its columns.
pub async fn table(
    settings: &SqlTableSettings,
    connection: &ConnectionSettings,
    options: SourceOptions,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Table>> {
    let place = Place::new(connection, &options.time_zone)?;
    Ok(Arc::new(table::SqlTable::new(settings, place, options, clock).await?))
}

/// A table that says of each epoch of the pipeline `query` what became of it. Connects to nothing yet.
pub fn audit(
    settings: &AuditSettings,
    connection: &ConnectionSettings,
    query: String,
    zone: &TimeZone,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Audit>> {
    let place = Place::new(connection, zone)?;
    Ok(Arc::new(audit::AuditTable::new(settings, place, query, clock)))
}
