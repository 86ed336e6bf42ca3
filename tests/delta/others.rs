//! Other programs that write to the table of a sink.

use super::{history, job, ok, put, py, read, refused};
use std::path::Path;

fn pipeline(of_sink: &str, of_table: &str) -> String {
    format!(
        "trigger = 'available-now'\ncheckpoint = 'checkpoint'\n[sources.events]\nschema = 'id INT, name STRING'\n\
         max-per-trigger = {{ files = 1 }}\n[sources.events.files]\npath = 'in'\nformat = 'json'\n\
         [sinks.table]\n{of_sink}\n[sinks.table.delta]\npath = 'table'\n{of_table}"
    )
}

/// Writes to the table by another program.
fn write(folder: &Path, rows: &str, how: &str) {
    let code = format!(
        "import sys, pyarrow as pa\nfrom deltalake import DeltaTable, write_deltalake\n\
         write_deltalake(sys.argv[1], pa.table({rows}), {how})"
    );
    py(&code, &[folder.join("table").to_str().unwrap()], &[]);
}

const ONE: &str = "{'id': pa.array([100], pa.int32()), 'name': ['other']}";

#[test]
fn a_table_that_another_program_made_is_written_to() {
    let dir = job(&pipeline("", ""));
    write(dir.path(), ONE, "partition_by=['id']");
    put(dir.path(), "1.json", &[r#"{"id":1,"name":"a"}"#]);
    ok(dir.path());
    assert_eq!(
        read(dir.path().join("table")),
        [r#"{"id": 1, "name": "a"}"#, r#"{"id": 100, "name": "other"}"#]
    );
    let dir = job(&pipeline("", "partition-by = ['name']"));
    write(dir.path(), ONE, "partition_by=['id']");
    put(dir.path(), "1.json", &[r#"{"id":1,"name":"a"}"#]);
    let said = refused(dir.path());
    assert!(said.contains("is divided by [id], and partition-by says [name]"), "{said}");
}

#[test]
fn a_table_whose_rules_are_not_kept_here_is_refused() {
    let dir = job(&pipeline("", ""));
    write(dir.path(), ONE, "mode='append'");
    let check = "import sys\nfrom deltalake import DeltaTable\nDeltaTable(sys.argv[1]).alter.add_constraint({'positive': 'id > 0'})";
    py(check, &[dir.path().join("table").to_str().unwrap()], &[]);
    put(dir.path(), "1.json", &[r#"{"id":-1}"#]);
    let said = refused(dir.path());
    assert!(said.contains("CHECK constraints (delta.constraints.positive)"), "{said}");
    let dir = job(&pipeline("mode = 'update'", "keys = ['id']"));
    write(dir.path(), ONE, "mode='append', configuration={'delta.appendOnly': 'true'}");
    put(dir.path(), "1.json", &[r#"{"id":100,"name":"new"}"#]);
    assert!(refused(dir.path()).contains("append-only"));
}

#[test]
fn rows_of_others_are_replaced_by_their_keys_and_those_with_other_keys_stay() {
    let dir = job(&pipeline("mode = 'update'", "keys = ['id']"));
    let rows = "{'id': pa.array([1, 2, 3], pa.int32()), 'name': ['x', 'y', 'z']}";
    write(dir.path(), rows, "mode='append'");
    write(dir.path(), "{'id': pa.array([50], pa.int32()), 'name': ['far']}", "mode='append'");
    put(dir.path(), "1.json", &[r#"{"id":2,"name":"two"}"#, r#"{"id":4,"name":"four"}"#]);
    ok(dir.path());
    let expected = [
        r#"{"id": 1, "name": "x"}"#,
        r#"{"id": 2, "name": "two"}"#,
        r#"{"id": 3, "name": "z"}"#,
        r#"{"id": 4, "name": "four"}"#,
        r#"{"id": 50, "name": "far"}"#,
    ];
    assert_eq!(read(dir.path().join("table")), expected);
    assert_eq!(history(dir.path().join("table")).0, 2);
}
