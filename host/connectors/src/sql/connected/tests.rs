//! The sink by itself, on SQLite: what a server would answer is tested from outside.

use super::{
    SqlSinkOptions, SqlSinkSettings, SqlSourceSettings, place::Place, sink::SqlSink, source::SqlSource,
};
use crate::{
    connection::ConnectionSettings,
    source::{Limit, SourceOptions},
    units::Interval,
};
use arrow::{
    array::{Int64Array, RecordBatch, StringArray},
    datatypes::SchemaRef,
};
use engine::{
    Begin, Begun, EpochWriter, History, Kind, ManualClock, Offset, OutputMode, Partition, QueryId, Reach,
    Sink, Source, Timestamp,
};
use futures::TryStreamExt;
use jiff::tz::TimeZone;
use std::{path::Path, sync::Arc, time::Duration};

fn place(folder: &Path) -> Place {
    let url = format!("sqlite:{}", folder.join("rows.db").display());
    Place::new(&ConnectionSettings::new(&url), &TimeZone::UTC).unwrap()
}

async fn sink(folder: &Path, mode: OutputMode, keys: &[&str]) -> SqlSink {
    sink_at(place(folder), &query().0, "out", mode, keys).await
}

async fn sink_at(place: Place, query: &str, name: &str, mode: OutputMode, keys: &[&str]) -> SqlSink {
    let settings = SqlSinkSettings {
        connection: "db".into(),
        table: Some("t".into()),
        table_from_column: None,
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        create: true,
    };
    let options = SqlSinkOptions { mode, time_zone: TimeZone::UTC, at_step: None };
    let sink = SqlSink::new(settings, place, options).unwrap();
    sink.accepts(mode, &rows(&[]).schema()).unwrap();
    sink.open(&QueryId(query.into()), name).await.unwrap();
    sink
}

#[tokio::test]
async fn a_statement_that_leads_out_of_the_transaction_or_the_database_is_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), OutputMode::Append, &[]).await;
    let writer = begin(&sink, 0).await.unwrap();
    let stolen = dir.path().join("stolen.db");
    for statement in [
        &*format!("ATTACH DATABASE '{}' AS x", stolen.display()),
        &format!("SELECT 1; ATTACH DATABASE '{}' AS x", stolen.display()),
        "COMMIT",
        "UPDATE streamhost_epochs SET epoch = 100",
    ] {
        let error = writer.execute(statement, rows(&[1])).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Plugin, "{statement}: {}", error.report());
    }
    assert_eq!(writer.execute("INSERT INTO t VALUES ($1, $2)", rows(&[1, 2])).await.unwrap(), 2);
    writer.commit().await.unwrap();
    assert_eq!(count(dir.path()).await, "[Integer(2), Integer(2)]");
    assert!(!stolen.exists() && begin(&sink, 0).await.is_none() && begin(&sink, 1).await.is_some());
}

#[tokio::test]
async fn two_sinks_of_a_query_that_wait_for_each_other_for_one_file_are_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("rows.db").display());
    let hasty = ConnectionSettings { timeout: Some(Interval::millis(400)), ..ConnectionSettings::new(&url) };
    let hasty = || Place::new(&hasty, &TimeZone::UTC).unwrap();
    for (query, kind) in [("q", Kind::Invalid), ("another", Kind::Unavailable)] {
        let first = sink_at(hasty(), "q", "first", OutputMode::Append, &[]).await;
        let second = sink_at(hasty(), query, "second", OutputMode::Append, &[]).await;
        let first = begin_as(&first, "q", "first", 0).await.unwrap();
        let second = begin_as(&second, query, "second", 0).await.unwrap();
        first.execute("INSERT INTO t VALUES ($1, $2)", rows(&[1])).await.unwrap();
        let error = second.commit().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", error.report());
        // Whoever is of another query has done with the file at some time.
        let told = error.report().contains("sinks second and first write to sqlite:");
        assert_eq!(told, kind == Kind::Invalid, "{}", error.report());
    }
}

