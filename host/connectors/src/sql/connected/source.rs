//! Rows of a database as they are added, by a column that rises.

use super::{
    database::{Connection, Value},
    place::Place,
    read::{Batches, Rows, selected},
};
use crate::sql::SqlSourceSettings;
use crate::{
    formats::rows::Tally,
    source::{Limit, SourceOptions},
};
use arrow::{
    array::RecordBatch,
    datatypes::{DataType, SchemaRef},
};
use async_trait::async_trait;
use bytes::Bytes;
use engine::{
    BadRows, Batch, BatchStream, Clock, Error, History, Kind, Offset, Place as Origin, Planned, Range, Reach,
    Result, Source, SourceFacts,
};
use futures::{SinkExt, StreamExt, TryStreamExt, channel::mpsc};
use serde_json::{Value as Json, json};
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

/// Rows of a database, by ranges of a column: behind one value, up to and with another.
pub(super) struct SqlSource {
    settings: SqlSourceSettings,
    options: SourceOptions,
    place: Place,
    rows: Rows,
    clock: Arc<dyn Clock>,
    schema: OnceLock<SchemaRef>,
    /// The type of the column that rises.
    rising: OnceLock<DataType>,
    state: Mutex<State>,
    /// The connection that looks for more, while it does not.
    idle: tokio::sync::Mutex<Option<Box<dyn Connection>>>,
    tally: Tally,
}

#[derive(Default)]
struct State {
    /// Where a query that ends by itself ends, once it is known.
    last: Option<Option<Json>>,
    bounded: bool,
    whole: bool,
    /// The highest values that were seen, each above the one before, and when.
    seen: Vec<(Duration, Json)>,
    looked: Option<Duration>,
}

