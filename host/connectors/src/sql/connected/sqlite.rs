//! SQLite: a database in a file, within this process.

use super::{
    cells::{Cells, Kind, Writing},
    client,
    database::{Chunk, Column, Connection, Database, Dialect, SEQUENCE, TableName, Value, assignments},
    statement::Forbidden,
};
use crate::formats::ddl;
use arrow::datatypes::{DataType, TimeUnit};
use async_trait::async_trait;
use engine::Result;
use futures::stream::BoxStream;
use jiff::tz::TimeZone;
use sqlx::{
    ConnectOptions, Decode, Row, Sqlite, TypeInfo, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteQueryResult, SqliteRow},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

pub(super) static DIALECT: Dialect = Dialect {
    name: "SQLite",
    quote: '"',
    backslash: false,
    same: "IS",
    // As its own functions for times read it.
    writing: Writing { utc: "Z", nan: false, infinity: true },
    // One that only reads at first could not become a writer later, if another has become one meanwhile.
    begin: "BEGIN IMMEDIATE",
    one_writer: true,
    longest_name: 1_000,
    columns,
    unique: |table| {
        let of = arguments(table);
        format!(
            "SELECT 'primary key', name FROM pragma_table_info({of}) WHERE pk > 0 UNION ALL \
             SELECT l.name, i.name FROM pragma_index_list({of}) l JOIN pragma_index_info(l.name) i \
             WHERE l.\"unique\" AND NOT l.partial"
        )
    },
    // Without types values stay what they are, until they are in the table that they are for.
    staging: |name, _, columns| {
        let columns = DIALECT.list(columns.iter().map(|column| &column.name));
        vec![
            format!("DROP TABLE IF EXISTS temp.{name}"),
            format!("CREATE TEMPORARY TABLE {name} ({columns}, {SEQUENCE})"),
        ]
    },
    replace: |keys, others| {
        let keys = DIALECT.list(keys);
        match assignments(&DIALECT, others, "excluded.", "") {
            none if none.is_empty() => format!("ON CONFLICT ({keys}) DO NOTHING"),
            all => format!("ON CONFLICT ({keys}) DO UPDATE SET {all}"),
        }
    },
    describe: |name, query| format!("CREATE TEMPORARY VIEW {name} AS SELECT * FROM ({query}\n)"),
    described: |name| columns(&TableName { schema: Some("temp".into()), name: name.into() }),
    forget: |name| format!("DROP VIEW temp.{name}"),
    forbidden: Forbidden { words: &["load_extension"], beginnings: &[] },
    rounds_floats: false,
};

fn columns(table: &TableName) -> String {
    format!(
        "SELECT name, lower(type), \"notnull\" AND dflt_value IS NULL AND NOT (pk = 1 AND lower(type) = 'integer') \
         FROM pragma_table_info({}) ORDER BY cid",
        arguments(table)
    )
}

fn arguments(table: &TableName) -> String {
    let schema = table.schema.as_ref().map(|schema| format!(", {}", DIALECT.text(schema)));
    DIALECT.text(&table.name) + &schema.unwrap_or_default()
}

/// A database file.
pub(super) struct SqliteFile(SqliteConnectOptions);

impl SqliteFile {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        SqliteFile(options.disable_statement_logging())
    }
}

#[async_trait]
impl Database for SqliteFile {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    /// The names tell SQLite by their letters how to keep values, and say here what is meant. A DECIMAL of more digits than a
    /// double holds is kept as text.
    fn column_type(&self, of: Kind, _: bool) -> String {
        match of {
            Kind::Boolean => "BOOLEAN".into(),
            Kind::Integer(8) => "TINYINT".into(),
            Kind::Integer(16) => "SMALLINT".into(),
            Kind::Integer(32) => "INT".into(),
            Kind::Integer(_) => "BIGINT".into(),
            Kind::Float32 => "FLOAT".into(),
            Kind::Float64 => "DOUBLE".into(),
            Kind::Decimal(precision, scale) if precision <= 15 => {
                format!("DECIMAL({precision}, {})", scale.max(0))
            }
            Kind::Decimal(precision, scale) => format!("DECIMAL_TEXT({precision}, {})", scale.max(0)),
            Kind::Text => "TEXT".into(),
            Kind::Bytes => "BLOB".into(),
            Kind::Date => "DATE".into(),
            Kind::Instant => "TIMESTAMP".into(),
            Kind::Wall => "DATETIME".into(),
            Kind::Json => "JSON_TEXT".into(),
        }
    }

