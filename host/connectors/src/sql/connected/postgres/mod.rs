//! PostgreSQL: rows go in by binary COPY, and come out as text.

mod copy;
mod types;

use super::{
    cells::{Cells, Kind, Writing},
    client,
    database::{Chunk, Column, Connection, Database, Dialect, SEQUENCE, TableName, Value, assignments},
    statement::Forbidden,
};
use arrow::datatypes::DataType;
use async_trait::async_trait;
use engine::{Error, Result};
use futures::stream::BoxStream;
use jiff::tz::TimeZone;
use sqlx::{
    ConnectOptions, Row, TypeInfo, ValueRef,
    postgres::{PgConnectOptions, PgConnection, PgQueryResult, PgRow},
};

pub(super) static DIALECT: Dialect = Dialect {
    name: "PostgreSQL",
    quote: '"',
    backslash: false,
    same: "IS NOT DISTINCT FROM",
    writing: Writing { utc: "+00", nan: true, infinity: true },
    begin: "BEGIN",
    one_writer: false,
    longest_name: 63,
    columns,
    unique,
    staging,
    replace: |keys, others| {
        let keys = DIALECT.list(keys);
        match assignments(&DIALECT, others, "excluded.", "") {
            none if none.is_empty() => format!("ON CONFLICT ({keys}) DO NOTHING"),
            all => format!("ON CONFLICT ({keys}) DO UPDATE SET {all}"),
        }
    },
    describe: |name, query| {
        format!("CREATE TEMPORARY TABLE {name} AS SELECT * FROM ({query}\n) AS q LIMIT 0")
    },
    described: |name| columns(&TableName { schema: Some("pg_temp".into()), name: name.into() }),
    forget: |name| format!("DROP TABLE {name}"),
    // The files of the server, other servers, what a session is set to, and the catalog, which a superuser may change.
    forbidden: Forbidden {
        words: &["lo_import", "lo_export", "set_config", "xpath_table"],
        beginnings: &["pg_", "dblink"],
    },
    rounds_floats: false,
};

/// The type of an attribute `a`, or of what its domain is made of.
const TYPE: &str = "CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END";

fn regclass(table: &TableName) -> String {
    format!("to_regclass({})", DIALECT.text(&table.quoted(&DIALECT)))
}

fn columns(table: &TableName) -> String {
    format!(
        "SELECT a.attname, CASE b.typtype WHEN 'e' THEN 'enum' ELSE \
         format_type({TYPE}, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) END, \
         a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' \
         FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_type b ON b.oid = {TYPE} \
         WHERE a.attrelid = {} AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
        regclass(table)
    )
}

fn unique(table: &TableName) -> String {
    format!(
        "SELECT i.indexrelid::text, a.attname FROM pg_index i \
         CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place) \
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number \
         WHERE i.indrelid = {} AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
         AND k.place <= i.indnkeyatts ORDER BY i.indexrelid, k.place",
        regclass(table)
    )
}

fn staging(name: &str, table: &TableName, columns: &[Column]) -> Vec<String> {
    let columns = DIALECT.list(columns.iter().map(|column| &column.name));
    vec![format!(
        "CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS SELECT {columns}, 0::bigint AS {SEQUENCE} FROM {} LIMIT 0",
        table.quoted(&DIALECT)
    )]
}

/// A PostgreSQL server.
pub(super) struct Postgres {
    options: PgConnectOptions,
    zone: TimeZone,
}

impl Postgres {
    /// `zone` is that of times without one.
    pub(super) fn new(options: PgConnectOptions, zone: TimeZone) -> Self {
        Postgres { options: options.application_name("streamhost").disable_statement_logging(), zone }
    }
}

#[async_trait]
impl Database for Postgres {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn column_type(&self, of: Kind, _: bool) -> String {
        types::column_type(of)
    }

    fn arrow_type(&self, column_type: &str) -> DataType {
        types::arrow_type(column_type)
    }

    fn encode(&self, into: &[Column], cells: &Cells) -> Result<Chunk> {
        cells.columns.iter().zip(into).try_for_each(|((kind, _), column)| copy::fits(*kind, column))?;
        copy::encode(into, cells, &self.zone).map(Chunk::Bytes)
    }

