//! What is said when a database does not take what it is given.

use super::{each, job};
use crate::binary::{fails, ok, run, text};
use tests::services::databases::{mariadb, postgres};

fn sink(table: &str, more: &str) -> String {
    format!("[sinks.out.sql]\nconnection = \"db\"\ntable = \"{table}\"\n{more}")
}

#[test]
fn a_table_that_is_not_there_or_has_other_columns_is_named_with_what_to_do() {
    each("other", |database, table, folder| {
        let rest = database.connection() + &sink(table, "");
        job(folder, "id BIGINT, name STRING", &["{\"id\":1,\"name\":\"a\"}\n"], &rest);
        let error = fails(2, folder, ["run", "pipeline.toml"]);
        assert!(error.contains(&format!("there is no table {table}; set `create = true`")), "{error}");
        assert!(error.contains("CREATE TABLE"), "{error}");
        database.run(&format!("CREATE TABLE {table} (id BIGINT, label VARCHAR(20))"));
        let error = fails(2, folder, ["run", "pipeline.toml"]);
        assert!(error.contains(&format!("table {table} has no column name; it has id, label")), "{error}");
        database.run(&format!("ALTER TABLE {table} ADD COLUMN name VARCHAR(20)"));
        database.run(&format!("ALTER TABLE {table} ADD COLUMN needed INT NOT NULL DEFAULT 0"));
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(database.rows(&format!("SELECT id, label, name FROM {table}")), ["1|NULL|a"]);
    });
}

#[test]
fn rows_do_not_replace_others_in_a_table_without_an_index() {
    each("unindexed", |database, table, folder| {
        database.run(&format!("CREATE TABLE {table} (id BIGINT, v BIGINT)"));
        let rest = database.connection()
            + &sink(table, "keys = [\"id\"]\n")
                .replace("[sinks.out.sql]", "[sinks.out]\nmode = \"update\"\n[sinks.out.sql]");
        job(folder, "id BIGINT, v BIGINT", &["{\"id\":1,\"v\":1}\n", "{\"id\":1,\"v\":2}\n"], &rest);
        let error = fails(2, folder, ["run", "pipeline.toml"]);
        assert!(error.contains(&format!("table {table} has no unique index on id")), "{error}");
        let statement = error.split_once("create it with: ").unwrap().1.trim();
        database.run(statement);
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(database.rows(&format!("SELECT id, v FROM {table}")), ["1|2"]);
    });
}

#[test]
fn a_value_that_does_not_fit_is_named_with_table_and_column() {
    for (database, says) in
        [(postgres(), "column n has the value 70000, which is too large for smallint"), (mariadb(), "'n'")]
    {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        database.run("CREATE TABLE IF NOT EXISTS t_narrow (n SMALLINT, word VARCHAR(3))");
        job(
            folder,
            "n INT, word STRING",
            &["{\"n\":70000,\"word\":\"a\"}\n"],
            &(database.connection() + &sink("t_narrow", "")),
        );
        let error = fails(4, folder, ["run", "pipeline.toml"]);
        assert!(error.contains(says) && error.contains("table t_narrow"), "{error}");
        std::fs::write(folder.join("in/000.json"), "{\"n\":7,\"word\":\"long\"}\n").unwrap();
        std::fs::remove_dir_all(folder.join("checkpoint")).unwrap();
        let error = fails(4, folder, ["run", "pipeline.toml"]);
        assert!(error.contains("word") && error.contains("table t_narrow"), "{error}");
    }
}

#[test]
fn a_wrong_password_is_said_without_the_password() {
    for database in [postgres(), mariadb()] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let rest = format!(
            "[connections.db]\nurl = {:?}\npassword = \"secret:db\"\n[secrets]\ndb = {{ file = \"secret\" }}\n{}",
            database.url,
            sink("t", "")
        );
        job(folder, "n INT", &["{\"n\":1}\n"], &rest);
        let error = fails(2, folder, ["run", "pipeline.toml"]);
        assert!(error.contains("secret `db`: cannot read"), "{error}");
        std::fs::write(folder.join("secret"), "hunter2\n").unwrap();
        let output = run(folder, ["--log", "debug", "run", "pipeline.toml"]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("check the user in the connection's `url`, and its `password`"), "{error}");
        assert!(!error.contains("hunter2") && error.contains("connecting to "), "{error}");
        let explained = ok(folder, ["explain", "pipeline.toml"]);
        assert!(explained.contains("SqlSink[t of db]") && !explained.contains("hunter2"), "{explained}");
    }
}

#[test]
fn a_database_that_is_not_there_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rest = format!(
        "[connections.db]\nurl = \"postgresql://me@127.0.0.1:{}/w\"\n{}",
        tests::services::ports(1),
        sink("t", "")
    );
    job(folder, "n INT", &["{\"n\":1}\n"], &rest);
    let error = fails(5, folder, ["run", "pipeline.toml"]);
    assert!(
        error.contains("connecting to postgresql://127.0.0.1:") && error.contains("is not reachable"),
        "{error}"
    );
}

#[test]
fn a_misspelled_connection_is_found_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rest = "[connections.warehouse]\nurl = \"sqlite:rows.db\"\n[sinks.out.sql]\nconnection = \"warehuose\"\ntable = \"t\"\n";
    job(folder, "n INT", &["{\"n\":1}\n"], rest);
    let error = fails(2, folder, ["check", "pipeline.toml"]);
    assert!(
        error.contains(
            "pipeline.toml:14:8: sink `out`: there is no connection `warehuose`; did you mean `warehouse`?"
        ),
        "{error}"
    );
}
