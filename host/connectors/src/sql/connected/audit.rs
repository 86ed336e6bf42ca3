//! A table that says of each epoch what became of it.

use super::{
    cells::Kind as Of,
    database::{Connection, TableName},
    place::Place,
    target,
};
use crate::sql::AuditSettings;
use async_trait::async_trait;
use engine::{Audit, Clock, Epoch, EpochOutcome, Error, Kind, QueryId, Result, Timestamp};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The columns, in this order.
const COLUMNS: [(&str, &str); 7] = [
    ("batch_id", "BIGINT NOT NULL"),
    ("query", "VARCHAR(200) NOT NULL"),
    ("status", "VARCHAR(16) NOT NULL"),
    ("rows", "BIGINT"),
    ("started", "TIMESTAMP"),
    ("finished", "TIMESTAMP"),
    ("query_id", "VARCHAR(64) NOT NULL"),
];

/// Keeps a row for each epoch of a query in a table.
pub(super) struct AuditTable {
    place: Place,
    table: TableName,
    query: String,
    clock: Arc<dyn Clock>,
    /// One that is there, with the table made.
    connection: Mutex<Option<Box<dyn Connection>>>,
}

impl AuditTable {
    pub(super) fn new(settings: &AuditSettings, place: Place, query: String, clock: Arc<dyn Clock>) -> Self {
        let table = TableName::parse(&settings.table);
        AuditTable { place, table, query, clock, connection: Mutex::default() }
    }

    async fn connect(&self) -> Result<Box<dyn Connection>> {
        let mut connection = self.place.connect().await?;
        let dialect = self.place.database.dialect();
        let mut shape = self.place.shape(&mut *connection, &self.table).await?;
        if shape.columns.is_empty() {
            let time = self.place.database.column_type(Of::Instant, false);
            let column = |(name, of): &(&str, &str)| {
                format!("{} {}", dialect.quoted(name), of.replace("TIMESTAMP", &time))
            };
            let columns: Vec<String> = COLUMNS.iter().map(column).collect();
            let key = dialect.list(["query_id", "batch_id"]);
            let table = self.table.quoted(dialect);
            let statement = format!("CREATE TABLE {table} ({}, PRIMARY KEY ({key}))", columns.join(", "));
            shape = target::create(&self.place, &mut *connection, &self.table, &[statement]).await?;
        }
        match COLUMNS.iter().find(|(name, _)| shape.columns.iter().all(|column| column.name != *name)) {
            Some((name, _)) => Err(Error::invalid(format!(
                "table {} has no column {name}, which an audit needs; name another `table`, which is then created",
                self.table
            ))),
            None => Ok(connection),
        }
    }

    async fn write(
        &self,
        connection: &mut dyn Connection,
        id: &QueryId,
        epoch: Epoch,
        outcome: EpochOutcome,
    ) -> Result<()> {
        let dialect = self.place.database.dialect();
        let table = self.table.quoted(dialect);
        let time = |at: Timestamp| dialect.text(&format!("{}{}", in_sql(at), dialect.writing.utc));
        let now = time(self.clock.now());
        let [batch_id, query, status, rows, started, finished, query_id] =
            COLUMNS.map(|(name, _)| dialect.quoted(name));
        let (word, counted, began, ended) = match outcome {
            EpochOutcome::Started(at) => ("running", "NULL".to_owned(), Some(time(at)), "NULL".to_owned()),
            EpochOutcome::Committed { rows } => ("committed", rows.to_string(), None, now),
            EpochOutcome::Failed => ("failed", "NULL".to_owned(), None, now),
        };
        let id = dialect.text(&id.0);
        let own = format!("{query_id} = {id} AND {batch_id} = {epoch}");
        // What was committed stays so, whatever a host says that does not know it yet; but a query that was set back comes to an epoch
        // of this number once more.
        let may = match (word, &began) {
            ("committed", _) => String::new(),
            (_, Some(began)) => format!(" AND ({status} <> 'committed' OR {finished} < {began})"),
            (_, None) => format!(" AND {status} <> 'committed'"),
        };
        let start = began.as_ref().map(|began| format!(", {started} = {began}")).unwrap_or_default();
        let update = format!(
            "UPDATE {table} SET {status} = '{word}', {rows} = {counted}, {finished} = {ended}{start} WHERE {own}{may}"
        );
        if connection.execute(&update).await? > 0 {
            return Ok(());
        }
        let began = began.unwrap_or_else(|| "NULL".into());
        let insert = format!(
            "INSERT INTO {table} ({batch_id}, {query}, {status}, {rows}, {started}, {finished}, {query_id}) \
             SELECT {epoch}, {}, '{word}', {counted}, {began}, {ended}, {id} WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {own})",
            dialect.text(&self.query)
        );
        connection.execute(&insert).await.map(drop)
    }
}

#[async_trait]
impl Audit for AuditTable {
    async fn epoch(&self, query: &QueryId, epoch: Epoch, outcome: EpochOutcome) -> Result<()> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &mut *kept {
            match self.write(&mut **connection, query, epoch, outcome).await {
                // It may have ended since the last epoch.
                Err(error) if error.kind() == Kind::Unavailable => *kept = None,
                written => return written.map_err(|e| self.of(e)),
            }
        }
        let mut connection = self.connect().await.map_err(|e| self.of(e))?;
        self.write(&mut *connection, query, epoch, outcome).await.map_err(|e| self.of(e))?;
        *kept = Some(connection);
        Ok(())
    }
}

impl AuditTable {
    fn of(&self, error: Error) -> Error {
        error.while_doing(format!("audit table {} of {}", self.table, self.place.shown))
    }
}

/// A time in UTC as all databases read it.
fn in_sql(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace('Z', "")
}
