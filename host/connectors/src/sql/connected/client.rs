//! What the clients of all databases have in common: errors, and statements of many rows.

use super::database::{Chunk, Column, Dialect, Value};
use arrow::datatypes::DataType;
use engine::{Error, Kind};
use futures::{StreamExt, stream::BoxStream};
use sqlx::{
    Arguments, AssertSqlSafe, Database, Encode, Executor, IntoArguments, Type, error::DatabaseError,
    mysql::MySqlDatabaseError, postgres::PgDatabaseError,
};
use std::{borrow::Cow, io::ErrorKind};

/// An error of a client, by who has to act.
pub(super) fn failed(dialect: &Dialect, error: sqlx::Error) -> Error {
    let name = dialect.name;
    match error {
        sqlx::Error::Database(error) => of_database(name, &*error),
        sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            refused_tls(name).caused_by(error)
        }
        sqlx::Error::Tls(error) => refused_tls(name).caused_by(error),
        sqlx::Error::Io(error) => {
            Error::new(Kind::Unavailable, format!("{name} is not reachable, or ended the connection"))
                .caused_by(error)
        }
        sqlx::Error::Protocol(what) => Error::new(Kind::Unavailable, format!("{name} broke off: {what}")),
        sqlx::Error::WorkerCrashed => Error::new(Kind::Unavailable, format!("{name} has ended")),
        sqlx::Error::Configuration(error) => {
            Error::invalid(format!("the URL of the {name} database cannot be used")).caused_by(error)
        }
        other => Error::data(format!("a value of {name} cannot be read or written")).caused_by(other),
    }
}

fn refused_tls(name: &str) -> Error {
    Error::invalid(format!(
        "{name} and this host do not agree on an encrypted connection; look at `sslmode`, `sslrootcert` and the server's certificate"
    ))
}

fn of_database(name: &str, error: &dyn DatabaseError) -> Error {
    let code = error.code().unwrap_or(Cow::Borrowed(""));
    let kind = if let Some(mysql) = error.try_downcast_ref::<MySqlDatabaseError>() {
        mysql_kind(mysql.number(), &code)
    } else if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        postgres_kind(&code)
    } else {
        sqlite_kind(&code)
    };
    let mut text = format!("{name}: {}", error.message());
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        let more = [error.detail(), error.hint(), error.r#where()];
        more.into_iter().flatten().for_each(|more| text = format!("{text}; {}", more.replace('\n', " ")));
    }
    if let Some(remedy) = remedy(&code, error) {
        text = format!("{text}; {remedy}");
    }
    Error::new(kind, text)
}

fn remedy(code: &str, error: &dyn DatabaseError) -> Option<&'static str> {
    let number = error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
    Some(match (code, number) {
        ("28P01" | "28000", _) | (_, Some(1045)) => {
            "check the user in the connection's `url`, and its `password`"
        }
        ("3D000", _) | (_, Some(1049)) => {
            "name another database in the connection's `url`, or create this one"
        }
        ("42501", _) | (_, Some(1142 | 1044)) => "grant the user what it needs, or connect as another",
        ("55P03", _) | (_, Some(1205)) => {
            "another transaction holds rows that are to be changed; if it is another sink or output of this query, let one alone write to the table"
        }
        ("14", None) => "the folder of the database file must be there, and be writable",
        _ => return None,
    })
}

/// By the class of the SQLSTATE.
fn postgres_kind(code: &str) -> Kind {
    match code.get(..2).unwrap_or_default() {
        "08" | "40" | "53" | "57" | "58" | "55" => Kind::Unavailable,
        "21" | "22" | "23" | "44" => Kind::Data,
        _ => Kind::Invalid,
    }
}

/// By the server's own number where it says more than the SQLSTATE.
fn mysql_kind(number: u16, code: &str) -> Kind {
    match (number, code.get(..2).unwrap_or_default()) {
        // Too many connections, shut down, killed, waited too long for a lock, deadlock, out of disk or memory.
        (1040 | 1053 | 1317 | 1927 | 1205 | 1213 | 1021 | 1114 | 1037 | 1041 | 1158..=1161, _)
        | (_, "08" | "40") => Kind::Unavailable,
        (1265 | 1366 | 4025, _) | (_, "22" | "23") => Kind::Data,
        _ => Kind::Invalid,
    }
}

/// By the primary result code.
fn sqlite_kind(code: &str) -> Kind {
    match code.parse::<u32>().unwrap_or_default() & 0xff {
        // Busy, locked, out of memory, trouble with the disk, a full disk, trouble with locks.
        5 | 6 | 7 | 10 | 13 | 15 => Kind::Unavailable,
        // Too big, a constraint, a value of another type.
        18..=20 => Kind::Data,
        _ => Kind::Invalid,
    }
}

pub(super) fn other_chunk() -> Error {
    Error::internal("rows were made ready for another database")
}

/// How many rows of so many columns one statement inserts.
fn rows_at_once(columns: usize, most_parameters: usize) -> usize {
    /// More of them make a statement longer, and hardly faster.
    const ENOUGH: usize = 500;
    (most_parameters / columns.max(1)).clamp(1, ENOUGH)
}

/// Runs a statement; answers how many rows it changed, as `count` tells.
pub(super) async fn execute<'c, E, DB>(
    dialect: &'static Dialect,
    connection: E,
    statement: &str,
    count: fn(&DB::QueryResult) -> u64,
) -> Result<u64, Error>
where
    DB: Database,
    E: Executor<'c, Database = DB>,
{
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await;
    done.map(|done| count(&done)).map_err(|e| failed(dialect, e))
}

