//! `kill -9` of the real binary, and other writers in between: every row is in the table once.

use super::{job, ok, put, py, read};
use crate::binary::{Running, command};
use engine::{Observer, Stop};
use pipeline::PipelineFile;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
};

const STEPS: [&str; 7] = ["planned", "ran", "staged", "logged", "sink-committed", "committed", "released"];

const SUMS: &str = "[steps.sums]\nsql = 'SELECT id, sum(n) AS n FROM events GROUP BY id'\n";

fn pipeline(table: &str, of_sink: &str, of_table: &str) -> String {
    format!(
        "trigger = 'available-now'\ncheckpoint = 'checkpoint'\n[sources.events]\nschema = 'id INT, n INT'\n\
         max-per-trigger = {{ files = 1 }}\n[sources.events.files]\npath = 'in'\nformat = 'json'\n\
         {}[sinks.table]\n{of_sink}\n[sinks.table.delta]\npath = '{table}'\n{of_table}",
        if of_sink.contains("'sums'") { SUMS } else { "" }
    )
}

/// Starts the query so that it holds at a step; what `then` does happens there, and then it is killed.
pub(super) fn kill_at(
    folder: &Path,
    hold: &str,
    environment: &[(&str, String)],
    then: impl FnOnce(),
) -> bool {
    let mut child = command(folder, ["run", "pipeline.toml"]);
    child.env("STREAMHOST_HOLD_AT", hold).envs(environment.iter().map(|(name, value)| (name, value)));
    let mut child = Running(child.stderr(Stdio::piped()).spawn().unwrap());
    let stderr = BufReader::new(child.0.stderr.take().unwrap());
    let held = stderr.lines().map(Result::unwrap).any(|line| line.starts_with("held at"));
    then();
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    held
}

fn input(folder: &Path) {
    for file in 0..STEPS.len() {
        let rows: Vec<String> = (0..20).map(|id| format!(r#"{{"id":{id},"n":{file}}}"#)).collect();
        put(folder, &format!("{file}.json"), &rows.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn a_query_that_is_killed_at_every_step_of_a_commit_to_delta_stores_every_row_once() {
    for (mode, from, keys) in
        [("append", "events", ""), ("complete", "sums", ""), ("update", "sums", "keys = ['id']")]
    {
        let dir = job(&pipeline("table", &format!("mode = '{mode}'\nfrom = '{from}'"), keys));
        input(dir.path());
        for (epoch, step) in STEPS.iter().enumerate() {
            assert!(
                kill_at(dir.path(), &format!("{epoch}:{step}"), &[], || {}),
                "{mode}: every kill hits its step"
            );
        }
        ok(dir.path());
        let sum: usize = (0..STEPS.len()).sum();
        let mut expected: Vec<String> = match mode {
            "append" => (0..20)
                .flat_map(|id| (0..STEPS.len()).map(move |n| format!(r#"{{"id": {id}, "n": {n}}}"#)))
                .collect(),
            _ => (0..20).map(|id| format!(r#"{{"id": {id}, "n": {sum}}}"#)).collect(),
        };
        expected.sort();
        assert_eq!(read(dir.path().join("table")), expected, "{mode}");
    }
}

const OTHER: &str = "
import sys, pyarrow as pa
from deltalake import write_deltalake
write_deltalake(sys.argv[1], pa.table({'id': pa.array([100], pa.int32()), 'n': pa.array([0], pa.int32())}), mode='append')
";

/// Another host that got hold of a stale copy of the checkpoint writes the epoch while this one holds just before its commit.
#[test]
fn an_epoch_that_another_host_has_committed_meanwhile_is_not_committed_again() {
    let dir = tempfile::tempdir().unwrap();
    // Both read the same files and write the same table, wherever they are.
    let at = |name: &str| dir.path().join(name).display().to_string();
    let text = pipeline(&at("table"), "from = 'events'", "")
        .replace("path = 'in'", &format!("path = '{}'", at("in")));
    std::fs::write(dir.path().join("pipeline.toml"), text).unwrap();
    input(dir.path());
    let twin = tempfile::tempdir().unwrap();
    assert!(kill_at(dir.path(), "0:planned", &[], || {}));
    crate::binary::copy(dir.path(), twin.path());
    ok(twin.path());
    let whole = read(dir.path().join("table"));
    assert_eq!(whole.len(), 20 * STEPS.len());
    ok(dir.path());
    assert_eq!(read(dir.path().join("table")), whole);
}

struct Quiet;

impl Observer for Quiet {}

/// Runs the query in this process; `then` is called once, when the first epoch's files are written and not committed.
async fn run_and(folder: &Path, then: impl FnOnce() + Send + 'static) {
    let file = PipelineFile::read(&folder.join("pipeline.toml"), &|_| None).unwrap();
    let mut world = tests::conformance::world().unwrap();
    let then = Mutex::new(Some(then));
    world.at_step = Some(Arc::new(move |step| {
        let then = then.lock().unwrap().take_if(|_| step == "staged");
        then.into_iter().for_each(|then| then());
    }));
    let query = pipeline::query(&Arc::new(file), &world, Arc::new(Quiet)).unwrap();
    query.run(&Stop::channel().1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_loses_to_another_writer_is_made_again_on_what_that_has_left() {
    for (mode, from, keys) in [("append", "events", ""), ("update", "sums", "keys = ['id']")] {
        let dir = job(&pipeline("table", &format!("mode = '{mode}'\nfrom = '{from}'"), keys));
        put(dir.path(), "1.json", &[r#"{"id":100,"n":5}"#]);
        let table = dir.path().join("table");
        let other = table.to_str().unwrap().to_owned();
        run_and(dir.path(), move || drop(py(OTHER, &[&other], &[]))).await;
        let rows = read(&table);
        match mode {
            "append" => assert_eq!(rows, [r#"{"id": 100, "n": 0}"#, r#"{"id": 100, "n": 5}"#]),
            _ => assert_eq!(rows, [r#"{"id": 100, "n": 5}"#], "the other's row came first, and is replaced"),
        }
    }
}

/// The table is made by the first epoch, so that its schema is there to be changed.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_is_written_again_when_another_writer_has_changed_the_columns_meanwhile() {
    let dir = job(&pipeline("table", "from = 'events'", ""));
    put(dir.path(), "1.json", &[r#"{"id":1,"n":1}"#]);
    let table = dir.path().join("table");
    let other = table.to_str().unwrap().to_owned();
    let wider = "
import sys, pyarrow as pa
from deltalake import write_deltalake
write_deltalake(sys.argv[1], pa.table({'id': pa.array([2], pa.int32()), 'more': ['x']}), mode='append', schema_mode='merge')
";
    run_and(dir.path(), move || drop(py(wider, &[&other], &[]))).await;
    assert_eq!(read(&table), [r#"{"id": 1, "n": 1, "more": null}"#, r#"{"id": 2, "n": null, "more": "x"}"#]);
}
