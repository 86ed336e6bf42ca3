//! A database that a connection leads to.

use super::{
    database::{Column, Connection, Database, TableName, Value},
    mysql::Server,
    patient::{PATIENCE, Patient},
    postgres::Postgres,
    sqlite::SqliteFile,
};
use crate::connection::ConnectionSettings;
use engine::{Error, Kind, Result};
use futures::TryStreamExt;
use jiff::tz::TimeZone;
use sqlx::{mysql::MySqlConnectOptions, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use std::{collections::BTreeMap, str::FromStr, sync::Arc, time::Duration};
use tokio::time::timeout;

/// What may be said in a URL beside the place. The client would only warn of others, and show their values.
const KEYS: [&str; 21] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
    "options",
    "charset",
    "collation",
    "socket",
    "mode",
];

/// A database, and how it is called in messages.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) database: Arc<dyn Database>,
    /// Its URL without whatever is secret in it.
    pub(crate) shown: String,
    /// How long it may take to answer.
    patience: Duration,
}

/// How long a connection, or a lock of a database in a file, is waited for at most.
const AT_FIRST: Duration = Duration::from_secs(10);

impl Place {
    /// The place of a connection whose secrets are resolved. [`engine::Kind::Invalid`] if it names no database that is known.
    pub(crate) fn new(settings: &ConnectionSettings, zone: &TimeZone) -> Result<Self> {
        let url = with_options(settings)?;
        let (scheme, _) = url.split_once(':').unwrap_or((&url, ""));
        let shown = shown(&url);
        let unusable = |e: sqlx::Error| {
            // The client's message may show what it was given.
            drop(e);
            Error::invalid(format!(
                "{shown} is no URL of a database; write for example postgresql://user@host:5432/database"
            ))
        };
        refuse_unknown(&url)?;
        let patience = settings.timeout.map_or(PATIENCE, |timeout| timeout.0);
        let password = settings.password.as_ref().map(|password| password.expose());
        let database: Arc<dyn Database> = match scheme {
            "postgresql" | "postgres" => {
                let options = PgConnectOptions::from_str(&url).map_err(unusable)?;
                let options =
                    password.into_iter().fold(options, |options, password| options.password(password));
                Arc::new(Postgres::new(options, zone.clone()))
            }
            "mysql" | "mariadb" => {
                let options = MySqlConnectOptions::from_str(&url).map_err(unusable)?;
                let options =
                    password.into_iter().fold(options, |options, password| options.password(password));
                Arc::new(Server::new(options, zone.clone()))
            }
            "sqlite" => Arc::new(sqlite(&url, patience)?),
            other => {
                return Err(Error::invalid(format!(
                    "{other:?} is no database that is known; the `url` begins with postgresql:, mysql:, mariadb: or sqlite:"
                )));
            }
        };
        Ok(Place { database, shown, patience })
    }

    pub(crate) async fn connect(&self) -> Result<Box<dyn Connection>> {
        let dialect = self.database.dialect();
        let patience = AT_FIRST.min(self.patience);
        let connected = timeout(patience, self.database.connect()).await.unwrap_or_else(|_| {
            Err(Error::new(Kind::Unavailable, format!("{} has not answered for {patience:?}", dialect.name)))
        });
        let connection = connected.map_err(|e| e.while_doing(format!("connecting to {}", self.shown)))?;
        Ok(Box::new(Patient::new(connection, dialect, self.patience)))
    }

    /// What is known of a table; without columns if there is none.
    pub(crate) async fn shape(&self, connection: &mut dyn Connection, table: &TableName) -> Result<Shape> {
        let dialect = self.database.dialect();
        let columns: Vec<_> = connection.query(&(dialect.columns)(table)).try_collect().await?;
        let columns = columns.into_iter().map(column).collect::<Result<_>>()?;
        let pairs: Vec<_> = connection.query(&(dialect.unique)(table)).try_collect().await?;
        let mut unique = BTreeMap::<String, Vec<String>>::new();
        for pair in pairs {
            let mut pair = pair.into_iter();
            let (index, column) = (text(pair.next())?, text(pair.next())?);
            unique.entry(index).or_default().push(column);
        }
        Ok(Shape { columns, unique: unique.into_values().collect() })
    }
}

/// What is known of a table.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) columns: Vec<Column>,
    /// The columns of each unique index.
    pub(crate) unique: Vec<Vec<String>>,
}

