//! Rows of a database as batches.

use super::{
    database::{Connection, TableName, Value},
    place::Place,
};
use crate::{
    formats::{
        columns::{Column, Columns, Values},
        csv::decode::push,
        ddl, json,
        rows::BATCH_ROWS,
    },
    source::{OnBadData, SchemaOption},
};
use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use engine::{BadRows, Error, Position, Result};
use futures::TryStreamExt;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// A table or a query.
#[derive(Clone, Debug)]
pub(super) enum Rows {
    Table(TableName),
    /// Without a semicolon at its end.
    Query(String),
}

impl Rows {
    /// [`engine::Kind::Invalid`] unless just one of the two is set.
    pub(super) fn new(table: Option<&String>, query: Option<&String>) -> Result<Self> {
        match (table, query) {
            (Some(table), None) => Ok(Rows::Table(TableName::parse(table))),
            (None, Some(query)) => Ok(Rows::Query(query.trim().trim_end_matches(';').to_owned())),
            _ => Err(Error::invalid("name a `table` or write a `query`, one of the two")),
        }
    }

    /// The text behind FROM.
    pub(super) fn from(&self, place: &Place) -> String {
        match self {
            Rows::Table(table) => table.quoted(place.database.dialect()),
            // A comment at its end is not to swallow the bracket.
            Rows::Query(query) => format!("({query}\n) AS q"),
        }
    }

    /// The columns: those of a DDL, or what the database says.
    pub(super) async fn schema(
        &self,
        place: &Place,
        connection: &mut dyn Connection,
        schema: Option<&SchemaOption>,
    ) -> Result<SchemaRef> {
        if let Some(SchemaOption::Ddl(text)) = schema {
            return ddl::parse(text).map(Arc::new);
        }
        let columns = match self {
            Rows::Table(table) => place.shape(connection, table).await?.columns,
            Rows::Query(query) => described(place, connection, query).await?,
        };
        if columns.is_empty() {
            let Rows::Table(name) = self else { return Err(Error::invalid("the query has no columns")) };
            return Err(Error::invalid(format!("there is no table {name}; name one that is there")));
        }
        let field = |column: &super::database::Column| {
            Field::new(&column.name, place.database.arrow_type(&column.kind), true)
        };
        Ok(Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>())))
    }
}

async fn described(
    place: &Place,
    connection: &mut dyn Connection,
    query: &str,
) -> Result<Vec<super::database::Column>> {
    /// What has the columns of the query for a moment.
    const SHAPE: &str = "streamhost_shape";
    let dialect = place.database.dialect();
    connection.execute(&(dialect.describe)(SHAPE, query)).await?;
    let rows: Vec<_> = connection.query(&(dialect.described)(SHAPE)).try_collect().await?;
    connection.execute(&(dialect.forget)(SHAPE)).await?;
    rows.into_iter().map(super::place::column).collect()
}

/// The columns behind SELECT.
pub(super) fn selected(place: &Place, schema: &Schema) -> String {
    let dialect = place.database.dialect();
    let column = |field: &Arc<Field>| {
        let name = dialect.quoted(field.name());
        match field.data_type() {
            DataType::Float32 if dialect.rounds_floats => format!("CAST({name} AS DOUBLE) AS {name}"),
            _ => name,
        }
    };
    schema.fields().iter().map(column).collect::<Vec<_>>().join(", ")
}

/// Collects rows into batches.
pub(super) struct Batches {
    columns: Columns,
    schema: SchemaRef,
    zone: TimeZone,
    on_bad_data: OnBadData,
    /// Where the rows are from, for messages.
    of: Arc<str>,
    seen: u64,
    pub(super) bad_rows: BadRows,
}

impl Batches {
    pub(super) fn new(schema: SchemaRef, zone: TimeZone, on_bad_data: OnBadData, of: &str) -> Result<Self> {
        let columns = Columns::new(schema.fields())?;
        Ok(Batches {
            columns,
            schema,
            zone,
            on_bad_data,
            of: of.into(),
            seen: 0,
            bad_rows: BadRows::default(),
        })
    }

    /// Takes a row; answers a batch once it is full.
    pub(super) fn push(&mut self, row: &[Value]) -> Result<Option<RecordBatch>> {
        self.seen += 1;
        let mut bad = None;
        for (index, value) in row.iter().enumerate() {
            let Some(column) = self.columns.cell(index) else { continue };
            if let Err(why) = fill(column, value, &self.zone) {
                bad = bad.or(Some((index, why)));
            }
        }
        match bad {
            None => self.columns.end_row(),
            Some((index, why)) => self.bad(index, why, row)?,
        }
        if self.columns.rows() == BATCH_ROWS { self.take() } else { Ok(None) }
    }

    #[cold]
    fn bad(&mut self, index: usize, why: &str, row: &[Value]) -> Result<()> {
        let at = Position { of: Some(self.of.clone()), unit: "row", first: self.seen, last: self.seen };
        match self.on_bad_data {
            OnBadData::Fail => {
                let field = self.schema.fields().get(index);
                let (name, kind) =
                    field.map(|f| (f.name().as_str(), ddl::print_type(f.data_type()))).unwrap_or_default();
                let value = row.get(index).map(|value| format!("{value:?}")).unwrap_or_default();
                return Err(Error::data(format!(
                    "{at}: column {name} is {kind}, but {} is not: {why}; set `schema`, or `on-bad-data` to \"permissive\" or \"drop\"",
                    super::cells::shown(&value)
                )));
            }
            OnBadData::Drop => self.columns.abandon_row(),
            OnBadData::Permissive => self.columns.end_row(),
        }
        self.bad_rows.add(BadRows::one(at));
        Ok(())
    }

    /// The rows since the last batch, if there are any.
    pub(super) fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.columns.rows() == 0 { Ok(None) } else { self.columns.take(&self.schema).map(Some) }
    }
}

/// Appends a value; nothing if it does not fit.
fn fill(column: &mut Column, value: &Value, zone: &TimeZone) -> Result<(), &'static str> {
    const MISFIT: &str = "the value does not fit";
    match (&mut column.values, value) {
        (_, Value::Null) => {
            column.push_null();
            return Ok(());
        }
        (Values::Boolean(values), Value::Integer(number)) => values.push(*number != 0),
        (Values::Boolean(values), Value::Text(text)) if text == "1" || text == "0" => {
            values.push(text == "1")
        }
        (Values::Float64(values), Value::Integer(number)) => values.push(*number as f64),
        (Values::Float64(values), Value::Real(number)) => values.push(*number),
        (Values::Float32(values), Value::Real(number)) => values.push(*number as f32),
        (Values::List { .. } | Values::Map { .. } | Values::Struct(_), Value::Text(text)) => {
            return json::decode::single(text.as_bytes(), column, zone);
        }
        (_, value) => {
            let text = match value {
                Value::Text(text) => text.as_bytes().into(),
                Value::Bytes(bytes) => bytes.as_slice().into(),
                Value::Real(number) => std::borrow::Cow::from(number.to_string().into_bytes()),
                Value::Integer(number) => number.to_string().into_bytes().into(),
                Value::Null => return Err(MISFIT),
            };
            return push(column, &text, zone).ok_or(MISFIT);
        }
    }
    column.appended();
    Ok(())
}