impl SqlSource {
    /// Connects to nothing. [`engine::Kind::Invalid`] if the settings contradict each other.
    pub(super) fn new(
        settings: SqlSourceSettings,
        place: Place,
        options: SourceOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let rows = Rows::new(settings.table.as_ref(), settings.query.as_ref())?;
        if matches!(options.max_per_trigger, Some(Limit::Files(_) | Limit::Bytes(_))) {
            return Err(Error::invalid("a database has rows; write max-per-trigger = { rows = 100000 }"));
        }
        if options.evolve || options.rescue.is_some() {
            return Err(Error::invalid("`evolve` and `rescue` are for files; leave them out"));
        }
        Ok(SqlSource {
            settings,
            options,
            place,
            rows,
            clock,
            schema: OnceLock::new(),
            rising: OnceLock::new(),
            state: Mutex::default(),
            idle: tokio::sync::Mutex::default(),
            tally: Tally::default(),
        })
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn known(&self) -> Result<SchemaRef> {
        self.schema.get().cloned().ok_or_else(|| Error::internal("a source that was not restored"))
    }

    /// The column that rises, in quotes.
    fn column(&self) -> String {
        self.place.database.dialect().quoted(&self.settings.column)
    }

    /// `WHERE …` for the rows behind `start` and up to `end`.
    fn within(&self, start: Option<&Offset>, end: Option<&Json>) -> Result<String> {
        let column = self.column();
        let mut all = Vec::new();
        if let Some(start) = start {
            all.push(format!("{column} > {}", self.literal(&start.0)?));
        }
        if let Some(end) = end {
            all.push(format!("{column} <= {}", self.literal(end)?));
        }
        Ok(if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) })
    }

    /// An offset as a statement has it: numbers as they are, everything else as text.
    fn literal(&self, offset: &Json) -> Result<String> {
        let value = offset
            .get("value")
            .ok_or_else(|| Error::internal(format!("{offset} is no offset of a table")))?;
        Ok(match value {
            Json::String(text) => {
                let dialect = self.place.database.dialect();
                // A point in time comes with its zone, and goes without it where a database takes none.
                let instant = matches!(self.rising.get(), Some(DataType::Timestamp(_, Some(_))));
                let bare = text.strip_suffix("+00").filter(|_| instant && dialect.writing.utc.is_empty());
                dialect.text(bare.unwrap_or(text))
            }
            number => number.to_string(),
        })
    }

    fn offset(&self, value: &Value) -> Result<Option<Json>> {
        let numeric = self.rising.get().is_some_and(is_number);
        let value = match value {
            Value::Null => return Ok(None),
            Value::Integer(number) => json!(number),
            Value::Real(number) => json!(number),
            // A number that was shown as text is compared as a number.
            Value::Text(text) if numeric => match text.parse::<i64>() {
                Ok(number) => json!(number),
                Err(_) => json!(text),
            },
            Value::Text(text) => json!(text),
            Value::Bytes(_) => {
                let what = format!(
                    "column {} has bytes, which do not rise; name a number or a time",
                    self.settings.column
                );
                return Err(Error::invalid(what));
            }
        };
        Ok(Some(json!({ "value": value })))
    }

    /// The highest value there is now, if it is above this one.
    async fn highest(&self, connection: &mut dyn Connection, above: Option<Offset>) -> Result<Option<Json>> {
        let within = self.within(above.as_ref(), None)?;
        let query = format!("SELECT max({}) FROM {}{within}", self.column(), self.rows.from(&self.place));
        self.one(connection, &query).await
    }

    async fn one(&self, connection: &mut dyn Connection, query: &str) -> Result<Option<Json>> {
        let rows: Vec<Vec<Value>> = connection.query(query).try_collect().await?;
        match rows.first().and_then(|row| row.first()) {
            Some(value) => self.offset(value),
            None => Ok(None),
        }
    }

    /// How far rows may be read: as high as it has been for long enough, or as it was at the start. Never below `start`, whatever rows
    /// have gone meanwhile: which of two values is higher the database alone knows, so it is only asked for higher ones.
    async fn reach(&self, connection: &mut dyn Connection, start: Option<&Offset>) -> Result<Option<Json>> {
        if let Some(last) = self.state(|state| state.last.clone()) {
            return Ok(last);
        }
        let seen = self.state(|state| state.seen.last().map(|(_, highest)| Offset(highest.clone())));
        let highest = self.highest(connection, seen.or_else(|| start.cloned())).await?;
        let now = self.clock.monotonic();
        let settle = self.settings.settle.0;
        Ok(self.state(|state| {
            state.looked = Some(now);
            if state.bounded {
                state.last = Some(highest.clone());
                return highest;
            }
            state.seen.extend(highest.map(|highest| (now, highest)));
            let settled = state.seen.iter().rposition(|(at, _)| now.saturating_sub(*at) >= settle);
            state.seen.drain(..settled.unwrap_or(0));
            settled.and_then(|_| state.seen.first().map(|(_, value)| value.clone()))
        }))
    }

    /// Plans on the connection that is kept for that. The server may have ended it since.
    async fn plan(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let mut idle = self.idle.lock().await;
        if let Some(mut kept) = idle.take() {
            match self.plan_on(&mut *kept, start).await {
                Err(error) if error.kind() == Kind::Unavailable => {}
                planned => {
                    *idle = planned.is_ok().then_some(kept);
                    return planned;
                }
            }
        }
        let mut connection = self.place.connect().await?;
        let planned = self.plan_on(&mut *connection, start).await?;
        *idle = Some(connection);
        Ok(planned)
    }

    async fn plan_on(
        &self,
        connection: &mut dyn Connection,
        start: Option<&Offset>,
    ) -> Result<Option<Planned>> {
        let Some(reach) = self.reach(connection, start).await? else { return Ok(None) };
        if start.is_some_and(|start| start.0 == reach) {
            return Ok(None);
        }
        let from = self.rows.from(&self.place);
        let end = match self.options.max_per_trigger {
            Some(Limit::Rows(most)) if !self.state(|state| state.whole) => {
                let (column, within) = (self.column(), self.within(start, Some(&reach))?);
                let query = format!(
                    "SELECT {column} FROM {from}{within} ORDER BY {column} LIMIT 1 OFFSET {}",
                    most.max(1) - 1
                );
                self.one(connection, &query).await?.unwrap_or_else(|| reach.clone())
            }
            _ => reach.clone(),
        };
        let count = |rows: &Vec<Vec<Value>>| match rows.first().and_then(|row| row.first()) {
            Some(Value::Integer(number)) => u64::try_from(*number).unwrap_or_default(),
            Some(Value::Text(text)) => text.parse().unwrap_or_default(),
            _ => 0,
        };
        let behind = Offset(end.clone());
        let query = format!("SELECT count(*) FROM {from}{}", self.within(Some(&behind), Some(&reach))?);
        let backlog = if end == reach { 0 } else { count(&connection.query(&query).try_collect().await?) };
        Ok(Some(Planned { range: Range { start: start.cloned(), end: behind, detail: Json::Null }, backlog }))
    }

    fn of(&self, error: Error) -> Error {
        error.while_doing(self.place.shown.clone())
    }
}

