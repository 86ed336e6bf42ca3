//! PostgreSQL, MariaDB and SQLite, and what tests ask them: by a client of their own, not by the code under test.

use super::{
    Service, ports,
    toxiproxy::{Link, Toxiproxy},
};
use sqlx::{
    AssertSqlSafe, Connection, Decode, MySqlConnection, PgConnection, Row, Sqlite, SqliteConnection,
    TypeInfo, ValueRef, sqlite::SqliteRow,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A database that tests write to.
#[derive(Debug)]
pub struct Database {
    /// For a pipeline.
    pub url: String,
    /// For a pipeline, as its `password`.
    pub password: Option<&'static str>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Postgres,
    MySql,
    Sqlite,
}

/// The PostgreSQL server of this process.
pub fn postgres() -> Database {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::with(None)).database()
}

/// The MariaDB server of this process.
pub fn mariadb() -> Database {
    static SERVER: OnceLock<(u16, Service)> = OnceLock::new();
    let (port, _) = SERVER.get_or_init(|| {
        let port = ports(1);
        (port, Service::start("mariadb.sh", &[("MYSQL_PORT", port.to_string())]))
    });
    Database {
        url: format!("mariadb://streamhost@127.0.0.1:{port}/streamhost"),
        password: Some("streamhost"),
        kind: Kind::MySql,
    }
}

/// A database in a file.
pub fn sqlite(path: &Path) -> Database {
    Database { url: format!("sqlite:{}", path.display()), password: None, kind: Kind::Sqlite }
}

/// A PostgreSQL server that a test may kill.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    service: Option<Service>,
    /// Data that outlive the server. Its user has to get there, so they are not in the home of the tests' user.
    kept: Option<tempfile::TempDir>,
}

impl Postgres {
    /// A server of a test's own.
    pub fn own() -> Self {
        let kept = tempfile::Builder::new().prefix("streamhost-postgres.").tempdir_in("/var/tmp").unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(kept.path(), open).unwrap();
        Postgres::with(Some(kept))
    }

    fn with(kept: Option<tempfile::TempDir>) -> Self {
        let mut server = Postgres { port: ports(1), service: None, kept };
        server.start();
        server
    }

    /// Starts it, with the data that it had.
    pub fn start(&mut self) {
        // Nobody cuts the power.
        let mut environment =
            vec![("PGPORT", self.port.to_string()), ("PGSETTINGS", "-c fsync=off".to_owned())];
        if let Some(kept) = &self.kept {
            environment.push(("STREAMHOST_SERVICE_DATA", kept.path().join("data").display().to_string()));
        }
        self.service = Some(Service::start("postgres.sh", &environment));
    }

    /// Ends it with all its connections at once, as a crash does.
    pub fn kill(&mut self) {
        let service = self.service.take().unwrap();
        let pid = fs::read_to_string(service.data.join("db/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        assert!(Command::new("kill").args(["-QUIT", pid]).status().unwrap().success());
        service.wait();
    }

    /// Its database.
    pub fn database(&self) -> Database {
        Self::at(self.port)
    }

    /// Its database by a link.
    pub fn through<'p>(&self, proxy: &'p Toxiproxy) -> (Database, Link<'p>) {
        let from = ports(1);
        (Self::at(from), proxy.link(from, self.port))
    }

    fn at(port: u16) -> Database {
        let url = format!("postgresql://streamhost@127.0.0.1:{port}/streamhost");
        Database { url, password: Some("streamhost"), kind: Kind::Postgres }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An orderly end would wait for clients.
        if self.service.is_some() {
            self.kill();
        }
    }
}

impl Database {
    /// `[connections.db]` of a pipeline.
    pub fn connection(&self) -> String {
        let password = self.password.map(|password| format!("password = {password:?}\n")).unwrap_or_default();
        format!("[connections.db]\nurl = {:?}\n{password}", self.url)
    }

    /// What a query answers: a line a row, cells divided by `|`.
    pub fn rows(&self, query: &str) -> Vec<String> {
        let query = AssertSqlSafe(query.to_owned());
        let url = self.with_password();
        wait(async {
            match self.kind {
                Kind::Postgres => {
                    let mut connection = PgConnection::connect(&url).await.unwrap();
                    let rows = sqlx::raw_sql(query).fetch_all(&mut connection).await.unwrap();
                    let text = |row: &sqlx::postgres::PgRow, at| {
                        let value = row.try_get_raw(at).unwrap();
                        if value.is_null() { None } else { Some(value.as_str().unwrap().to_owned()) }
                    };
                    rows.iter().map(|row| line(row.columns().len(), |at| text(row, at))).collect()
                }
                Kind::MySql => {
                    let mut connection = MySqlConnection::connect(&url).await.unwrap();
                    let rows = sqlx::raw_sql(query).fetch_all(&mut connection).await.unwrap();
                    let text = |row: &sqlx::mysql::MySqlRow, at| {
                        let bytes = row.try_get_unchecked::<Option<&[u8]>, usize>(at).unwrap();
                        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                    };
                    rows.iter().map(|row| line(row.columns().len(), |at| text(row, at))).collect()
                }
                Kind::Sqlite => {
                    let mut connection = SqliteConnection::connect(&url).await.unwrap();
                    let rows = sqlx::raw_sql(query).fetch_all(&mut connection).await.unwrap();
                    rows.iter().map(|row| line(row.columns().len(), |at| of_sqlite(row, at))).collect()
                }
            }
        })
    }

    /// Runs statements.
    pub fn run(&self, statements: &str) {
        self.rows(statements);
    }

    fn with_password(&self) -> String {
        let password = self.password.map(|password| format!(":{password}@")).unwrap_or_else(|| "@".into());
        match self.kind {
            Kind::Sqlite => format!("{}?mode=rwc", self.url),
            _ => self.url.replace('@', &password),
        }
    }

    /// What a column of any text is.
    pub fn text(&self) -> &'static str {
        match self.kind {
            Kind::MySql => "TEXT CHARACTER SET utf8mb4",
            Kind::Postgres | Kind::Sqlite => "TEXT",
        }
    }

    /// Whether it is in a file, where each value has a type of its own.
    pub fn is_file(&self) -> bool {
        self.kind == Kind::Sqlite
    }

    /// Where the file is.
    pub fn path(&self) -> PathBuf {
        self.url.trim_start_matches("sqlite:").into()
    }
}

fn line(columns: usize, cell: impl Fn(usize) -> Option<String>) -> String {
    (0..columns).map(|at| cell(at).unwrap_or_else(|| "NULL".into())).collect::<Vec<_>>().join("|")
}

fn of_sqlite(row: &SqliteRow, at: usize) -> Option<String> {
    let value = row.try_get_raw(at).unwrap();
    if value.is_null() {
        return None;
    }
    let kind = value.type_info().name().to_owned();
    Some(match kind.as_str() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(value).unwrap().to_string(),
        "REAL" => format!("{:?}", <f64 as Decode<Sqlite>>::decode(value).unwrap()),
        "BLOB" => format!("{:02x?}", <Vec<u8> as Decode<Sqlite>>::decode(value).unwrap()),
        _ => <String as Decode<Sqlite>>::decode(value).unwrap(),
    })
}

fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer)
}
