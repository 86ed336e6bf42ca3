//! What a Delta source reads.

use super::{job, ok, py, refused};
use std::{fs, path::Path};

/// Appends ids to a table by another program, a commit each.
const APPEND: &str = "
import sys, pyarrow as pa
from deltalake import write_deltalake
for ids in sys.argv[2:]:
    ids = [int(id) for id in ids.split(',')]
    write_deltalake(sys.argv[1], pa.table({'id': pa.array(ids, pa.int32()), 'name': ['n%d' % id for id in ids]}),
        mode='append', schema_mode='merge', configuration={'delta.enableChangeDataFeed': 'true'})
";

fn append(folder: &Path, commits: &[&str]) {
    let table = folder.join("table");
    let args: Vec<&str> = [table.to_str().unwrap()].into_iter().chain(commits.iter().copied()).collect();
    py(APPEND, &args, &[]);
}

/// Changes a table by another program; `t` is the table.
fn change(folder: &Path, code: &str) {
    let code = format!(
        "import sys, pyarrow as pa\nfrom deltalake import DeltaTable, write_deltalake\nt = DeltaTable(sys.argv[1])\n{code}"
    );
    py(&code, &[folder.join("table").to_str().unwrap()], &[]);
}

fn pipeline(of_source: &str, of_table: &str) -> String {
    format!(
        "trigger = 'available-now'\ncheckpoint = 'checkpoint'\n[sources.events]\n{of_source}\n\
         [sources.events.delta]\npath = 'table'\n{of_table}\n[sinks.out.files]\npath = 'out'\nformat = 'json'\n"
    )
}

/// The rows that came out, an epoch a file, in the order of epochs.
fn out(folder: &Path) -> Vec<Vec<String>> {
    let files = fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap().path());
    let mut epochs: std::collections::BTreeMap<u64, Vec<String>> = Default::default();
    for file in files.filter(|file| file.extension().is_some_and(|of| of == "json")) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let epoch = name.split("-out-").next().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        let rows = fs::read_to_string(&file).unwrap();
        epochs.entry(epoch).or_default().extend(rows.lines().map(str::to_owned));
    }
    epochs.values_mut().for_each(|rows| rows.sort());
    epochs.into_values().collect()
}

fn ids(folder: &Path) -> Vec<Vec<i64>> {
    let id = |row: &String| serde_json::from_str::<serde_json::Value>(row).unwrap()["id"].as_i64().unwrap();
    out(folder).iter().map(|rows| rows.iter().map(id).collect()).collect()
}

