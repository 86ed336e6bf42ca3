//! MariaDB and MySQL.

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
    Column as _, ConnectOptions, Row, TypeInfo,
    mysql::{MySqlConnectOptions, MySqlConnection, MySqlQueryResult, MySqlRow},
};

pub(super) static DIALECT: Dialect = Dialect {
    name: "MySQL",
    quote: '`',
    backslash: true,
    same: "<=>",
    writing: Writing { utc: "", nan: false, infinity: false },
    begin: "START TRANSACTION",
    one_writer: false,
    longest_name: 64,
    columns: |table| {
        format!(
            "SELECT column_name, lower(column_type), is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE '%auto_increment%' \
             FROM information_schema.columns WHERE {} AND extra NOT LIKE '%GENERATED%' ORDER BY ordinal_position",
            is(table)
        )
    },
    unique: |table| {
        format!(
            "SELECT index_name, column_name FROM information_schema.statistics \
             WHERE {} AND non_unique = 0 ORDER BY index_name, seq_in_index",
            is(table)
        )
    },
    staging: |name, table, columns| {
        let columns = DIALECT.list(columns.iter().map(|column| &column.name));
        vec![
            format!("DROP TEMPORARY TABLE IF EXISTS {name}"),
            format!(
                "CREATE TEMPORARY TABLE {name} AS SELECT {columns}, CAST(0 AS SIGNED) AS {SEQUENCE} FROM {} LIMIT 0",
                table.quoted(&DIALECT)
            ),
        ]
    },
    replace: |keys, others| {
        // A row that is nothing but its key stays as it is.
        let all = if others.is_empty() { keys } else { others };
        format!("ON DUPLICATE KEY UPDATE {}", assignments(&DIALECT, all, "VALUES(", ")"))
    },
    describe: |name, query| {
        format!("CREATE TEMPORARY TABLE {name} AS SELECT * FROM ({query}\n) AS q LIMIT 0")
    },
    described: |name| format!("SHOW COLUMNS FROM {name}"),
    forget: |name| format!("DROP TEMPORARY TABLE {name}"),
    // The files of the server.
    forbidden: Forbidden { words: &["outfile", "dumpfile", "load_file"], beginnings: &[] },
    rounds_floats: true,
};

fn is(table: &TableName) -> String {
    let schema = table.schema.as_ref().map_or_else(|| "database()".into(), |schema| DIALECT.text(schema));
    format!("table_schema = {schema} AND table_name = {}", DIALECT.text(&table.name))
}

/// A MariaDB or MySQL server.
pub(super) struct Server {
    options: MySqlConnectOptions,
    zone: TimeZone,
}

impl Server {
    /// `zone` is that of times without one.
    pub(super) fn new(options: MySqlConnectOptions, zone: TimeZone) -> Self {
        let options = options.pipes_as_concat(false).timezone(Some("+00:00".to_owned()));
        Server { options: options.disable_statement_logging(), zone }
    }
}

#[async_trait]
impl Database for Server {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    /// An indexed text has a limit.
    fn column_type(&self, of: Kind, key: bool) -> String {
        match of {
            Kind::Boolean => "BOOLEAN".into(),
            Kind::Integer(8) => "TINYINT".into(),
            Kind::Integer(16) => "SMALLINT".into(),
            Kind::Integer(32) => "INT".into(),
            Kind::Integer(_) => "BIGINT".into(),
            Kind::Float32 => "FLOAT".into(),
            Kind::Float64 => "DOUBLE".into(),
            Kind::Decimal(precision, scale) => format!("DECIMAL({precision}, {})", scale.clamp(0, 30)),
            Kind::Text if key => "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin".into(),
            Kind::Text => "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin".into(),
            Kind::Bytes if key => "VARBINARY(255)".into(),
            Kind::Bytes => "LONGBLOB".into(),
            Kind::Date => "DATE".into(),
            Kind::Instant => "TIMESTAMP(6) NULL".into(),
            Kind::Wall => "DATETIME(6)".into(),
            Kind::Json => "JSON".into(),
        }
    }