pub(super) fn column(row: Vec<Value>) -> Result<Column> {
    let mut row = row.into_iter();
    let (name, kind) = (text(row.next())?, text(row.next())?);
    let required = match row.next() {
        Some(Value::Integer(value)) => value != 0,
        Some(Value::Text(text)) => text == "1",
        _ => false,
    };
    Ok(Column { name, kind, required })
}

fn text(value: Option<Value>) -> Result<String> {
    match value {
        Some(Value::Text(text)) => Ok(text),
        Some(Value::Bytes(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        other => Err(Error::internal(format!("a database's catalog has {other:?} for a name"))),
    }
}

fn sqlite(url: &str, patience: Duration) -> Result<SqliteFile> {
    let path = url.split_once(':').map_or("", |(_, path)| path.strip_prefix("//").unwrap_or(path));
    if path.starts_with(':') || path.contains("mode=memory") || path.is_empty() {
        return Err(Error::invalid("a SQLite database is a file here; write for example sqlite:rows.db"));
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|e| {
        Error::invalid(format!("{url} is no URL of a SQLite file; write for example sqlite:rows.db"))
            .caused_by(e)
    })?;
    // That it is locked is to be told before that it does not answer.
    let options = options.busy_timeout(AT_FIRST.min(patience / 2));
    Ok(SqliteFile::new(options.create_if_missing(!path.contains("mode="))))
}

/// The URL, and the further settings behind it.
fn with_options(settings: &ConnectionSettings) -> Result<String> {
    let mut url = settings.url.expose().to_owned();
    for (key, value) in &settings.options {
        if !KEYS.contains(&key.as_str()) {
            return Err(unknown(key));
        }
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(key);
        url.push('=');
        url.extend(value.expose().bytes().map(escaped));
    }
    Ok(url)
}

fn escaped(byte: u8) -> String {
    match byte {
        b if b.is_ascii_alphanumeric() || b"-._~/".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    }
}

fn refuse_unknown(url: &str) -> Result<()> {
    let (_, query) = url.split_once('?').unwrap_or((url, ""));
    let keys = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")).0);
    keys.into_iter()
        .find(|key| !KEYS.contains(key) && !key.starts_with("options"))
        .map_or(Ok(()), |key| Err(unknown(key)))
}

fn unknown(key: &str) -> Error {
    let known = KEYS.iter().filter(|known| !known.contains('-')).copied().collect::<Vec<_>>().join(", ");
    Error::invalid(format!(
        "`{key}` is no setting of a database's connection; there are: {known}; a password is `password`"
    ))
}

/// The URL without user, password and settings.
fn shown(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(place, _)| place);
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').map_or((rest, None), |(at, path)| (at, Some(path)));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{}", path.map(|path| format!("/{path}")).unwrap_or_default())
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn place(url: &str) -> Result<Place> {
        Place::new(&ConnectionSettings::new(url), &TimeZone::UTC)
    }

    #[test]
    fn a_url_is_shown_without_what_is_secret_in_it() {
        let of = |url: &str| place(url).unwrap().shown;
        assert_eq!(of("postgresql://me:hunter2@db:5432/w?sslmode=require"), "postgresql://db:5432/w");
        assert_eq!(of("mariadb://me:hun@ter2@db/w"), "mariadb://db/w");
        assert_eq!(of("sqlite:/tmp/a.db"), "sqlite:/tmp/a.db");
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_being_shown_whole() {
        for url in [
            "oracle://me:hunter2@db/w",
            "postgresql://me:hunter2@db:port/w",
            "postgresql://me@db/w?pasword=hunter2",
            "postgresql://me@db/w?password=hunter2",
            "sqlite::memory:",
        ] {
            let error = place(url).map(|place| place.shown).unwrap_err();
            assert_eq!(error.kind(), engine::Kind::Invalid, "{url}");
            assert!(!error.report().contains("hunter2"), "{}", error.report());
        }
        let mut settings = ConnectionSettings::new("postgresql://me@db/w");
        settings.options.insert("pasword".into(), Secret::new("hunter2"));
        let error = Place::new(&settings, &TimeZone::UTC).map(|place| place.shown).unwrap_err().report();
        assert!(error.starts_with("`pasword` is no setting") && !error.contains("hunter2"), "{error}");
    }
}