fn query() -> QueryId {
    QueryId("q".into())
}

fn rows(ids: &[i64]) -> RecordBatch {
    let names: Vec<String> = ids.iter().map(|id| format!("n{id}")).collect();
    let columns: [(&str, arrow::array::ArrayRef); 2] =
        [("id", Arc::new(Int64Array::from(ids.to_vec()))), ("name", Arc::new(StringArray::from(names)))];
    RecordBatch::try_from_iter(columns).unwrap()
}

async fn begin(sink: &SqlSink, epoch: u64) -> Option<Box<dyn EpochWriter>> {
    begin_as(sink, &query().0, "out", epoch).await
}

async fn begin_as(sink: &SqlSink, query: &str, name: &str, epoch: u64) -> Option<Box<dyn EpochWriter>> {
    let schema: SchemaRef = rows(&[]).schema();
    let begin = Begin { partitions: 2, ..Begin::of(query, name, epoch, schema) };
    match sink.begin(&begin).await.unwrap() {
        Begun::Stored(_) => None,
        Begun::Writer(writer) => Some(writer),
    }
}

/// What a query answers: a line a row.
async fn asked(folder: &Path, query: &str) -> Vec<String> {
    let mut connection = place(folder).connect().await.unwrap();
    let rows: Vec<_> = connection.query(query).try_collect().await.unwrap();
    rows.iter().map(|row| format!("{row:?}")).collect()
}

async fn count(folder: &Path) -> String {
    asked(folder, "SELECT count(*), count(DISTINCT id) FROM t").await.remove(0)
}

#[tokio::test]
async fn of_two_hosts_that_write_an_epoch_one_stores_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) =
        (sink(dir.path(), OutputMode::Append, &[]).await, sink(dir.path(), OutputMode::Append, &[]).await);
    let (first, second) = (begin(&one, 0).await.unwrap(), begin(&two, 0).await.unwrap());
    for writer in [&first, &second] {
        writer.write(Partition(0), rows(&[1, 2])).await.unwrap();
        writer.write(Partition(1), rows(&[3])).await.unwrap();
    }
    let token = first.commit().await.unwrap();
    assert_eq!(second.commit().await.unwrap(), token);
    assert_eq!(count(dir.path()).await, "[Integer(3), Integer(3)]");
    assert!(begin(&two, 0).await.is_none() && begin(&one, 0).await.is_none());
}

#[tokio::test]
async fn a_host_that_comes_back_to_an_epoch_after_others_were_stored_stores_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) =
        (sink(dir.path(), OutputMode::Append, &[]).await, sink(dir.path(), OutputMode::Append, &[]).await);
    let late = begin(&one, 0).await.unwrap();
    late.write(Partition(0), rows(&[1])).await.unwrap();
    for epoch in 0..3 {
        let writer = begin(&two, epoch).await.unwrap();
        writer.write(Partition(0), rows(&[epoch as i64])).await.unwrap();
        writer.commit().await.unwrap();
    }
    late.commit().await.unwrap();
    assert_eq!(count(dir.path()).await, "[Integer(3), Integer(3)]");
}

#[tokio::test]
async fn a_mark_that_was_set_back_by_hand_fences_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), OutputMode::Append, &[]).await;
    begin(&sink, 0).await.unwrap().commit().await.unwrap();
    let writer = begin(&sink, 1).await.unwrap();
    let mut connection = place(dir.path()).connect().await.unwrap();
    connection.execute("UPDATE streamhost_epochs SET epoch = -1").await.unwrap();
    assert_eq!(writer.commit().await.unwrap_err().kind(), Kind::Fenced);
}

