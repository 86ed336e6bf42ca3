//! Tables that rows are stored in: what they have to be like, and how they are made.

use super::{
    cells::kind_of,
    database::{Column, Connection, TableName},
    place::{Place, Shape},
};
use crate::sql::SqlSinkSettings;
use arrow::datatypes::Schema;
use engine::{Error, Result};

/// A table whose columns are known to take the rows.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: TableName,
    /// The table's columns that the rows have, in the order of the rows'.
    pub(super) columns: Vec<Column>,
    pub(super) keys: Vec<String>,
}

impl Target {
    /// Looks a table up, and makes it if that is asked for and there is none.
    pub(super) async fn find(
        place: &Place,
        connection: &mut dyn Connection,
        name: TableName,
        settings: &SqlSinkSettings,
        rows: &Schema,
    ) -> Result<Target> {
        let mut shape = place.shape(connection, &name).await?;
        if shape.columns.is_empty() {
            let statements = creation(place, &name, &settings.keys, rows)?;
            if !settings.create {
                return Err(Error::invalid(format!(
                    "there is no table {name}; set `create = true`, or create it with: {}",
                    statements.join("; ")
                )));
            }
            shape = create(place, connection, &name, &statements).await?;
        }
        let columns = matching(&name, &shape, rows)?;
        refuse_unindexed(place, &name, &shape, &settings.keys)?;
        let named = |key: &String| rows.fields().iter().position(|field| field.name() == key);
        let keys =
            settings.keys.iter().filter_map(|key| columns.get(named(key)?).map(|column| column.name.clone()));
        Ok(Target { keys: keys.collect(), name, columns })
    }

    /// The names of the columns that are no keys.
    pub(super) fn others(&self) -> Vec<String> {
        let names = self.columns.iter().map(|column| column.name.clone());
        names.filter(|name| !self.keys.contains(name)).collect()
    }
}

/// Runs the statements that make a table. Of two hosts that do so at the same time one may be told that it is there.
pub(super) async fn create(
    place: &Place,
    connection: &mut dyn Connection,
    name: &TableName,
    statements: &[String],
) -> Result<Shape> {
    for statement in statements {
        if let Err(error) = connection.execute(statement).await {
            let shape = place.shape(connection, name).await?;
            return if shape.columns.is_empty() {
                Err(error.while_doing(statement.clone()))
            } else {
                Ok(shape)
            };
        }
    }
    place.shape(connection, name).await
}

/// The statements that make a table for such rows.
fn creation(place: &Place, name: &TableName, keys: &[String], rows: &Schema) -> Result<Vec<String>> {
    let dialect = place.database.dialect();
    let column = |field: &arrow::datatypes::FieldRef| {
        let kind = kind_of(field)?;
        let key = keys.contains(field.name());
        Ok(format!("{} {}", dialect.quoted(field.name()), place.database.column_type(kind, key)))
    };
    let columns = rows.fields().iter().map(column).collect::<Result<Vec<_>>>()?.join(", ");
    let table = name.quoted(dialect);
    let mut statements = vec![format!("CREATE TABLE {table} ({columns})")];
    if !keys.is_empty() {
        statements.push(index(place, name, keys));
    }
    Ok(statements)
}

/// The statement that makes the index by which rows replace others. A key may be NULL, so it is no primary key.
fn index(place: &Place, name: &TableName, keys: &[String]) -> String {
    let dialect = place.database.dialect();
    let index = format!("{}_key", name.name);
    let start = index.len().saturating_sub(dialect.longest_name);
    let start = (start..).find(|at| index.is_char_boundary(*at)).unwrap_or(0);
    let index = dialect.quoted(index.get(start..).unwrap_or_default());
    format!("CREATE UNIQUE INDEX {index} ON {} ({})", name.quoted(dialect), dialect.list(keys))
}

/// The table's columns for those of the rows.
fn matching(name: &TableName, shape: &Shape, rows: &Schema) -> Result<Vec<Column>> {
    let mut columns = Vec::with_capacity(rows.fields().len());
    for field in rows.fields() {
        kind_of(field)?;
        let exact = shape.columns.iter().find(|column| column.name == *field.name());
        let found =
            exact.or_else(|| shape.columns.iter().find(|c| c.name.eq_ignore_ascii_case(field.name())));
        let Some(column) = found else {
            let there: Vec<&str> = shape.columns.iter().map(|column| column.name.as_str()).collect();
            return Err(Error::invalid(format!(
                "table {name} has no column {}; it has {}; name the columns in a step before as the table does, or add it there",
                field.name(),
                there.join(", ")
            )));
        };
        columns.push(column.clone());
    }
    match shape.columns.iter().find(|column| column.required && !columns.contains(column)) {
        Some(column) => Err(Error::invalid(format!(
            "table {name} wants a value for column {}, and the rows have none; add it in a step before, or give the column a default",
            column.name
        ))),
        None => Ok(columns),
    }
}

/// Without an index on the keys, a database would find every row new.
fn refuse_unindexed(place: &Place, name: &TableName, shape: &Shape, keys: &[String]) -> Result<()> {
    let same = |index: &Vec<String>| {
        index.len() == keys.len()
            && index.iter().all(|of| keys.iter().any(|key| key.eq_ignore_ascii_case(of)))
    };
    if keys.is_empty() || shape.unique.iter().any(same) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "table {name} has no unique index on {}, by which rows could replace others; create it with: {}",
        keys.join(", "),
        index(place, name, keys)
    )))
}
