//! Databases as sources, and as the static side of joins.

use super::{each, job};
use crate::{
    binary::{Running, command, json_lines, ok, write},
    kill::kill_at,
};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::Stdio,
};

fn polling(connection: &str, table: &str, more: &str) -> String {
    format!(
        "trigger = \"available-now\"\ncheckpoint = \"checkpoint\"\n{connection}[sources.rows]\nmax-per-trigger = {{ rows = 2 }}\n\
         [sources.rows.sql]\nconnection = \"db\"\ntable = \"{table}\"\ncolumn = \"id\"\nevery = \"20ms\"\nsettle = \"20ms\"\n{more}\
         [sinks.out.files]\npath = \"out\"\nformat = \"json\"\n"
    )
}

#[test]
fn rows_are_read_in_ranges_of_a_column_and_each_once() {
    each("polled", |database, table, folder| {
        database.run(&format!("CREATE TABLE {table} (id BIGINT, v VARCHAR(9))"));
        let insert = |ids: &[u32]| {
            let rows: Vec<String> = ids.iter().map(|id| format!("({id}, 'v{id}')")).collect();
            database.run(&format!("INSERT INTO {table} VALUES {}", rows.join(", ")));
        };
        // Three rows of one value cannot be told apart.
        insert(&[1, 2, 10, 10, 10, 11]);
        write(folder.join("pipeline.toml"), polling(&database.connection(), table, ""));
        assert!(kill_at(folder, "0:ran"));
        assert!(kill_at(folder, "1:committed"));
        ok(folder, ["run", "pipeline.toml"]);
        let row = |id: u32| format!("{{\"id\":{id},\"v\":\"v{id}\"}}");
        let sorted = |ids: &[u32]| {
            ids.iter().map(|id| row(*id)).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(json_lines(&folder.join("out")).len(), 6);
        insert(&[12, 13, 14]);
        ok(folder, ["run", "pipeline.toml"]);
        let mut rows = json_lines(&folder.join("out"));
        assert_eq!(rows.len(), 9);
        rows.dedup();
        assert_eq!(rows, sorted(&[1, 2, 10, 11, 12, 13, 14]));
    });
}

#[test]
fn new_rows_come_while_the_query_runs() {
    each("watched", |database, table, folder| {
        database.run(&format!("CREATE TABLE {table} (id BIGINT, v VARCHAR(9))"));
        let text = polling(&database.connection(), table, "").replace("\"available-now\"", "\"asap\"");
        write(folder.join("pipeline.toml"), text);
        let mut child = command(folder, ["run", "pipeline.toml", "--progress", "json"]);
        let mut child = Running(child.stderr(Stdio::piped()).spawn().unwrap());
        let mut said = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
        for id in 1..=3 {
            database.run(&format!("INSERT INTO {table} VALUES ({id}, 'x')"));
            assert!(said.any(|line| line.contains("\"numInputRows\":1")));
        }
        assert_eq!(json_lines(&folder.join("out")).len(), 3);
    });
}

#[test]
fn streams_are_joined_with_what_a_query_answers() {
    each("joined", |database, table, folder| {
        database.run(&format!("CREATE TABLE {table} (id INT, name VARCHAR(9), gone INT)"));
        database.run(&format!("INSERT INTO {table} VALUES (1, 'one', 0), (2, 'two', 1), (3, NULL, 0)"));
        let rest = format!(
            "{}[tables.names.sql]\nconnection = \"db\"\nquery = \"SELECT id, name FROM {table} WHERE gone = 0\"\nrefresh = \"1ms\"\n\
             [steps.named]\nsql = \"SELECT r.n, names.name FROM rows r LEFT JOIN names ON r.n = names.id\"\n\
             [sinks.out.files]\npath = \"out\"\nformat = \"json\"\njson = {{ ignore-null-fields = false }}\n",
            database.connection()
        );
        job(folder, "n INT", &["{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"], &rest);
        ok(folder, ["run", "pipeline.toml"]);
        let rows = json_lines(&folder.join("out"));
        assert_eq!(
            rows,
            ["{\"n\":1,\"name\":\"one\"}", "{\"n\":2,\"name\":null}", "{\"n\":3,\"name\":null}"]
        );
        database.run(&format!("UPDATE {table} SET gone = 0"));
        write(folder.join("in/001.json"), "{\"n\":2}\n");
        ok(folder, ["run", "pipeline.toml"]);
        assert!(json_lines(&folder.join("out")).contains(&"{\"n\":2,\"name\":\"two\"}".to_owned()));
        let explained = ok(folder, ["explain", "pipeline.toml"]);
        assert!(
            explained.contains("names") && explained.contains("columns: id INT, name STRING"),
            "{explained}"
        );
    });
}

#[test]
fn a_column_of_times_rises_as_well_as_one_of_numbers() {
    each("timed", |database, table, folder| {
        let of = match database.url.split(':').next().unwrap() {
            "postgresql" => "TIMESTAMPTZ",
            "mariadb" => "TIMESTAMP(6) NULL",
            _ => "TIMESTAMP",
        };
        let zone = if database.url.starts_with("mariadb") { "" } else { "+00" };
        database.run(&format!("CREATE TABLE {table} (id {of}, v INT)"));
        let insert = |from: u32, to: u32| {
            // Two of each time, some of which end in zeros.
            let row =
                |n: u32| format!("('2025-03-0{}T10:00:00.{:06}{zone}', {n})", 1 + n / 6, n / 2 % 3 * 250_500);
            let rows = (from..to).map(row).collect::<Vec<_>>().join(", ").replace('T', " ");
            database.run(&format!("INSERT INTO {table} VALUES {rows}"));
        };
        insert(0, 10);
        write(folder.join("pipeline.toml"), polling(&database.connection(), table, ""));
        assert!(kill_at(folder, "0:ran"));
        assert!(kill_at(folder, "1:committed"));
        ok(folder, ["run", "pipeline.toml"]);
        let values = || {
            let value = |line: &String| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["v"].as_u64().unwrap()
            };
            let mut values: Vec<u64> = json_lines(&folder.join("out")).iter().map(value).collect();
            values.sort_unstable();
            values
        };
        assert_eq!(values(), (0..10).collect::<Vec<_>>());
        insert(12, 18);
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(values(), (0..10).chain(12..18).collect::<Vec<_>>());
    });
}