    async fn connect(&self) -> Result<Box<dyn Connection>> {
        let connection = self.options.connect().await.map_err(|e| client::failed(&DIALECT, e))?;
        let mut connection = PostgresConnection(connection);
        // Texts in statements are quoted by doubling the quotes in them.
        connection.execute("SET standard_conforming_strings = on").await?;
        // Two sinks of a query that change the same row would wait for each other for ever.
        let waits =
            "SELECT set_config('lock_timeout', '60s', false) WHERE current_setting('lock_timeout') = '0'";
        connection.execute(waits).await?;
        Ok(Box::new(connection))
    }
}

struct PostgresConnection(PgConnection);

#[async_trait]
impl Connection for PostgresConnection {
    async fn execute(&mut self, statement: &str) -> Result<u64> {
        client::execute(&DIALECT, &mut self.0, statement, PgQueryResult::rows_affected).await
    }

    fn query<'c>(&'c mut self, query: &str) -> BoxStream<'c, Result<Vec<Value>>> {
        client::rows(&DIALECT, &mut self.0, query, values)
    }

    async fn load(&mut self, table: &str, columns: &[Column], chunk: Chunk) -> Result<()> {
        let Chunk::Bytes(bytes) = chunk else { return Err(client::other_chunk()) };
        let names = DIALECT.list(columns.iter().map(|column| &column.name));
        let failed = |e| client::failed(&DIALECT, e);
        let statement = format!("COPY {table} ({names}) FROM STDIN (FORMAT binary)");
        let mut copy = self.0.copy_in_raw(&statement).await.map_err(failed)?;
        for part in [copy::HEADER, &bytes, copy::TRAILER] {
            copy.send(part).await.map_err(failed)?;
        }
        copy.finish().await.map(drop).map_err(failed)
    }

    async fn execute_each(&mut self, statement: &str, parameters: Vec<Vec<Value>>) -> Result<u64> {
        /// Statements that are sent at once.
        const AT_ONCE: usize = 100;
        self.execute(&format!("PREPARE streamhost_statement AS {statement}")).await?;
        let mut changed = 0;
        for rows in parameters.chunks(AT_ONCE) {
            let calls = rows.iter().map(|row| call(row)).collect::<Result<Vec<_>>>()?;
            changed += self.execute(&calls.join(";")).await?;
        }
        self.execute("DEALLOCATE streamhost_statement").await?;
        Ok(changed)
    }
}

/// The server takes a text without a type for whatever type the parameter has.
fn call(parameters: &[Value]) -> Result<String> {
    let literals = parameters.iter().map(literal).collect::<Result<Vec<_>>>()?;
    Ok(match literals.is_empty() {
        true => "EXECUTE streamhost_statement".into(),
        false => format!("EXECUTE streamhost_statement({})", literals.join(",")),
    })
}

fn literal(value: &Value) -> Result<String> {
    Ok(match value {
        Value::Null => "NULL".into(),
        Value::Integer(value) => format!("'{value}'"),
        Value::Real(value) => format!("'{value}'"),
        Value::Text(text) if text.contains('\0') => {
            return Err(Error::data(
                "a text has a NUL in it, which PostgreSQL does not store; take it out in a step before",
            ));
        }
        // With escapes it ends where it should however the session reads a backslash in other texts.
        Value::Text(text) => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        Value::Bytes(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("E'\\\\x{digits}'")
        }
    })
}

fn values(row: &PgRow) -> Result<Vec<Value>> {
    (0..row.len()).map(|index| value(row, index)).collect()
}

fn value(row: &PgRow, index: usize) -> Result<Value> {
    let raw = row.try_get_raw(index).map_err(|e| client::failed(&DIALECT, e))?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let unreadable = |e| Error::data(format!("column {index} of the answer")).caused_by(e);
    let text = raw.as_str().map_err(unreadable)?;
    Ok(match raw.type_info().name() {
        "BOOL" => Value::Integer((text == "t").into()),
        "BYTEA" => Value::Bytes(bytes(text)?),
        _ => Value::Text(text.to_owned()),
    })
}

/// `\x` and two digits a byte.
fn bytes(text: &str) -> Result<Vec<u8>> {
    let bad = || Error::internal("PostgreSQL shows bytes in a way that is not known");
    let digits = text.strip_prefix("\\x").ok_or_else(bad)?;
    let digit = |of: &u8| char::from(*of).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(|two| pair(two).ok_or_else(bad)).collect()
}