    fn arrow_type(&self, column_type: &str) -> DataType {
        let (name, arguments) = column_type.split_once('(').unwrap_or((column_type, ""));
        let unsigned = column_type.contains("unsigned");
        let name = name.split(' ').next().unwrap_or_default();
        match name {
            "tinyint" if arguments.starts_with("1)") => DataType::Boolean,
            "tinyint" if unsigned => DataType::Int16,
            "tinyint" => DataType::Int8,
            "smallint" if unsigned => DataType::Int32,
            "smallint" | "year" => DataType::Int16,
            "mediumint" => DataType::Int32,
            "int" if unsigned => DataType::Int64,
            "int" => DataType::Int32,
            "bigint" if unsigned => DataType::Decimal128(20, 0),
            "bigint" => DataType::Int64,
            "float" => DataType::Float32,
            "double" => DataType::Float64,
            "decimal" => client::decimal(arguments).unwrap_or(DataType::Decimal128(38, 18)),
            "date" => DataType::Date32,
            "timestamp" => ddl::timestamp(),
            "datetime" => DataType::Timestamp(TimeUnit::Microsecond, None),
            name if name.ends_with("blob") || name.ends_with("binary") => DataType::Binary,
            _ => DataType::Utf8,
        }
    }

    fn encode(&self, into: &[Column], cells: &Cells) -> Result<Chunk> {
        // A DATETIME has no zone: what is kept there is what a clock of the pipeline shows.
        let zone = |column: &Column| match column.kind.starts_with("datetime") {
            true => self.zone.clone(),
            false => TimeZone::UTC,
        };
        let of = |index: usize| into.get(index).map(|column| (column.name.clone(), zone(column)));
        DIALECT
            .writing
            .rows(cells, |index| of(index).unwrap_or_else(|| (String::new(), TimeZone::UTC)))
            .map(Chunk::Values)
    }

    async fn connect(&self) -> Result<Box<dyn Connection>> {
        let mut connection =
            ServerConnection(self.options.connect().await.map_err(|e| client::failed(&DIALECT, e))?);
        // A value that does not fit is an error, not another value.
        connection.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')").await?;
        Ok(Box::new(connection))
    }
}

struct ServerConnection(MySqlConnection);

#[async_trait]
impl Connection for ServerConnection {
    async fn execute(&mut self, statement: &str) -> Result<u64> {
        client::execute(&DIALECT, &mut self.0, statement, MySqlQueryResult::rows_affected).await
    }

    fn query<'c>(&'c mut self, query: &str) -> BoxStream<'c, Result<Vec<Value>>> {
        client::rows(&DIALECT, &mut self.0, query, values)
    }

    async fn load(&mut self, table: &str, columns: &[Column], chunk: Chunk) -> Result<()> {
        /// The protocol's limit of parameters in a statement.
        const MOST: usize = 65_535;
        for (statement, rows) in client::inserts(&DIALECT, table, columns, chunk, MOST)? {
            self.run(statement, rows).await?;
        }
        Ok(())
    }

    async fn execute_each(&mut self, statement: &str, parameters: Vec<Vec<Value>>) -> Result<u64> {
        let (statement, order) = client::in_order(statement);
        let mut changed = 0;
        for row in parameters {
            let row = order.iter().map(|at| row.get(*at).cloned().unwrap_or(Value::Null)).collect();
            changed += self.run(statement.clone(), row).await?;
        }
        Ok(changed)
    }
}

impl ServerConnection {
    async fn run(&mut self, statement: String, values: Vec<Value>) -> Result<u64> {
        client::run(&DIALECT, &mut self.0, statement, values, MySqlQueryResult::rows_affected).await
    }
}

/// The server sends every value as text.
fn values(row: &MySqlRow) -> Result<Vec<Value>> {
    let value = |index: usize| {
        let bytes = row.try_get_unchecked::<Option<&[u8]>, _>(index);
        let bytes = bytes.map_err(|e| client::failed(&DIALECT, e))?;
        // The server does not say that a point in time is in the session's zone, UTC.
        let utc = if row.column(index).type_info().name() == "TIMESTAMP" { "+00" } else { "" };
        Ok(bytes.map_or(Value::Null, |bytes| match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(format!("{text}{utc}")),
            Err(_) => Value::Bytes(bytes.to_owned()),
        }))
    };
    (0..row.len()).map(value).collect()
}
