//! What a database has to offer.

use super::{
    cells::{Cells, Kind, Writing},
    statement::Forbidden,
};
use arrow::datatypes::DataType;
use async_trait::async_trait;
use engine::Result;
use futures::stream::BoxStream;
use std::{fmt, path::Path};

/// A database: how it is reached, what its types are, and where its SQL is its own. What the SQL of all databases has in common
/// is written once, by whoever uses this.
#[async_trait]
pub(crate) trait Database: Send + Sync {
    /// Where its SQL is its own.
    fn dialect(&self) -> &'static Dialect;

    /// The type of a column that is made for such values; with `key`, of one that is indexed.
    fn column_type(&self, of: Kind, key: bool) -> String;

    /// What a column of this type is read as.
    fn arrow_type(&self, column_type: &str) -> DataType;

    /// Makes rows ready to be loaded into these columns, one for each of the cells'. An error of kind [`engine::Kind::Data`] names
    /// column and value; one of [`engine::Kind::Invalid`] the column whose type they cannot be stored as.
    fn encode(&self, into: &[Column], cells: &Cells) -> Result<Chunk>;

    /// The file that it is, if it is one.
    fn file(&self) -> Option<&Path> {
        None
    }

    /// A connection of its own.
    async fn connect(&self) -> Result<Box<dyn Connection>>;
}

/// A connection, and with it at most one transaction. Dropping it ends the transaction without a trace.
#[async_trait]
pub(crate) trait Connection: Send {
    /// Runs a statement; answers how many rows it changed.
    async fn execute(&mut self, statement: &str) -> Result<u64>;

    /// The rows of a query, as they come.
    fn query<'c>(&'c mut self, query: &str) -> BoxStream<'c, Result<Vec<Value>>>;

    /// Appends rows to a table whose name is quoted. They were made ready for these columns.
    async fn load(&mut self, table: &str, columns: &[Column], chunk: Chunk) -> Result<()>;

    /// Runs a statement with parameters `$1`, `$2`, … once for each row of them; answers how many rows that changed. The statement is
    /// one that was checked ([`super::statement::checked`]).
    async fn execute_each(&mut self, statement: &str, parameters: Vec<Vec<Value>>) -> Result<u64>;
}

/// Where the SQL of a database is its own.
pub(crate) struct Dialect {
    /// What the database is called.
    pub(crate) name: &'static str,
    /// Around names.
    pub(crate) quote: char,
    /// Whether a backslash in a text is to be doubled.
    pub(crate) backslash: bool,
    /// Equal, where NULL equals NULL.
    pub(crate) same: &'static str,
    /// How values are written as text.
    pub(crate) writing: Writing,
    /// Starts a transaction that will write.
    pub(crate) begin: &'static str,
    /// Whether one who writes keeps all others from writing. Then rows wait in a temporary table until the epoch is committed: two
    /// sinks of a query would else wait for each other for ever.
    pub(crate) one_writer: bool,
    /// The most bytes of a table's name.
    pub(crate) longest_name: usize,
    /// The query for the name, type and "must be given" of each column of a table.
    pub(crate) columns: fn(&TableName) -> String,
    /// The query for the columns of each unique index of a table: the index and one of its columns, in order.
    pub(crate) unique: fn(&TableName) -> String,
    /// The statements that make an empty temporary table which has columns of another, and [`SEQUENCE`].
    pub(crate) staging: fn(&str, &TableName, &[Column]) -> Vec<String>,
    /// What is to follow an INSERT for rows of which some are there by these keys: the other columns are replaced.
    pub(crate) replace: fn(keys: &[String], others: &[String]) -> String,
    /// An empty temporary table, or a view, of the columns of a query.
    pub(crate) describe: fn(name: &str, query: &str) -> String,
    /// The query for the columns of that, as for those of a table.
    pub(crate) described: fn(name: &str) -> String,
    /// Takes it away.
    pub(crate) forget: fn(name: &str) -> String,
    /// What no statement of a plugin has in it.
    pub(crate) forbidden: Forbidden,
    /// Whether a number of single precision is shown with fewer digits than it has.
    pub(crate) rounds_floats: bool,
}

/// The column of a temporary table that says which of two rows came later.
pub(crate) const SEQUENCE: &str = "streamhost_sequence";

impl Dialect {
    /// A name in quotes.
    pub(crate) fn quoted(&self, name: &str) -> String {
        let quote = self.quote;
        format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
    }

    /// Names in quotes, with commas in between.
    pub(crate) fn list(&self, names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
        names.into_iter().map(|name| self.quoted(name.as_ref())).collect::<Vec<_>>().join(", ")
    }

    /// A text in quotes.
    pub(crate) fn text(&self, text: &str) -> String {
        let text = text.replace('\'', "''");
        format!("'{}'", if self.backslash { text.replace('\\', "\\\\") } else { text })
    }
}

/// `"a" = excluded."a", …` for each of the names.
pub(crate) fn assignments(dialect: &Dialect, names: &[String], before: &str, behind: &str) -> String {
    let each =
        names.iter().map(|name| dialect.quoted(name)).map(|name| format!("{name} = {before}{name}{behind}"));
    each.collect::<Vec<_>>().join(", ")
}

/// The name of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TableName {
    /// The schema that it is in; none for the connection's own.
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl TableName {
    /// `name` or `schema.name`.
    pub(crate) fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((schema, name)) => TableName { schema: Some(schema.into()), name: name.into() },
            None => TableName::plain(text),
        }
    }

    /// A name as it is, whatever is in it.
    pub(crate) fn plain(name: &str) -> Self {
        TableName { schema: None, name: name.into() }
    }

    /// With quotes, for a statement.
    pub(crate) fn quoted(&self, dialect: &Dialect) -> String {
        let schema = self.schema.as_ref().map(|schema| format!("{}.", dialect.quoted(schema)));
        schema.unwrap_or_default() + &dialect.quoted(&self.name)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its type, as the database says it, in lower case.
    pub(crate) kind: String,
    /// Whether a row must have a value for it.
    pub(crate) required: bool,
}

/// A value, as it goes to a database or comes from it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// Rows that are ready to be loaded.
#[derive(Debug, PartialEq)]
pub(crate) enum Chunk {
    /// In a format of the database's own.
    Bytes(Vec<u8>),
    /// Row by row.
    Values(Vec<Value>),
}

impl Chunk {
    /// These rows, then others of the same kind.
    pub(crate) fn append(&mut self, other: Chunk) {
        match (self, other) {
            (Chunk::Bytes(all), Chunk::Bytes(more)) => all.extend_from_slice(&more),
            (Chunk::Values(all), Chunk::Values(more)) => all.extend(more),
            (all, more) => *all = more,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// About how many bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Chunk::Bytes(bytes) => bytes.len(),
            Chunk::Values(values) => values.len() * size_of::<Value>(),
        }
    }

    /// Whether there is so much that it pays to load it.
    pub(crate) fn is_full(&self) -> bool {
        self.size() >= 1 << 20
    }
}