/// The rows of a query, as they come.
pub(super) fn rows<'c, E, DB>(
    dialect: &'static Dialect,
    connection: E,
    query: &str,
    values: fn(&DB::Row) -> Result<Vec<Value>, Error>,
) -> BoxStream<'c, Result<Vec<Value>, Error>>
where
    DB: Database,
    E: Executor<'c, Database = DB>,
{
    let rows = sqlx::raw_sql(AssertSqlSafe(query.to_owned())).fetch(connection);
    rows.map(move |row| values(&row.map_err(|e| failed(dialect, e))?)).boxed()
}

/// Runs a statement with parameters; answers how many rows it changed, as `count` tells.
pub(super) async fn run<'c, E, DB>(
    dialect: &'static Dialect,
    connection: E,
    statement: String,
    values: Vec<Value>,
    count: fn(&DB::QueryResult) -> u64,
) -> Result<u64, Error>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    E: Executor<'c, Database = DB>,
    Option<i64>: Encode<'static, DB> + Type<DB>,
    i64: Encode<'static, DB> + Type<DB>,
    f64: Encode<'static, DB> + Type<DB>,
    String: Encode<'static, DB> + Type<DB>,
    Vec<u8>: Encode<'static, DB> + Type<DB>,
{
    let mut arguments = DB::Arguments::default();
    for value in values {
        let added = match value {
            Value::Null => arguments.add(None::<i64>),
            Value::Integer(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Text(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
        };
        added.map_err(|e| failed(dialect, sqlx::Error::Encode(e)))?;
    }
    let query = sqlx::query_with::<DB, _>(AssertSqlSafe(statement), arguments);
    query.execute(connection).await.map(|done| count(&done)).map_err(|e| failed(dialect, e))
}

/// The statements that insert rows into these columns of a table, with the values of each.
pub(super) fn inserts(
    dialect: &Dialect,
    table: &str,
    columns: &[Column],
    chunk: Chunk,
    most_parameters: usize,
) -> Result<impl Iterator<Item = (String, Vec<Value>)> + Send + use<>, Error> {
    let Chunk::Values(values) = chunk else { return Err(other_chunk()) };
    let names = dialect.list(columns.iter().map(|column| &column.name));
    let (table, columns, mut values) = (table.to_owned(), columns.len(), values.into_iter());
    let at_once = rows_at_once(columns, most_parameters) * columns.max(1);
    Ok(std::iter::from_fn(move || {
        let now: Vec<Value> = values.by_ref().take(at_once).collect();
        (!now.is_empty()).then(|| (insert(&table, &names, columns, now.len()), now))
    }))
}

/// The statement that inserts rows of these columns; `values` of them.
fn insert(table: &str, names: &str, columns: usize, values: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    let rows = vec![row.as_str(); values / columns.max(1)].join(",");
    format!("INSERT INTO {table} ({names}) VALUES {rows}")
}

/// The DECIMAL of `10, 2)`; none for one that Arrow has no room for.
pub(super) fn decimal(arguments: &str) -> Option<DataType> {
    let mut numbers = arguments.split(')').next()?.split(',').map(|number| number.trim().parse::<u8>());
    let precision = numbers.next()?.ok().filter(|precision| (1..=38).contains(precision))?;
    let scale = numbers.next().and_then(Result::ok).unwrap_or(0).min(precision);
    Some(DataType::Decimal128(precision, scale as i8))
}

/// A statement with parameters `$1`, `$2`, … as one with `?`, and which of them each stands for, from 0.
pub(super) fn in_order(statement: &str) -> (String, Vec<usize>) {
    let (mut text, mut order, mut quote) = (String::with_capacity(statement.len()), Vec::new(), None);
    let mut rest = statement.chars().peekable();
    while let Some(next) = rest.next() {
        match quote {
            Some(open) if next == open => quote = None,
            None if matches!(next, '\'' | '"' | '`') => quote = Some(next),
            None if next == '$' && rest.peek().is_some_and(char::is_ascii_digit) => {
                let mut number = 0usize;
                while let Some(digit) = rest.peek().and_then(|next| next.to_digit(10)) {
                    number = number.saturating_mul(10).saturating_add(digit as usize);
                    rest.next();
                }
                text.push('?');
                order.push(number.saturating_sub(1));
                continue;
            }
            _ => {}
        }
        text.push(next);
    }
    (text, order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_put_in_the_order_in_which_they_are_named() {
        let (text, order) = in_order("UPDATE t SET a = $2, b = '$1' WHERE k = $1 AND c = $2");
        assert_eq!(text, "UPDATE t SET a = ?, b = '$1' WHERE k = ? AND c = ?");
        assert_eq!(order, [1, 0, 1]);
    }

    #[test]
    fn errors_say_who_has_to_act() {
        assert_eq!(postgres_kind("57P01"), Kind::Unavailable);
        assert_eq!(postgres_kind("23505"), Kind::Data);
        assert_eq!(postgres_kind("28P01"), Kind::Invalid);
        assert_eq!(mysql_kind(1045, "28000"), Kind::Invalid);
        assert_eq!(mysql_kind(1213, "40001"), Kind::Unavailable);
        assert_eq!(mysql_kind(1264, "22003"), Kind::Data);
        assert_eq!(sqlite_kind("2067"), Kind::Data);
        assert_eq!(sqlite_kind("517"), Kind::Unavailable);
    }

    #[test]
    fn a_statement_has_a_place_for_every_value() {
        assert_eq!(insert("t", "a, b", 2, 4), "INSERT INTO t (a, b) VALUES (?,?),(?,?)");
        assert_eq!((rows_at_once(2, 32_766), rows_at_once(1_000, 32_766), rows_at_once(0, 9)), (500, 32, 9));
    }
}