fn is_number(of: &DataType) -> bool {
    of.is_integer() || matches!(of, DataType::Decimal128(_, 0))
}

#[async_trait]
impl Source for SqlSource {
    fn facts(&self) -> SourceFacts {
        let what = match &self.rows {
            Rows::Table(table) => table.to_string(),
            Rows::Query(_) => "a query".into(),
        };
        let description = format!("SqlSource[{what} of {}]", self.place.shown);
        SourceFacts {
            identity: format!("SqlSource[{}, by {}]", self.rows.from(&self.place), self.settings.column),
            description,
            replayable: true,
            needs_history: false,
            consumes: false,
        }
    }

    fn schema(&self, _: Option<&Range>) -> Result<SchemaRef> {
        self.known()
    }

    async fn restore(&self, _: History, reach: Reach) -> Result<()> {
        self.state(|state| {
            *state =
                State { bounded: reach != Reach::Endless, whole: reach == Reach::Once, ..State::default() };
        });
        let mut connection = self.place.connect().await?;
        let schema = self.rows.schema(&self.place, &mut *connection, self.options.schema.as_ref()).await;
        let schema = schema.map_err(|e| self.of(e))?;
        // The column that rises need not be among those that are asked for.
        let whole = self.rows.schema(&self.place, &mut *connection, None).await.map_err(|e| self.of(e))?;
        let Ok(rising) = whole.field_with_name(&self.settings.column) else {
            let there: Vec<&str> = whole.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(Error::invalid(format!(
                "there is no column `{}`; there are: {}",
                self.settings.column,
                there.join(", ")
            )));
        };
        let _ = self.rising.set(rising.data_type().clone());
        let _ = self.schema.set(schema);
        Ok(())
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        self.plan(start).await.map_err(|e| self.of(e))
    }

    async fn wait(&self) {
        let now = self.clock.monotonic();
        let looked = self.state(|state| state.looked).unwrap_or(Duration::ZERO);
        let wait = (looked + self.settings.every.0).saturating_sub(now);
        self.clock.sleep(wait.max(Duration::from_millis(1))).await;
    }

    async fn read(&self, range: &Range, _: usize) -> Result<Vec<BatchStream>> {
        let schema = self.known()?;
        let column = self.column();
        let query = format!(
            "SELECT {} FROM {}{} ORDER BY {column}",
            selected(&self.place, &schema),
            self.rows.from(&self.place),
            self.within(range.start.as_ref(), Some(&range.end.0))?
        );
        let connection = self.place.connect().await?;
        let batches = Batches::new(
            schema,
            self.options.time_zone.clone(),
            self.options.on_bad_data,
            &self.place.shown,
        )?;
        let (sender, receiver) = mpsc::channel(2);
        let (tally, shown) = (self.tally.clone(), self.place.shown.clone());
        tokio::spawn(rows(connection, query, batches, tally, shown, sender));
        Ok(vec![receiver.boxed()])
    }

    async fn release(&self, _: &Range) -> Result<Option<Bytes>> {
        Ok(None)
    }

    fn bad_rows(&self) -> BadRows {
        self.tally.take()
    }
}

/// Sends the rows of a query, until there are no more or nobody wants them.
async fn rows(
    mut connection: Box<dyn Connection>,
    query: String,
    mut batches: Batches,
    tally: Tally,
    shown: String,
    mut sender: mpsc::Sender<Result<Batch>>,
) {
    let of: Arc<str> = shown.as_str().into();
    let mut sent = 0;
    let mut batch = |rows: RecordBatch| {
        let first = sent + 1;
        sent += rows.num_rows() as u64;
        Ok(Batch::read(rows, Origin::At { of: of.clone(), unit: "row", first }))
    };
    let mut all = connection.query(&query);
    loop {
        let full = match all.try_next().await {
            Ok(Some(row)) => batches.push(&row),
            Ok(None) => break,
            Err(error) => Err(error),
        };
        let message = match full {
            Ok(None) => continue,
            Ok(Some(rows)) => batch(rows),
            Err(error) => Err(error.while_doing(shown.clone())),
        };
        let failed = message.is_err();
        if sender.send(message).await.is_err() || failed {
            return;
        }
    }
    tally.add(std::mem::take(&mut batches.bad_rows));
    if let Some(last) = batches.take().transpose() {
        // Nobody may want it any more.
        let _ = sender.send(last.and_then(batch)).await;
    }
}