#[tokio::test]
async fn rows_of_an_abandoned_epoch_are_never_seen() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), OutputMode::Append, &[]).await;
    let writer = begin(&sink, 0).await.unwrap();
    writer.write(Partition(0), rows(&(0..10_000).collect::<Vec<_>>())).await.unwrap();
    drop(writer);
    assert_eq!(count(dir.path()).await, "[Integer(0), Integer(0)]");
    let writer = begin(&sink, 0).await.unwrap();
    writer.write(Partition(0), rows(&[7])).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(count(dir.path()).await, "[Integer(1), Integer(1)]");
}

#[tokio::test]
async fn statements_have_the_fate_of_the_rows_and_find_those_before_them() {
    let dir = tempfile::tempdir().unwrap();
    let sink = sink(dir.path(), OutputMode::Append, &[]).await;
    for keep in [false, true] {
        let writer = begin(&sink, 0).await.unwrap();
        writer.write(Partition(0), rows(&[1, 2, 3])).await.unwrap();
        let changed =
            writer.execute("UPDATE t SET name = $2 || 'x' WHERE id = $1", rows(&[2, 3, 9])).await.unwrap();
        assert_eq!(changed, 2);
        writer.write(Partition(0), rows(&[4])).await.unwrap();
        if keep {
            writer.commit().await.unwrap();
        }
    }
    let seen = asked(dir.path(), "SELECT name FROM t ORDER BY id").await.join(" ");
    assert_eq!(seen, "[Text(\"n1\")] [Text(\"n2x\")] [Text(\"n3x\")] [Text(\"n4\")]");
}

#[tokio::test]
async fn nothing_that_contradicts_itself_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |mode, table: Option<&str>, column: Option<&str>, keys: &[&str]| {
        let settings = SqlSinkSettings {
            connection: "db".into(),
            table: table.map(str::to_owned),
            table_from_column: column.map(str::to_owned),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            create: true,
        };
        let options = SqlSinkOptions { mode, time_zone: TimeZone::UTC, at_step: None };
        let sink = SqlSink::new(settings, place(dir.path()), options);
        let accepted = sink.and_then(|sink| sink.accepts(mode, &rows(&[]).schema()));
        accepted.unwrap_err().report()
    };
    use OutputMode::{Append, Complete, Update};
    for (error, says) in [
        (refused(Append, None, None, &[]), "has a `table`"),
        (refused(Append, Some("t"), Some("name"), &[]), "keep one of them"),
        (refused(Complete, None, Some("name"), &[]), "replaces what is in one table"),
        (refused(Update, Some("t"), None, &[]), "name these as `keys`"),
        (refused(Append, Some("t"), None, &["id"]), "for mode = \"update\" alone"),
        (refused(Update, Some("t"), None, &["key"]), "there is no column `key`; there are: id, name"),
        (refused(Append, Some("streamhost_epochs"), None, &[]), "choose another"),
    ] {
        assert!(error.contains(says), "{error}");
    }
}

fn source(folder: &Path, clock: &Arc<ManualClock>, most: Option<u64>) -> SqlSource {
    let settings = SqlSourceSettings {
        connection: "db".into(),
        table: Some("t".into()),
        query: None,
        column: "id".into(),
        every: Interval::millis(1_000),
        settle: Interval::millis(2_000),
    };
    let options = SourceOptions { max_per_trigger: most.map(Limit::Rows), ..SourceOptions::default() };
    SqlSource::new(settings, place(folder), options, clock.clone()).unwrap()
}

async fn statement(folder: &Path, statement: &str) {
    place(folder).connect().await.unwrap().execute(statement).await.unwrap();
}

