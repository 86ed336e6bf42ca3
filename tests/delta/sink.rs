//! What a Delta sink leaves behind.

use super::{history, job, ok, put, read, refused};
use std::fs;

const APPEND: &str = "trigger = 'available-now'\ncheckpoint = 'checkpoint'\n\
    [sources.events]\nschema = 'id INT, name STRING, at TIMESTAMP'\nmax-per-trigger = { files = 1 }\n\
    [sources.events.files]\npath = 'in'\nformat = 'json'\n\
    [sinks.table.delta]\npath = 'table'\n";

#[test]
fn rows_are_appended_an_epoch_a_commit_and_stay_once_when_the_epoch_runs_again() {
    let dir = job(APPEND);
    put(dir.path(), "1.json", &[r#"{"id":1,"name":"a","at":"2025-03-01T12:00:00.25Z"}"#, r#"{"id":2}"#]);
    put(dir.path(), "2.json", &[r#"{"id":3,"name":"c"}"#]);
    ok(dir.path());
    let table = dir.path().join("table");
    let rows = [
        r#"{"id": 1, "name": "a", "at": "2025-03-01 12:00:00.250000+00:00"}"#,
        r#"{"id": 2, "name": null, "at": null}"#,
        r#"{"id": 3, "name": "c", "at": null}"#,
    ];
    assert_eq!(read(&table), rows);
    let commits = ["CREATE TABLE", "STREAMING UPDATE", "STREAMING UPDATE"];
    assert_eq!(history(&table), (2, commits.map(str::to_owned).to_vec()));
    for epoch in [1, 0] {
        fs::remove_file(dir.path().join(format!("checkpoint/commits/{epoch}"))).unwrap();
        ok(dir.path());
        assert_eq!((read(&table).len(), history(&table).0), (3, 2), "epoch {epoch} ran again");
    }
}

#[test]
fn a_table_is_divided_by_columns_and_read_back_whatever_their_values_are() {
    let dir = job(&format!("{APPEND}partition-by = ['name', 'at']\n"));
    let odd = ["a/b", "100%", "a b", "ä", "x=y", ""];
    let mut rows: Vec<String> = odd
        .iter()
        .map(|name| format!(r#"{{"id":1,"name":"{name}","at":"2025-03-01T12:00:00.25Z"}}"#))
        .collect();
    rows.push(r#"{"id":2}"#.into());
    put(dir.path(), "1.json", &rows.iter().map(String::as_str).collect::<Vec<_>>());
    ok(dir.path());
    let read = read(dir.path().join("table"));
    for name in &odd[..5] {
        let row = format!(
            r#"{{"id": 1, "name": {}, "at": "2025-03-01 12:00:00.250000+00:00"}}"#,
            if *name == "ä" { r#""\u00e4""#.into() } else { format!("\"{name}\"") }
        );
        assert!(read.contains(&row), "{row}: {read:?}");
    }
    assert!(read.contains(&r#"{"id": 2, "name": null, "at": null}"#.to_owned()), "{read:?}");
    assert_eq!(read.len(), 7);
}

const COUNTS: &str = "trigger = 'available-now'\ncheckpoint = 'checkpoint'\n\
    [sources.events]\nschema = 'k STRING, n INT'\nmax-per-trigger = { files = 1 }\n\
    [sources.events.files]\npath = 'in'\nformat = 'json'\n\
    [steps.sums]\nsql = 'SELECT k, sum(n) AS total FROM events GROUP BY k'\n\
    [sinks.table]\nmode = 'MODE'\n[sinks.table.delta]\npath = 'table'\n";

fn counted(mode: &str) -> tempfile::TempDir {
    let keys = if mode == "update" { "keys = ['k']\n" } else { "" };
    let dir = job(&format!("{}{keys}", COUNTS.replace("MODE", mode)));
    put(dir.path(), "1.json", &[r#"{"k":"a","n":1}"#, r#"{"k":"b","n":10}"#, r#"{"n":100}"#]);
    put(dir.path(), "2.json", &[r#"{"k":"a","n":2}"#, r#"{"k":"c","n":1000}"#]);
    put(dir.path(), "3.json", &[r#"{"k":"a","n":3}"#, r#"{"n":200}"#]);
    dir
}

#[test]
fn complete_puts_the_result_in_the_place_of_the_table_and_update_each_row_in_that_of_its_keys() {
    for mode in ["complete", "update"] {
        let dir = counted(mode);
        ok(dir.path());
        let rows = [
            r#"{"k": "a", "total": 6}"#,
            r#"{"k": "b", "total": 10}"#,
            r#"{"k": "c", "total": 1000}"#,
            r#"{"k": null, "total": 300}"#,
        ];
        assert_eq!(read(dir.path().join("table")), rows, "{mode}");
        fs::remove_file(dir.path().join("checkpoint/commits/2")).unwrap();
        ok(dir.path());
        assert_eq!(read(dir.path().join("table")), rows, "{mode}, again");
        assert_eq!(history(dir.path().join("table")).0, 3, "{mode}");
    }
}

#[test]
fn of_rows_of_one_epoch_with_the_same_keys_the_last_one_counts() {
    let pipeline = "trigger = 'available-now'\nparallelism = 1\n\
        [sources.events]\nschema = 'k STRING, day DATE, n INT'\n[sources.events.files]\npath = 'in'\nformat = 'json'\n\
        [sinks.table]\nmode = 'update'\n[sinks.table.delta]\npath = 'table'\nkeys = ['K', 'day']\npartition-by = ['day']\n";
    let dir = job(pipeline);
    let rows = [
        r#"{"k":"a","day":"2025-03-01","n":1}"#,
        r#"{"k":"a","day":"2025-03-02","n":2}"#,
        r#"{"k":"a","day":"2025-03-01","n":3}"#,
    ];
    put(dir.path(), "1.json", &rows);
    ok(dir.path());
    let latest = [r#"{"k": "a", "day": "2025-03-01", "n": 3}"#, r#"{"k": "a", "day": "2025-03-02", "n": 2}"#];
    assert_eq!(read(dir.path().join("table")), latest);
    put(dir.path(), "1.json", &[r#"{"k":"a","day":"2025-03-02","n":4}"#]);
    ok(dir.path());
    let latest = [r#"{"k": "a", "day": "2025-03-01", "n": 3}"#, r#"{"k": "a", "day": "2025-03-02", "n": 4}"#];
    assert_eq!(read(dir.path().join("table")), latest);
}

#[test]
fn an_epoch_of_more_rows_than_may_be_held_is_refused_until_more_may() {
    let pipeline = "trigger = 'available-now'\ncheckpoint = 'checkpoint'\n\
        [sources.events]\nschema = 'k INT, text STRING'\n[sources.events.files]\npath = 'in'\nformat = 'json'\n\
        [sinks.table]\nmode = 'update'\n[sinks.table.delta]\npath = 'table'\nkeys = ['k']\nmax-held = '20KiB'\n";
    let dir = job(pipeline);
    let rows: Vec<String> =
        (0..100).map(|k| format!(r#"{{"k":{k},"text":"{}"}}"#, "x".repeat(1_000))).collect();
    put(dir.path(), "1.json", &rows.iter().map(String::as_str).collect::<Vec<_>>());
    let said = refused(dir.path());
    assert!(said.contains("more than 20480 bytes of rows") && said.contains("a larger `max-held`"), "{said}");
    fs::write(dir.path().join("pipeline.toml"), pipeline.replace("20KiB", "200KiB")).unwrap();
    ok(dir.path());
    assert_eq!(read(dir.path().join("table")).len(), 100);
}

#[test]
fn new_columns_are_refused_unless_they_are_to_be_merged_in() {
    let dir = job(APPEND);
    put(dir.path(), "1.json", &[r#"{"id":1,"name":"a"}"#]);
    ok(dir.path());
    let more = APPEND.replace("id INT,", "id INT, size BIGINT,");
    std::fs::write(dir.path().join("pipeline.toml"), &more).unwrap();
    put(dir.path(), "2.json", &[r#"{"id":2,"size":7}"#]);
    let said = refused(dir.path());
    assert!(said.contains("has no column size") && said.contains("merge-schema = true"), "{said}");
    std::fs::write(dir.path().join("pipeline.toml"), format!("{more}merge-schema = true\n")).unwrap();
    ok(dir.path());
    let rows = [
        r#"{"id": 1, "name": "a", "at": null, "size": null}"#,
        r#"{"id": 2, "name": null, "at": null, "size": 7}"#,
    ];
    assert_eq!(read(dir.path().join("table")), rows);
    let other = APPEND.replace("name STRING", "name DOUBLE");
    std::fs::write(dir.path().join("pipeline.toml"), other).unwrap();
    put(dir.path(), "3.json", &[r#"{"id":3}"#]);
    let said = refused(dir.path());
    assert!(said.contains("column name is DOUBLE, but STRING in the Delta table; cast it"), "{said}");
}

#[test]
fn small_files_are_put_together_and_unused_ones_deleted_without_a_row_lost_or_doubled() {
    let dir =
        job(&format!("{APPEND}compact = {{ files = 4 }}\nvacuum = {{ retain = '0s', every = '0s' }}\n"));
    for file in 0..9 {
        put(dir.path(), &format!("{file}.json"), &[&format!(r#"{{"id":{file}}}"#)]);
    }
    ok(dir.path());
    let table = dir.path().join("table");
    assert_eq!(read(&table).len(), 9);
    assert!(history(&table).1.iter().filter(|what| *what == "OPTIMIZE").count() >= 2);
    let files = fs::read_dir(&table).unwrap().filter(|entry| {
        entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "parquet")
    });
    assert!(files.count() < 5, "what was put together is deleted");
    fs::remove_file(dir.path().join("checkpoint/commits/8")).unwrap();
    ok(dir.path());
    assert_eq!(read(&table).len(), 9);
}

#[test]
fn settings_that_cannot_be_are_refused_before_anything_is_written() {
    let cases = [
        ("mode = 'update'", "", "set `keys` to the columns that tell rows apart"),
        ("", "keys = ['id']", "keys are for mode = \"update\""),
        ("", "partition-by = ['nope']", "partition-by: there is no column nope; there are id, name, at"),
        ("mode = 'complete'", "", "only an aggregation has a result to store as a whole"),
        ("", "path2 = 'x'", "unknown field `path2`"),
    ];
    for (of_sink, of_table, says) in cases {
        let pipeline = APPEND.replace(
            "[sinks.table.delta]",
            &format!("[sinks.table]\n{of_sink}\n[sinks.table.delta]\n{of_table}"),
        );
        let dir = job(&pipeline);
        put(dir.path(), "1.json", &[r#"{"id":1}"#]);
        let said = refused(dir.path());
        assert!(said.contains(says), "{said}");
        assert!(!dir.path().join("table").exists());
    }
}

#[test]
fn the_log_is_summed_up_now_and_then_and_read_from_there() {
    let dir = job(&format!("{APPEND}properties = {{ 'delta.checkpointInterval' = '3' }}\n"));
    for file in 0..7 {
        put(dir.path(), &format!("{file}.json"), &[&format!(r#"{{"id":{file}}}"#)]);
    }
    ok(dir.path());
    let log = dir.path().join("table/_delta_log");
    assert!(log.join("00000000000000000006.checkpoint.parquet").exists());
    for version in 0..6 {
        fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    assert_eq!(read(dir.path().join("table")).len(), 7);
    for commit in 5..7 {
        fs::remove_file(dir.path().join(format!("checkpoint/commits/{commit}"))).unwrap();
    }
    put(dir.path(), "7.json", &[r#"{"id":7}"#]);
    ok(dir.path());
    assert_eq!(read(dir.path().join("table")).len(), 8, "the epochs were found in what sums the log up");
}