#[test]
fn a_table_is_read_in_bounded_epochs_and_then_what_is_appended() {
    let dir = job(&pipeline("max-per-trigger = { files = 2 }", ""));
    append(dir.path(), &["1,2", "3", "4", "5"]);
    ok(dir.path());
    assert_eq!(ids(dir.path()), [vec![1, 2, 3], vec![4, 5]]);
    append(dir.path(), &["6", "7", "8"]);
    change(dir.path(), "t.optimize.compact()");
    ok(dir.path());
    assert_eq!(ids(dir.path())[2..], [vec![6, 7], vec![8]]);
    assert_eq!(out(dir.path())[0][0], r#"{"id":1,"name":"n1"}"#);
    fs::remove_file(dir.path().join("checkpoint/commits/3")).unwrap();
    fs::remove_file(dir.path().join("checkpoint/commits/2")).unwrap();
    fs::remove_dir_all(dir.path().join("out")).unwrap();
    ok(dir.path());
    assert_eq!(ids(dir.path()), [vec![6, 7], vec![8]], "the same ranges again");
}

#[test]
fn reading_starts_at_a_version_at_what_is_new_or_at_a_time() {
    let dir = job(&pipeline("", "starting-version = 2"));
    append(dir.path(), &["1", "2", "3", "4"]);
    ok(dir.path());
    assert_eq!(ids(dir.path()).concat(), [3, 4]);
    let latest = job(&pipeline("", "starting-version = 'latest'"));
    append(latest.path(), &["1"]);
    ok(latest.path());
    assert!(!latest.path().join("out").exists() || ids(latest.path()).is_empty());
    // What is new is so since the first start, whether or not there was anything then.
    append(latest.path(), &["2", "3"]);
    ok(latest.path());
    assert_eq!(ids(latest.path()).concat(), [2, 3]);
    let time = job(&pipeline("", "starting-timestamp = '2020-01-01'"));
    append(time.path(), &["1", "2"]);
    ok(time.path());
    assert_eq!(ids(time.path()).concat(), [1, 2]);
    let both = job(&pipeline("", "starting-timestamp = '2020-01-01'\nstarting-version = 1"));
    append(both.path(), &["1"]);
    assert!(refused(both.path()).contains("are two starts; keep one"));
}

#[test]
fn a_commit_that_deletes_or_changes_rows_ends_the_query_unless_the_settings_say_what_happens() {
    let read_then = |of_table: &str, code: &str| {
        let dir = job(&pipeline("", of_table));
        append(dir.path(), &["1,2,3"]);
        ok(dir.path());
        change(dir.path(), code);
        append(dir.path(), &["9"]);
        dir
    };
    let (delete, update) = ("t.delete()", "t.update(predicate='id = 2', updates={'name': \"'x'\"})");
    let said = refused(read_then("", delete).path());
    assert!(said.contains("version 1 of the Delta table") && said.contains("deletes rows"), "{said}");
    let said = refused(read_then("", update).path());
    assert!(said.contains("changes rows") && said.contains("ignore-changes = true"), "{said}");
    assert!(refused(read_then("ignore-deletes = true", update).path()).contains("changes rows"));
    let dir = read_then("ignore-deletes = true", delete);
    ok(dir.path());
    assert_eq!(ids(dir.path()).concat(), [1, 2, 3, 9]);
    let dir = read_then("ignore-changes = true", update);
    ok(dir.path());
    assert_eq!(ids(dir.path())[1], [1, 2, 3, 9], "the file that was written anew is read as new");
    let dir = read_then("ignore-changes = true", delete);
    ok(dir.path());
    assert_eq!(ids(dir.path()).concat(), [1, 2, 3, 9]);
}

#[test]
fn the_change_data_feed_has_a_row_for_every_change() {
    let dir = job(&pipeline("", "change-data-feed = true"));
    append(dir.path(), &["1,2"]);
    ok(dir.path());
    change(dir.path(), "t.update(predicate='id = 2', updates={'name': \"'x'\"})");
    change(dir.path(), "t.delete('id = 1')");
    ok(dir.path());
    let change = |row: &String| {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        assert!(row["_commit_timestamp"].as_str().unwrap().starts_with("20"), "{row}");
        (
            row["_commit_version"].as_u64().unwrap(),
            row["_change_type"].as_str().unwrap().to_owned(),
            row["name"].as_str().unwrap().to_owned(),
        )
    };
    let mut changes: Vec<_> = out(dir.path()).concat().iter().map(change).collect();
    changes.sort();
    let expected = [
        (0, "insert", "n1"),
        (0, "insert", "n2"),
        (1, "update_postimage", "x"),
        (1, "update_preimage", "n2"),
        (2, "delete", "n1"),
    ];
    assert_eq!(
        changes,
        expected.map(|(version, change, name)| (version, change.to_owned(), name.to_owned()))
    );
}

#[test]
fn partitions_and_types_of_another_program_are_read() {
    let dir = job(&pipeline("", ""));
    let code = "
import sys, datetime, decimal, pyarrow as pa
from deltalake import write_deltalake
write_deltalake(sys.argv[1], pa.table({
    'p': ['a/b', None], 'd': [datetime.date(2025, 3, 1)] * 2, 'i': pa.array([1, 2], pa.int16()),
    'x': pa.array([decimal.Decimal('1.50'), None], pa.decimal128(10, 2)),
    't': pa.array([1_700_000_000_000_001, None], pa.timestamp('us', 'UTC')),
    'l': [[1, 2], None], 's': [{'a': 1, 'b': 'x'}, None],
    'at': pa.array([1_700_000_000_000_000] * 2, pa.timestamp('us', 'UTC'))}), partition_by=['p', 'd', 'at'])
";
    py(code, &[dir.path().join("table").to_str().unwrap()], &[]);
    ok(dir.path());
    let mut rows = out(dir.path()).concat();
    rows.sort_by_key(|row| std::cmp::Reverse(row.len()));
    assert_eq!(
        rows,
        [
            r#"{"p":"a/b","d":"2025-03-01","i":1,"x":1.50,"t":"2023-11-14T22:13:20.000001Z","l":[1,2],"s":{"a":1,"b":"x"},"at":"2023-11-14T22:13:20.000Z"}"#,
            r#"{"d":"2025-03-01","i":2,"at":"2023-11-14T22:13:20.000Z"}"#
        ]
    );
}

#[test]
fn new_columns_end_the_query_and_are_read_at_its_next_start_or_at_once_with_evolve() {
    let wider = "write_deltalake(t, pa.table({'id': pa.array([2], pa.int32()), 'size': [7]}), mode='append', schema_mode='merge')";
    let dir = job(&pipeline("", ""));
    append(dir.path(), &["1"]);
    ok(dir.path());
    change(dir.path(), wider);
    ok(dir.path());
    assert_eq!(out(dir.path())[1], [r#"{"id":2,"size":7}"#]);
    let narrow = "t2 = DeltaTable(sys.argv[1]); write_deltalake(t2, pa.table({'id': ['text']}), mode='overwrite', schema_mode='overwrite')";
    change(dir.path(), narrow);
    let said = refused(dir.path());
    assert!(said.contains("changes rows"), "{said}");
}

#[test]
fn a_table_that_is_not_there_and_a_schema_beside_it_are_refused() {
    assert!(refused(job(&pipeline("", "")).path()).contains("there is no Delta table"));
    let dir = job(&pipeline("schema = 'id INT'", ""));
    append(dir.path(), &["1"]);
    assert!(refused(dir.path()).contains("the columns of a Delta source are those of its table"));
    let dir = job(&pipeline("", "")
        .replace("[sinks.out.files]\npath = 'out'\nformat = 'json'", "[sinks.out.delta]\npath = 'table'"));
    append(dir.path(), &["1"]);
    assert!(refused(dir.path()).contains("again and again; choose another table"));
}

#[test]
fn a_stream_is_joined_with_the_newest_version_of_a_table() {
    let dir =
        job("trigger = 'available-now'\ncheckpoint = 'checkpoint'\n[sources.events]\nschema = 'k INT'\n\
         [sources.events.files]\npath = 'in'\nformat = 'json'\n[tables.names.delta]\npath = 'table'\n\
         [steps.named]\nsql = 'SELECT k, name AS id FROM events LEFT JOIN names ON k = id'\n\
         [sinks.out.files]\npath = 'out'\nformat = 'json'\n");
    append(dir.path(), &["1"]);
    super::put(dir.path(), "1.json", &["{\"k\":1}", "{\"k\":2}"]);
    ok(dir.path());
    append(dir.path(), &["2"]);
    super::put(dir.path(), "2.json", &["{\"k\":2}"]);
    ok(dir.path());
    assert_eq!(out(dir.path()), [vec![r#"{"k":1,"id":"n1"}"#, r#"{"k":2}"#], vec![r#"{"k":2,"id":"n2"}"#]]);
    let offsets = fs::read_to_string(dir.path().join("checkpoint/offsets/1")).unwrap();
    let offsets: serde_json::Value = serde_json::from_str(&offsets).unwrap();
    assert_eq!(offsets["tables"]["names"]["version"], 1);
}