    fn arrow_type(&self, column_type: &str) -> DataType {
        let (name, arguments) = column_type.split_once('(').unwrap_or((column_type, ""));
        match name.trim() {
            "boolean" | "bool" => DataType::Boolean,
            "tinyint" => DataType::Int8,
            "smallint" => DataType::Int16,
            "int" | "int4" | "mediumint" => DataType::Int32,
            "float" => DataType::Float32,
            "decimal" | "numeric" | "decimal_text" => client::decimal(arguments).unwrap_or(DataType::Float64),
            "date" => DataType::Date32,
            "timestamp" => ddl::timestamp(),
            "datetime" => DataType::Timestamp(TimeUnit::Microsecond, None),
            name if name.contains("int") => DataType::Int64,
            name if name.contains("real") || name.contains("floa") || name.contains("doub") => {
                DataType::Float64
            }
            name if name.contains("blob") => DataType::Binary,
            _ => DataType::Utf8,
        }
    }

    fn encode(&self, into: &[Column], cells: &Cells) -> Result<Chunk> {
        let of = |index: usize| into.get(index).map(|column| column.name.clone()).unwrap_or_default();
        DIALECT.writing.rows(cells, |index| (of(index), TimeZone::UTC)).map(Chunk::Values)
    }

    fn file(&self) -> Option<&Path> {
        Some(self.0.get_filename())
    }

    async fn connect(&self) -> Result<Box<dyn Connection>> {
        /// Instructions of SQLite's machine between two looks.
        const BETWEEN: i32 = 100_000;
        let failed = |e| client::failed(&DIALECT, e);
        let mut connection = self.0.connect().await.map_err(failed)?;
        let unwanted = Arc::new(AtomicBool::new(false));
        let seen = unwanted.clone();
        let mut handle = connection.lock_handle().await.map_err(failed)?;
        handle.set_progress_handler(BETWEEN, move || !seen.load(Relaxed));
        drop(handle);
        Ok(Box::new(SqliteFileConnection { connection, unwanted }))
    }
}

struct SqliteFileConnection {
    connection: SqliteConnection,
    /// Set when it is dropped: a statement that still runs then, in a thread of SQLite's own, is to end and give its locks back.
    unwanted: Arc<AtomicBool>,
}

impl Drop for SqliteFileConnection {
    fn drop(&mut self) {
        self.unwanted.store(true, Relaxed);
    }
}

#[async_trait]
impl Connection for SqliteFileConnection {
    async fn execute(&mut self, statement: &str) -> Result<u64> {
        client::execute(&DIALECT, &mut self.connection, statement, SqliteQueryResult::rows_affected).await
    }

    fn query<'c>(&'c mut self, query: &str) -> BoxStream<'c, Result<Vec<Value>>> {
        client::rows(&DIALECT, &mut self.connection, query, values)
    }

    async fn load(&mut self, table: &str, columns: &[Column], chunk: Chunk) -> Result<()> {
        /// SQLite's limit of parameters in a statement.
        const MOST: usize = 32_766;
        for (statement, rows) in client::inserts(&DIALECT, table, columns, chunk, MOST)? {
            self.run(statement, rows).await?;
        }
        Ok(())
    }

    async fn execute_each(&mut self, statement: &str, parameters: Vec<Vec<Value>>) -> Result<u64> {
        let mut changed = 0;
        for row in parameters {
            changed += self.run(statement.to_owned(), row).await?;
        }
        Ok(changed)
    }
}

impl SqliteFileConnection {
    async fn run(&mut self, statement: String, values: Vec<Value>) -> Result<u64> {
        client::run(&DIALECT, &mut self.connection, statement, values, SqliteQueryResult::rows_affected).await
    }
}

fn values(row: &SqliteRow) -> Result<Vec<Value>> {
    (0..row.len()).map(|index| value(row, index).map_err(|e| client::failed(&DIALECT, e))).collect()
}

fn value(row: &SqliteRow, index: usize) -> sqlx::Result<Value> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let decoded = match kind.as_str() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(raw).map(Value::Integer),
        "REAL" => <f64 as Decode<Sqlite>>::decode(raw).map(Value::Real),
        "BLOB" => <Vec<u8> as Decode<Sqlite>>::decode(raw).map(Value::Bytes),
        _ => <String as Decode<Sqlite>>::decode(raw).map(Value::Text),
    };
    decoded.map_err(sqlx::Error::Decode)
}