#[tokio::test]
async fn a_value_is_read_once_it_has_been_the_highest_for_long_enough() {
    let dir = tempfile::tempdir().unwrap();
    statement(dir.path(), "CREATE TABLE t (id BIGINT)").await;
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let source = source(dir.path(), &clock, None);
    source.restore(History::default(), Reach::Endless).await.unwrap();
    assert!(source.latest(None).await.unwrap().is_none());
    statement(dir.path(), "INSERT INTO t VALUES (5)").await;
    assert!(source.latest(None).await.unwrap().is_none());
    clock.advance(Duration::from_millis(1_900));
    // One that took a lower value ends later.
    statement(dir.path(), "INSERT INTO t VALUES (4), (9)").await;
    assert!(source.latest(None).await.unwrap().is_none());
    clock.advance(Duration::from_millis(100));
    let planned = source.latest(None).await.unwrap().unwrap();
    assert_eq!(planned.range.end.0, serde_json::json!({ "value": 5 }));
    assert!(source.latest(Some(&planned.range.end)).await.unwrap().is_none());
    clock.advance(Duration::from_millis(2_000));
    let next = source.latest(Some(&planned.range.end)).await.unwrap().unwrap();
    assert_eq!(next.range.end.0, serde_json::json!({ "value": 9 }));
}

#[tokio::test]
async fn a_source_never_goes_back_though_its_highest_rows_leave_and_return() {
    let dir = tempfile::tempdir().unwrap();
    statement(dir.path(), "CREATE TABLE t (id BIGINT)").await;
    statement(dir.path(), "INSERT INTO t VALUES (5), (9)").await;
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    for reach in [Reach::Endless, Reach::AvailableNow] {
        let source = source(dir.path(), &clock, None);
        source.restore(History::default(), reach).await.unwrap();
        let start = Offset(serde_json::json!({ "value": 9 }));
        for change in ["DELETE FROM t WHERE id = 9", "INSERT INTO t VALUES (7)", "INSERT INTO t VALUES (9)"] {
            statement(dir.path(), change).await;
            assert!(source.latest(Some(&start)).await.unwrap().is_none(), "{change}");
            clock.advance(Duration::from_millis(2_000));
            assert!(source.latest(Some(&start)).await.unwrap().is_none(), "{change}, settled");
        }
    }
    let source = source(dir.path(), &clock, None);
    source.restore(History::default(), Reach::Endless).await.unwrap();
    assert!(source.latest(None).await.unwrap().is_none());
    clock.advance(Duration::from_millis(2_000));
    let nine = source.latest(None).await.unwrap().unwrap().range.end;
    statement(dir.path(), "DELETE FROM t WHERE id = 9").await;
    statement(dir.path(), "INSERT INTO t VALUES (10)").await;
    assert!(source.latest(Some(&nine)).await.unwrap().is_none());
    clock.advance(Duration::from_millis(2_000));
    let ten = source.latest(Some(&nine)).await.unwrap().unwrap().range.end;
    assert_eq!([nine.0, ten.0], [9, 10].map(|value| serde_json::json!({ "value": value })));
}

#[tokio::test]
async fn a_range_has_about_as_many_rows_as_are_asked_for_and_the_same_ones_each_time() {
    let dir = tempfile::tempdir().unwrap();
    statement(dir.path(), "CREATE TABLE t (id BIGINT)").await;
    statement(dir.path(), "INSERT INTO t VALUES (1), (2), (2), (2), (3), (4)").await;
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let source = source(dir.path(), &clock, Some(2));
    source.restore(History::default(), Reach::AvailableNow).await.unwrap();
    statement(dir.path(), "INSERT INTO t VALUES (5)").await;
    let (mut start, mut sizes, mut backlogs) = (None, Vec::new(), Vec::new());
    while let Some(planned) = source.latest(start.as_ref()).await.unwrap() {
        let read = || async {
            let streams = source.read(&planned.range, 4).await.unwrap();
            let mut batches = Vec::new();
            for mut stream in streams {
                while let Some(batch) = stream.try_next().await.unwrap() {
                    batches.push(batch.rows);
                }
            }
            batches
        };
        let first = read().await;
        assert_eq!(first, read().await);
        sizes.push(first.iter().map(RecordBatch::num_rows).sum::<usize>());
        backlogs.push(planned.backlog);
        start = Some(planned.range.end);
    }
    // The first look, after the row was added, says how far it goes.
    assert_eq!((sizes, backlogs), (vec![4, 2, 1], vec![3, 1, 0]));
}
