//! Tables of running queries, and what their steps remember, asked with the real binary.

use crate::binary::{Running, command, fails, ok, text, write};
use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::{ChildStderr, Stdio},
};

const PIPELINE: &str = r#"
name = "counting"
[sources.events]
schema = "k STRING"
max-per-trigger = { files = 1 }
[sources.events.files]
path = "in"
format = "json"
[steps.counts]
sql = "SELECT k, count(*) AS n FROM events GROUP BY k"
[sinks.live]
mode = "complete"
[sinks.live.memory]
"#;

/// A query that is running, and has read so many rows.
struct Query {
    _process: Running,
    progress: Lines<BufReader<ChildStderr>>,
}

impl Query {
    fn start(folder: &Path, more: &[&str]) -> Query {
        let args = ["run", "pipeline.toml", "--progress", "json"].iter().chain(more);
        let mut query = command(folder, args);
        query.env("XDG_RUNTIME_DIR", folder.join("run")).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Running(query.spawn().unwrap());
        let progress = BufReader::new(process.0.stderr.take().unwrap()).lines();
        Query { _process: process, progress }
    }

    /// Waits until so many more rows are in the table.
    fn wait_for(&mut self, mut rows: u64) {
        while rows > 0 {
            let line = self.progress.next().expect("the query goes on").unwrap();
            let epoch: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            rows -= epoch["numInputRows"].as_u64().unwrap();
        }
    }
}

/// A running query that has read one row, in a directory of its own.
fn running() -> (tempfile::TempDir, Query) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("pipeline.toml"), PIPELINE);
    write(dir.path().join("in/1.json"), "{\"k\":\"a\"}\n");
    let mut query = Query::start(dir.path(), &[]);
    query.wait_for(1);
    (dir, query)
}

fn asked(folder: &Path, sql: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let question = ["query", "counting", sql];
    let output = command(folder, question.iter().chain(more))
        .env("XDG_RUNTIME_DIR", folder.join("run"))
        .output()
        .unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_running_query_answers_with_what_its_last_epoch_left() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("pipeline.toml"), PIPELINE);
    write(dir.path().join("in/1.json"), "{\"k\":\"a\"}\n{\"k\":\"b\"}\n{\"k\":\"a\"}\n");
    let mut query = Query::start(dir.path(), &[]);
    query.wait_for(3);
    let sql = "SELECT k, n FROM live ORDER BY n DESC, k";
    assert_eq!(asked(dir.path(), sql, &["--format", "csv"]).1, "k,n\na,2\nb,1\n");
    write(dir.path().join("in/2.json"), "{\"k\":\"b\"}\n{\"k\":\"b\"}\n");
    query.wait_for(2);
    assert_eq!(
        asked(dir.path(), sql, &["--format", "json"]).1,
        "{\"k\":\"b\",\"n\":3}\n{\"k\":\"a\",\"n\":2}\n"
    );
    let table = asked(dir.path(), "SELECT count(DISTINCT n) AS different FROM live", &[]).1;
    assert_eq!(table, "+---------+\n|different|\n+---------+\n|2        |\n+---------+\n");
}

#[test]
fn a_question_that_cannot_be_answered_says_why() {
    let nowhere = tempfile::tempdir().unwrap();
    let (code, _, said) = asked(nowhere.path(), "SELECT 1 AS one", &[]);
    assert_eq!(code, Some(5));
    assert!(said.contains("no query named counting with a memory sink is running here; none is"), "{said}");
    let (dir, _query) = running();
    let (code, _, said) = asked(dir.path(), "SELECT * FROM life", &[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("there is no table `life`; there are: live"), "{said}");
    let (code, _, said) = asked(dir.path(), "SELECT n / 0 AS x FROM live", &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.to_lowercase().contains("zero"), "{said}");
    let (code, said, _) = asked(dir.path(), "SELECT k FROM live", &["--format", "csv"]);
    assert_eq!((code, said.as_str()), (Some(0), "k\na\n"), "a bad question does no harm");
}

#[test]
fn a_question_that_would_bring_the_query_down_is_refused_and_the_next_one_answered() {
    let (dir, _query) = running();
    for (sql, why) in [
        (format!("SELECT 1{} AS x", "::int".repeat(3_000)), "nested more than 400 levels"),
        (format!("SELECT {}1 AS x", "1 + ".repeat(3_000)), "nested more than 400 levels"),
        (
            format!("SELECT from_json('{{}}', 'a {}int{}')", "array<".repeat(3_000), ">".repeat(3_000)),
            "nested",
        ),
        ("SELECT add_months(date '2020-01-01', 2147483647) AS x".into(), ""),
        ("SELECT k FROM live; SELECT n FROM live".into(), "the end of the query"),
        (format!("SELECT {}1 AS x", "1 + ".repeat(25_000)), "more than 10000 operators"),
        (
            "SELECT repeat(k, 2147483647) AS x FROM live".into(),
            "repeat(): the result would take 2147483647 bytes",
        ),
        ("SELECT sequence(1, 2147483647) AS x".into(), "sequence(): the result would take"),
    ] {
        let (_, _, said) = asked(dir.path(), &sql, &[]);
        assert!(said.contains(why), "{why}: {said}");
    }
    let (code, answer, _) = asked(dir.path(), "SELECT k, n FROM live", &["--format", "csv"]);
    assert_eq!((code, answer.as_str()), (Some(0), "k,n\na,1\n"));
}

#[test]
fn what_is_no_question_at_all_is_answered_with_an_error_line() {
    let (dir, _query) = running();
    let long = "x".repeat(2 << 20);
    for (question, why) in [
        (&b"SELECT 1\n"[..], "no question: it is a line of JSON"),
        (b"{\"sql\": 1}\n", "no question"),
        (b"\xff\xfe\n", "no question"),
        (b"\n", "no question"),
        (long.as_bytes(), "longer than 1048576 bytes"),
    ] {
        let mut stream = UnixStream::connect(dir.path().join("run/streamhost/counting.sock")).unwrap();
        // All of it need not be read.
        let _ = stream.write_all(question);
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let said = answer["error"].as_str().unwrap();
        assert!(said.contains(why), "{said}");
    }
    let (code, answer, _) = asked(dir.path(), "SELECT k, n FROM live", &["--format", "csv"]);
    assert_eq!((code, answer.as_str()), (Some(0), "k,n\na,1\n"));
}

#[test]
fn a_socket_that_a_crash_left_does_not_keep_the_next_run_from_listening() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("pipeline.toml"), PIPELINE);
    write(dir.path().join("in/1.json"), "{\"k\":\"a\"}\n");
    for _ in 0..2 {
        // Dropping it is a kill -9.
        let mut query = Query::start(dir.path(), &[]);
        query.wait_for(1);
        assert!(dir.path().join("run/streamhost/counting.sock").exists());
        assert_eq!(asked(dir.path(), "SELECT k FROM live", &["--format", "csv"]).1, "k\na\n");
    }
}

