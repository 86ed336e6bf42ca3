//! Which epoch of which sink is stored: a row for each sink, in the same transaction as the epoch's rows.
//!
//! The row is there from the first start on. A commit changes it from the epoch that was found at the beginning to its own; of two
//! hosts that do so only one changes a row, and the other takes all back.

use super::{
    database::{Connection, TableName, Value},
    place::Place,
    target,
};
use engine::{Begin, Epoch, Error, Result};
use futures::TryStreamExt;

/// The table of the marks.
pub(super) const TABLE: &str = "streamhost_epochs";

/// What no epoch has come before.
const NONE: i64 = -1;

/// The mark of a sink of a query.
pub(super) struct Marker<'a> {
    pub(super) place: &'a Place,
    pub(super) query: &'a str,
    pub(super) sink: &'a str,
}

/// The newest epoch that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(i64);

impl Mark {
    /// Whether an epoch is stored. They are stored in order.
    pub(super) fn has(self, epoch: Epoch) -> bool {
        u64::try_from(self.0).is_ok_and(|newest| newest >= epoch.0)
    }
}

impl<'a> Marker<'a> {
    pub(super) fn of(place: &'a Place, begin: &'a Begin) -> Self {
        Marker { place, query: &begin.query.0, sink: &begin.sink }
    }

    /// Makes the mark, if it is not there. Not to be called within a transaction: some databases end one before they make a table.
    pub(super) async fn prepare(&self, connection: &mut dyn Connection) -> Result<()> {
        let name = TableName::plain(TABLE);
        let dialect = self.place.database.dialect();
        let table = name.quoted(dialect);
        if self.place.shape(connection, &name).await?.columns.is_empty() {
            let columns = "query VARCHAR(64) NOT NULL, sink VARCHAR(160) NOT NULL, epoch BIGINT NOT NULL";
            let statement = format!("CREATE TABLE {table} ({columns}, PRIMARY KEY (query, sink))");
            target::create(self.place, connection, &name, &[statement]).await?;
        }
        if self.read(connection).await?.is_some() {
            return Ok(());
        }
        let (query, sink) = (dialect.text(self.query), dialect.text(self.sink));
        let made = connection.execute(&format!("INSERT INTO {table} VALUES ({query}, {sink}, {NONE})")).await;
        match (made, self.read(connection).await?) {
            (_, Some(_)) | (Ok(_), None) => Ok(()),
            (Err(error), None) => Err(error),
        }
    }

    /// What is stored; none if the mark is not there.
    async fn read(&self, connection: &mut dyn Connection) -> Result<Option<Mark>> {
        let dialect = self.place.database.dialect();
        let table = TableName::plain(TABLE).quoted(dialect);
        let query = format!("SELECT epoch FROM {table} WHERE {}", self.own());
        let rows: Vec<Vec<Value>> = connection.query(&query).try_collect().await?;
        let number = |value: &Value| match value {
            Value::Integer(number) => Ok(Mark(*number)),
            Value::Text(text) => text.parse().map(Mark).map_err(|_| ()),
            _ => Err(()),
        };
        let value = rows.first().and_then(|row| row.first());
        value
            .map(number)
            .transpose()
            .map_err(|()| Error::internal(format!("{TABLE} has an epoch that is no number")))
    }

    /// What is stored.
    pub(super) async fn newest(&self, connection: &mut dyn Connection) -> Result<Mark> {
        self.read(connection).await?.ok_or_else(|| {
            Error::invalid(format!(
                "the row of sink {} is gone from {TABLE}, which says what is stored; put it back, or start a new query",
                self.sink
            ))
        })
    }

    /// Says, within the transaction, that `epoch` is stored. False if another host has said something meanwhile.
    pub(super) async fn set(
        &self,
        connection: &mut dyn Connection,
        before: Mark,
        epoch: Epoch,
    ) -> Result<bool> {
        let table = TableName::plain(TABLE).quoted(self.place.database.dialect());
        let own = self.own();
        let statement = format!("UPDATE {table} SET epoch = {epoch} WHERE {own} AND epoch = {}", before.0);
        Ok(connection.execute(&statement).await? == 1)
    }

    fn own(&self) -> String {
        let dialect = self.place.database.dialect();
        format!("query = {} AND sink = {}", dialect.text(self.query), dialect.text(self.sink))
    }
}
