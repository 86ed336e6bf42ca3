//! Tables of a database as a sink.

use super::{
    cells::kind_of,
    database::{Connection, TableName},
    epoch::SqlEpoch,
    marker::{Mark, Marker, TABLE},
    place::Place,
    target::Target,
};
use crate::formats::json;
use crate::sql::{SqlSinkOptions, SqlSinkSettings};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use engine::{Begin, Begun, Error, Guarantee, Kind, OutputMode, QueryId, Result, Sink, Token};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
};
use tokio::sync::Mutex;

/// Stores the rows of each epoch, and that they are stored, in one transaction.
pub(super) struct SqlSink(Arc<Shared>);

/// What the sink and its epochs share.
pub(super) struct Shared {
    pub(super) settings: SqlSinkSettings,
    pub(super) options: SqlSinkOptions,
    pub(super) place: Place,
    /// The columns that were accepted last.
    accepted: std::sync::Mutex<Option<SchemaRef>>,
    /// Tables that are known to take such rows.
    targets: Mutex<HashMap<TableName, Arc<Target>>>,
    /// A connection that no epoch needs just now.
    idle: Mutex<Option<Box<dyn Connection>>>,
}

impl SqlSink {
    /// [`Kind::Invalid`] if the settings contradict each other. Connects to nothing.
    pub(super) fn new(settings: SqlSinkSettings, place: Place, options: SqlSinkOptions) -> Result<Self> {
        let SqlSinkSettings { table, table_from_column, keys, .. } = &settings;
        let problem = match (table, table_from_column, options.mode) {
            (None, None, _) => {
                Some("a `sql` sink has a `table`, or the column that names it as `table-from-column`")
            }
            (Some(_), Some(_), _) => Some("`table` and `table-from-column` are set; keep one of them"),
            (_, Some(_), OutputMode::Complete) => Some(
                "mode = \"complete\" replaces what is in one table; name it as `table`, or use mode = \"update\"",
            ),
            (_, _, OutputMode::Update) if keys.is_empty() => Some(
                "mode = \"update\" replaces the rows that agree with new ones in some columns; name these as `keys`",
            ),
            (_, _, OutputMode::Append | OutputMode::Complete) if !keys.is_empty() => {
                Some("`keys` are for mode = \"update\" alone; leave them out")
            }
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(Error::invalid(problem));
        }
        Ok(SqlSink(Arc::new(Shared {
            settings,
            options,
            place,
            accepted: std::sync::Mutex::default(),
            targets: Mutex::default(),
            idle: Mutex::default(),
        })))
    }
}

impl Shared {
    /// Whether rows wait in a temporary table until the commit.
    pub(super) fn stages(&self) -> bool {
        self.options.mode == OutputMode::Update || self.place.database.dialect().one_writer
    }

    pub(super) fn step(&self, name: &str) {
        if let Some(at_step) = &self.options.at_step {
            at_step(name);
        }
    }

    /// The table of this name, looked up on a connection of its own: some databases end a transaction before they make a table.
    pub(super) async fn target(&self, name: &TableName, rows: &Schema) -> Result<Arc<Target>> {
        let mut targets = self.targets.lock().await;
        if let Some(target) = targets.get(name) {
            return Ok(target.clone());
        }
        let mut connection = self.place.connect().await?;
        let found = Target::find(&self.place, &mut *connection, name.clone(), &self.settings, rows).await;
        let target = Arc::new(found.map_err(|e| self.of(e))?);
        targets.insert(name.clone(), target.clone());
        Ok(target)
    }

    /// The one table, if there is one.
    pub(super) async fn fixed(&self, rows: &Schema) -> Result<Option<Arc<Target>>> {
        match &self.settings.table {
            Some(table) => self.target(&TableName::parse(table), rows).await.map(Some),
            None => Ok(None),
        }
    }

    /// Keeps a connection for the next epoch.
    pub(super) async fn keep(&self, connection: Box<dyn Connection>) {
        *self.idle.lock().await = Some(connection);
    }

    /// A connection, and what is stored. One that was kept may have ended meanwhile.
    async fn newest(&self, marker: &Marker<'_>) -> Result<(Box<dyn Connection>, Mark)> {
        if let Some(mut kept) = self.idle.lock().await.take() {
            match marker.newest(&mut *kept).await {
                Err(error) if error.kind() == Kind::Unavailable => {}
                read => return Ok((kept, read?)),
            }
        }
        let mut connection = self.place.connect().await?;
        marker.prepare(&mut *connection).await?;
        let newest = marker.newest(&mut *connection).await?;
        Ok((connection, newest))
    }

    /// An error, with the place it is of.
    pub(super) fn of(&self, error: Error) -> Error {
        error.while_doing(self.place.shown.clone())
    }
}

#[async_trait]
impl Sink for SqlSink {
    fn accepts(&self, _: OutputMode, schema: &SchemaRef) -> Result<Guarantee> {
        let Shared { settings, accepted, .. } = &*self.0;
        schema.fields().iter().try_for_each(|field| kind_of(field).map(drop))?;
        json::encode::accepts(schema)?;
        let named = settings.keys.iter().map(|key| ("keys", key));
        for (setting, name) in
            named.chain(settings.table_from_column.iter().map(|name| ("table-from-column", name)))
        {
            let Ok(field) = schema.field_with_name(name) else {
                let there: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                return Err(Error::invalid(format!(
                    "{setting}: there is no column `{name}`; there are: {}",
                    there.join(", ")
                )));
            };
            if field.data_type().is_nested() {
                return Err(Error::invalid(format!("{setting}: column `{name}` is no single value")));
            }
        }
        if settings.table.as_deref() == Some(TABLE) {
            return Err(Error::invalid(format!(
                "table {TABLE} has the marks of what is stored; choose another"
            )));
        }
        *accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(schema.clone());
        Ok(Guarantee::ExactlyOnce)
    }

    async fn open(&self, query: &QueryId, name: &str) -> Result<()> {
        let shared = &self.0;
        let marker = Marker { place: &shared.place, query: &query.0, sink: name };
        let mut connection = shared.place.connect().await?;
        marker.prepare(&mut *connection).await.map_err(|e| shared.of(e))?;
        shared.keep(connection).await;
        let accepted = shared.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match accepted {
            Some(schema) => shared.fixed(&schema).await.map(drop),
            None => Ok(()),
        }
    }

    async fn begin(&self, epoch: &Begin) -> Result<Begun> {
        let shared = &self.0;
        let marker = Marker::of(&shared.place, epoch);
        let (connection, newest) = shared.newest(&marker).await.map_err(|e| shared.of(e))?;
        if epoch.marked && newest.has(epoch.epoch) {
            shared.keep(connection).await;
            return Ok(Begun::Stored(token(epoch)));
        }
        let fixed = shared.fixed(&epoch.schema).await?;
        let writer = SqlEpoch::new(shared.clone(), epoch.clone(), newest, connection, fixed).await;
        Ok(Begun::Writer(Box::new(writer.map_err(|e| shared.of(e))?)))
    }
}

/// The same whoever stored the epoch.
pub(super) fn token(epoch: &Begin) -> Token {
    Token(json!({ "epoch": epoch.epoch }))
}