#[test]
fn watch_draws_the_table_after_each_epoch() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("pipeline.toml"), PIPELINE);
    write(dir.path().join("in/1.json"), "{\"k\":\"a\"}\n");
    let shown = ok(dir.path(), ["run", "pipeline.toml", "--trigger", "available-now", "--watch", "live"]);
    assert_eq!(shown, "live  epoch 0\n+---+---+\n|  k|  n|\n+---+---+\n|  a|  1|\n+---+---+\n");
    let said = fails(2, dir.path(), ["run", "pipeline.toml", "--watch", "lives"]);
    assert!(said.contains("the pipeline has no sink [sinks.lives.memory]; it has live"), "{said}");
}

#[test]
fn what_a_step_remembers_can_be_shown_and_asked_of_any_kept_epoch() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("pipeline.toml"), PIPELINE);
    write(dir.path().join("in/1.json"), "{\"k\":\"a\"}\n{\"k\":null}\n");
    let go = ["run", "pipeline.toml", "--trigger", "available-now", "--checkpoint", "ckpt"];
    ok(dir.path(), go);
    write(dir.path().join("in/2.json"), "{\"k\":\"a\"}\n");
    ok(dir.path(), go);
    let shown = ok(dir.path(), ["state", "show", "ckpt"]);
    assert!(shown.starts_with("after epoch 1\noperator_0  counts: aggregate count(1)"), "{shown}");
    assert!(
        shown.contains("    2 entries, ") && shown.contains("columns: k STRING, `count(1)` BIGINT\n"),
        "{shown}"
    );
    let query = |more: &[&str]| {
        let sql = "SELECT k, `count(1)` AS n FROM counts ORDER BY k";
        let args = ["state", "query", "ckpt", sql, "--format", "csv"];
        ok(dir.path(), args.iter().chain(more))
    };
    assert_eq!(query(&[]), "k,n\n,1\na,2\n");
    assert_eq!(query(&["--epoch", "0"]), "k,n\n,1\na,1\n");
    let said = fails(2, dir.path(), ["state", "show", "ckpt", "--epoch", "7"]);
    assert!(said.contains("epoch 7 is not among the committed ones that checkpoint"), "{said}");
    let file = fs::read_dir(dir.path().join("ckpt/state/counts")).unwrap().map(|entry| entry.unwrap().path());
    let file = file.filter(|path| path.extension().is_some_and(|of| of == "state")).max().unwrap();
    let bytes = fs::read(&file).unwrap();
    write(&file, &bytes[..bytes.len() / 2]);
    let name = file.file_name().unwrap().to_str().unwrap();
    let said = fails(4, dir.path(), ["state", "show", "ckpt"]);
    assert!(said.contains(name), "{said}");
    // The query says to which epoch it can go back, and that works.
    let said = fails(4, dir.path(), go);
    assert!(said.contains(name) && said.contains("the state after epoch 0 is whole"), "{said}");
    assert!(said.contains("streamhost checkpoint reset ") && said.contains("ckpt --to 0`"), "{said}");
    ok(dir.path(), ["checkpoint", "reset", "ckpt", "--to", "0"]);
    ok(dir.path(), go);
    assert_eq!(query(&[]), "k,n\n,1\na,2\n");
}
