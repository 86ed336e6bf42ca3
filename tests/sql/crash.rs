//! `kill -9` of the real binary on its way to a table, and of the database under it.

use super::{each, job};
use crate::{
    binary::{Running, command, ok, write},
    kill::kill_at,
};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};
use tests::services::{
    databases::{Database, Postgres},
    toxiproxy::toxiproxy,
};

const FILES: u64 = 10;
const ROWS: u64 = 300;

fn input(folder: &Path, files: std::ops::Range<u64>) {
    for file in files {
        let lines: String = (0..ROWS).map(|row| format!("{{\"id\":{}}}\n", file * ROWS + row)).collect();
        write(folder.join(format!("in/{file:03}.json")), lines);
    }
}

fn sink(table: &str) -> String {
    format!("[sinks.out.sql]\nconnection = \"db\"\ntable = \"{table}\"\ncreate = true\n")
}

/// Every row is there once.
fn check(database: &Database, table: &str, files: u64) {
    let counted = format!("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM {table}");
    let all = files * ROWS;
    assert_eq!(database.rows(&counted), [format!("{all}|{all}|0|{}", all - 1)]);
}

#[test]
fn a_query_that_is_killed_at_every_step_stores_every_row_once() {
    each("killed", |database, table, folder| {
        input(folder, 0..FILES);
        job(folder, "id BIGINT", &[], &(database.connection() + &sink(table)));
        let steps =
            ["planned", "ran", "loaded", "marked", "stored", "sink-committed", "committed", "released"];
        for (epoch, step) in steps.iter().enumerate() {
            assert!(kill_at(folder, &format!("{epoch}:{step}")), "no {step} in epoch {epoch}");
            let rows = database.rows(&format!("SELECT count(*), count(DISTINCT id) FROM {table}"));
            let (all, distinct) = rows[0].split_once('|').unwrap();
            assert_eq!(all, distinct, "after {step}");
        }
        ok(folder, ["run", "pipeline.toml"]);
        check(database, table, FILES);
    });
}

#[test]
fn a_database_that_dies_in_a_transaction_is_waited_for_and_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut server = Postgres::own();
    let database = server.database();
    input(folder, 0..2);
    let rest = format!(
        "restart = {{ attempts = 100, backoff = \"50ms..200ms\" }}\n---\n{}{}",
        database.connection(),
        sink("t")
    );
    job(folder, "id BIGINT", &[], &rest);
    let text = std::fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    write(folder.join("pipeline.toml"), text.replace("\"available-now\"", "\"asap\""));
    let mut child = command(folder, ["run", "pipeline.toml", "--progress", "json"]);
    let mut child = Running(child.stderr(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("\"batchId\":1")));
    // The next epoch stays in its transaction for as long as the gate has a row, which it loses in a crash.
    database.run(
        "CREATE UNLOGGED TABLE gate AS SELECT 1 AS shut; \
         CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN PERFORM pg_sleep(600) FROM gate; RETURN NEW; END'; \
         CREATE TRIGGER waits BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION wait()",
    );
    input(folder, 2..3);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'PgSleep'";
    while database.rows(waiting) != ["1"] {
        std::thread::yield_now();
    }
    server.kill();
    assert!(
        said.any(|line| line.contains("starting again from the checkpoint") && line.contains("PostgreSQL"))
    );
    server.start();
    let database = server.database();
    assert!(said.any(|line| line.contains("\"batchId\":2")));
    check(&database, "t", 3);
}

#[test]
fn commits_that_are_taken_back_change_nothing_in_a_table() {
    each("again", |database, table, folder| {
        input(folder, 0..4);
        job(folder, "id BIGINT", &[], &(database.connection() + &sink(table)));
        ok(folder, ["run", "pipeline.toml"]);
        for to in [2, 1, 0] {
            ok(folder, ["checkpoint", "reset", "checkpoint", "--to", &to.to_string()]);
            ok(folder, ["run", "pipeline.toml"]);
            check(database, table, 4);
        }
    });
}

/// The query of a folder, running on, and what it says.
fn running(folder: &Path) -> (Running, impl Iterator<Item = String> + use<>) {
    let text = std::fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    write(folder.join("pipeline.toml"), text.replace("\"available-now\"", "\"asap\""));
    let mut child = command(folder, ["run", "pipeline.toml", "--progress", "json"]);
    let mut child = Running(child.stderr(Stdio::piped()).spawn().unwrap());
    let said = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    (child, said)
}

fn complains(line: &str, of: &str) -> bool {
    line.contains("starting again from the checkpoint") && line.contains(of)
}

#[test]
fn a_server_that_vanishes_without_a_word_is_given_up_after_its_time_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Postgres::own();
    let (database, link) = server.through(toxiproxy());
    input(folder, 0..1);
    let connection = format!("{}timeout = \"1s\"\n", database.connection());
    job(folder, "id BIGINT", &[], &(connection + &sink("t")));
    let (_child, mut said) = running(folder);
    assert!(said.any(|line| line.contains("\"batchId\":0")));
    link.hush();
    input(folder, 1..2);
    assert!(said.any(|line| complains(&line, "PostgreSQL has not answered for 1s")));
    link.speak();
    assert!(said.any(|line| line.contains("\"batchId\":1")));
    check(&server.database(), "t", 2);
}

#[test]
fn a_query_with_default_settings_that_worked_before_waits_for_its_database_at_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut server = Postgres::own();
    input(folder, 0..1);
    job(folder, "id BIGINT", &[], &(server.database().connection() + &sink("t")));
    ok(folder, ["run", "pipeline.toml"]);
    server.kill();
    input(folder, 1..2);
    let (_child, mut said) = running(folder);
    assert!(said.any(|line| complains(&line, "PostgreSQL is not reachable")));
    server.start();
    assert!(said.any(|line| line.contains("\"batchId\":1")));
    check(&server.database(), "t", 2);
}
