//! What each mode leaves in a table.

use super::{each, job};
use crate::binary::{fails, ok};

#[test]
fn append_adds_each_row_once_and_creates_the_table() {
    each("append", |database, table, folder| {
        let sink = format!("[sinks.out.sql]\nconnection = \"db\"\ntable = \"{table}\"\ncreate = true\n");
        let files = ["{\"id\":1,\"name\":\"a\"}\n{\"id\":2}\n", "{\"id\":3,\"name\":\"c'\\\"\\\\\"}\n"];
        job(folder, "id INT, name STRING", &files, &(database.connection() + &sink));
        ok(folder, ["run", "pipeline.toml"]);
        let rows = format!("SELECT id, name FROM {table} ORDER BY id");
        assert_eq!(database.rows(&rows), ["1|a", "2|NULL", "3|c'\"\\"]);
        // Again from the beginning of the checkpoint, and as a new query.
        ok(folder, ["checkpoint", "reset", "checkpoint", "--to", "0"]);
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(database.rows(&rows).len(), 3);
        std::fs::remove_dir_all(folder.join("checkpoint")).unwrap();
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(database.rows(&rows).len(), 6);
    });
}

#[test]
fn update_replaces_rows_by_their_keys_even_by_keys_that_are_null() {
    each("update", |database, table, folder| {
        let sink = format!(
            "[sinks.out]\nmode = \"update\"\n[sinks.out.sql]\nconnection = \"db\"\ntable = \"{table}\"\n\
             keys = [\"region\", \"day\"]\ncreate = true\n"
        );
        let files = [
            "{\"region\":\"n\",\"day\":1,\"v\":1}\n{\"region\":\"n\",\"day\":1,\"v\":2}\n{\"region\":\"s\",\"day\":1,\"v\":3}\n{\"day\":1,\"v\":4}\n",
            "{\"region\":\"n\",\"day\":1,\"v\":5}\n{\"region\":\"n\",\"day\":2,\"v\":6}\n{\"day\":1,\"v\":7}\n{\"day\":1,\"v\":8}\n{\"region\":\"s\",\"v\":9}\n",
            "{\"region\":\"s\",\"v\":10}\n",
        ];
        job(folder, "region STRING, day INT, v BIGINT", &files, &(database.connection() + &sink));
        // What a plugin or a file says twice of a key counts in the order it says it.
        let one = std::fs::read_to_string(folder.join("pipeline.toml")).unwrap();
        std::fs::write(folder.join("pipeline.toml"), one.replace("parallelism = 2", "parallelism = 1"))
            .unwrap();
        ok(folder, ["run", "pipeline.toml"]);
        let rows = database.rows(&format!("SELECT v, region, day FROM {table} ORDER BY v"));
        assert_eq!(rows, ["3|s|1", "5|n|1", "6|n|2", "8|NULL|1", "10|s|NULL"]);
    });
}

#[test]
fn complete_leaves_the_last_result_and_nothing_else() {
    each("complete", |database, table, folder| {
        let rest = format!(
            "{}[steps.counted]\nsql = \"SELECT k, count(*) AS n FROM rows GROUP BY k\"\n[sinks.out]\nmode = \"complete\"\n\
             [sinks.out.sql]\nconnection = \"db\"\ntable = \"{table}\"\ncreate = true\n",
            database.connection()
        );
        let files = ["{\"k\":\"a\"}\n{\"k\":\"b\"}\n", "{\"k\":\"a\"}\n", "{\"k\":\"c\"}\n"];
        job(folder, "k STRING", &files, &rest);
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(database.rows(&format!("SELECT k, n FROM {table} ORDER BY k")), ["a|2", "b|1", "c|1"]);
    });
}

#[test]
fn a_column_names_the_table_of_each_row() {
    each("routed", |database, table, folder| {
        let sink = "[sinks.out.sql]\nconnection = \"db\"\ntable-from-column = \"place\"\ncreate = true\n";
        let row = |n: u32, of: &str| format!("{{\"n\":{n},\"place\":\"{table}_{of}\"}}\n");
        let files = [row(1, "a") + &row(2, "b-x") + &row(3, "a"), row(4, "b-x")];
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        job(folder, "n INT, place STRING", &files, &(database.connection() + sink));
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(database.rows(&format!("SELECT * FROM {table}_a ORDER BY n")), ["1", "3"]);
        let quoted = if database.url.starts_with("mariadb") {
            format!("`{table}_b-x`")
        } else {
            format!("\"{table}_b-x\"")
        };
        assert_eq!(database.rows(&format!("SELECT * FROM {quoted} ORDER BY n")), ["2", "4"]);
        // What the data say is no way to the marks.
        job(
            folder,
            "n INT, place STRING",
            &["{\"n\":1,\"place\":\"streamhost_epochs\"}\n"],
            &(database.connection() + sink),
        );
        std::fs::remove_dir_all(folder.join("checkpoint")).unwrap();
        let error = fails(4, folder, ["run", "pipeline.toml"]);
        assert!(error.contains("of streamhost's own"), "{error}");
    });
}

#[test]
fn several_sinks_of_a_query_share_a_database() {
    each("several", |database, table, folder| {
        let sinks: String = (0..3)
            .map(|n| format!("[sinks.s{n}]\nfrom = \"rows\"\n[sinks.s{n}.sql]\nconnection = \"db\"\ntable = \"{table}_{n}\"\ncreate = true\n"))
            .collect();
        job(folder, "n INT", &["{\"n\":1}\n", "{\"n\":2}\n"], &(database.connection() + &sinks));
        ok(folder, ["run", "pipeline.toml"]);
        for n in 0..3 {
            assert_eq!(database.rows(&format!("SELECT n FROM {table}_{n} ORDER BY n")), ["1", "2"]);
        }
    });
}
