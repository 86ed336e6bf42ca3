//! Statements of a plugin that wants out: of the epoch's transaction, of the statement, of the database.

use super::each;
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    datatypes::SchemaRef,
};
use connectors::{
    connection::ConnectionSettings,
    secret::Secret,
    sql::{SqlSinkOptions, SqlSinkSettings, sink},
};
use engine::{Begin, Begun, EpochWriter, Kind, OutputMode, QueryId, Sink};
use jiff::tz::TimeZone;
use std::sync::Arc;
use tests::services::databases::Database;

fn rows(ids: &[i64], name: &str) -> RecordBatch {
    let columns: [(&str, ArrayRef); 2] = [
        ("id", Arc::new(Int64Array::from(ids.to_vec()))),
        ("name", Arc::new(StringArray::from(vec![name; ids.len()]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// An output of a plugin: the table is made if it is not there.
fn output(database: &Database, table: &str) -> Arc<dyn Sink> {
    let settings = SqlSinkSettings {
        connection: "db".into(),
        table: Some(table.into()),
        table_from_column: None,
        keys: Vec::new(),
        create: true,
    };
    let connection = ConnectionSettings {
        password: database.password.map(Secret::new),
        ..ConnectionSettings::new(&database.url)
    };
    let options = SqlSinkOptions { mode: OutputMode::Append, time_zone: TimeZone::UTC, at_step: None };
    let output = sink(settings, &connection, options).unwrap();
    output.accepts(OutputMode::Append, &rows(&[], "").schema()).unwrap();
    output
}

async fn begin(output: &dyn Sink, query: &str, epoch: u64) -> Option<Box<dyn EpochWriter>> {
    let schema: SchemaRef = rows(&[], "").schema();
    match output.begin(&Begin::of(query, "out", epoch, schema)).await.unwrap() {
        Begun::Stored(_) => None,
        Begun::Writer(writer) => Some(writer),
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn no_statement_ends_the_transaction_of_its_epoch_or_touches_the_marks() {
    each("hostile", |database, table, folder| {
        let victim = format!("{table}_victim");
        database.run(&format!("CREATE TABLE {victim} (id BIGINT)"));
        let stolen = folder.join("stolen.db");
        let query = format!("query-{table}");
        wait(async {
            let output = output(database, table);
            output.open(&QueryId(query.clone()), "out").await.unwrap();
            let writer = begin(&*output, &query, 0).await.unwrap();
            for statement in [
                "COMMIT".to_owned(),
                "ROLLBACK".to_owned(),
                format!("DROP TABLE {victim}"),
                format!("SELECT 1; COMMIT; DROP TABLE {victim}"),
                format!("ATTACH DATABASE '{}' AS x", stolen.display()),
                "PRAGMA writable_schema = 1".to_owned(),
                format!("/* INSERT */ CREATE TABLE {table}_more (id BIGINT)"),
                "UPDATE streamhost_epochs SET epoch = 100".to_owned(),
                "DELETE FROM \"streamhost_epochs\"".to_owned(),
            ] {
                let error = writer.execute(&statement, rows(&[1], "x")).await.unwrap_err();
                assert_eq!(error.kind(), Kind::Plugin, "{statement}: {}", error.report());
            }
            let insert = format!("INSERT INTO {table} (id, name) VALUES ($1, $2)");
            assert_eq!(writer.execute(&insert, rows(&[1, 2], "a")).await.unwrap(), 2);
            // Nothing of the epoch is there before its end, and nothing after it was left.
            let counted = || database.rows(&format!("SELECT count(*) FROM {table}"));
            assert_eq!(std::thread::scope(|scope| scope.spawn(counted).join()).unwrap(), ["0"]);
            drop(writer);
            let writer = begin(&*output, &query, 0).await.unwrap();
            writer.execute(&insert, rows(&[3], "b")).await.unwrap();
            writer.commit().await.unwrap();
            assert!(begin(&*output, &query, 0).await.is_none());
        });
        assert_eq!(database.rows(&format!("SELECT id FROM {table}")), ["3"]);
        assert_eq!(database.rows(&format!("SELECT count(*) FROM {victim}")), ["0"]);
        let marks = format!("SELECT epoch FROM streamhost_epochs WHERE query = '{query}'");
        assert_eq!(database.rows(&marks), ["0"]);
        assert!(!stolen.exists());
    });
}

#[test]
fn a_value_is_never_read_as_a_part_of_its_statement() {
    each("values", |database, table, _| {
        let texts = [
            format!("'); DROP TABLE {table}; --"),
            format!("\\'); DROP TABLE {table}; --"),
            "\\".to_owned(),
            "\\\\''\"$1`".to_owned(),
            "$$; COMMIT; $$".to_owned(),
        ];
        let query = format!("query-{table}");
        wait(async {
            let output = output(database, table);
            output.open(&QueryId(query.clone()), "out").await.unwrap();
            let writer = begin(&*output, &query, 0).await.unwrap();
            let insert = format!("INSERT INTO {table} (id, name) VALUES ($1, $2)");
            for (id, text) in (0..).zip(&texts) {
                assert_eq!(writer.execute(&insert, rows(&[id], text)).await.unwrap(), 1, "{text}");
            }
            writer.commit().await.unwrap();
        });
        assert_eq!(database.rows(&format!("SELECT name FROM {table} ORDER BY id")), texts);
    });
}
