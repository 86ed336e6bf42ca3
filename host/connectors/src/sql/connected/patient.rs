//! Connections that are not waited on for ever.

use super::database::{Chunk, Column, Connection, Dialect, Value};
use async_trait::async_trait;
use engine::{Error, Kind, Result};
use futures::{StreamExt, stream, stream::BoxStream};
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::timeout;

/// How long a database may take to answer unless a connection says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// A connection that is given up when its database does not answer in time, as one whose machine lost power never does: nothing else
/// would end the wait. What was asked of it may have been done or not, as when a connection breaks.
pub(super) struct Patient {
    connection: Box<dyn Connection>,
    wait: Wait,
}

struct Wait {
    dialect: &'static Dialect,
    patience: Duration,
    /// Whether it was given up: what it would answer next nobody knows any more.
    over: AtomicBool,
}

impl Patient {
    pub(super) fn new(
        connection: Box<dyn Connection>,
        dialect: &'static Dialect,
        patience: Duration,
    ) -> Self {
        Patient { connection, wait: Wait { dialect, patience, over: AtomicBool::new(false) } }
    }
}

impl Wait {
    async fn answer<T>(&self, asked: impl Future<Output = Result<T>>) -> Result<T> {
        if self.over.load(Relaxed) {
            return Err(self.too_long());
        }
        match timeout(self.patience, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(self.too_long()),
        }
    }

    fn too_long(&self) -> Error {
        self.over.store(true, Relaxed);
        let (name, patience) = (self.dialect.name, self.patience);
        let what = format!(
            "{name} has not answered for {patience:?}; look whether it is there, or give the connection a longer `timeout`"
        );
        Error::new(Kind::Unavailable, what)
    }
}

#[async_trait]
impl Connection for Patient {
    async fn execute(&mut self, statement: &str) -> Result<u64> {
        self.wait.answer(self.connection.execute(statement)).await
    }

    /// Each row has a time of its own: how many there are is not the database's fault.
    fn query<'c>(&'c mut self, query: &str) -> BoxStream<'c, Result<Vec<Value>>> {
        let wait = &self.wait;
        let rows = Some(self.connection.query(query));
        stream::unfold(rows, move |rows| async move {
            let mut rows = rows?;
            match wait.answer(async { Ok(rows.next().await) }).await {
                Ok(row) => row.map(|row| (row, Some(rows))),
                Err(late) => Some((Err(late), None)),
            }
        })
        .boxed()
    }

    async fn load(&mut self, table: &str, columns: &[Column], chunk: Chunk) -> Result<()> {
        self.wait.answer(self.connection.load(table, columns, chunk)).await
    }

    async fn execute_each(&mut self, statement: &str, parameters: Vec<Vec<Value>>) -> Result<u64> {
        self.wait.answer(self.connection.execute_each(statement, parameters)).await
    }
}
