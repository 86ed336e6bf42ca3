//! Plugins that are sinks, and write to tables.

use super::job;
use crate::{
    binary::{ok, plugin},
    kill::kill_at,
};
use std::{collections::BTreeSet, fs, path::Path};
use tests::services::databases::{Database, postgres, sqlite};

/// The databases whose `INSERT … ON CONFLICT` the plugin writes.
fn each(table: &str, check: impl Fn(&Database, &str, &Path)) {
    for of in ["sqlite", "postgres"] {
        let folder = tempfile::tempdir().unwrap();
        let database = match of {
            "sqlite" => sqlite(&folder.path().join("rows.db")),
            _ => postgres(),
        };
        eprintln!("{table} in {of}");
        check(&database, table, folder.path());
    }
}

/// Users that change their names, one file an epoch.
const USERS: [&str; 4] = [
    "{\"id\":1,\"name\":\"Ada\",\"at\":\"2025-03-01T00:00:02Z\"}\n{\"id\":2,\"name\":\"Bob\",\"at\":\"2025-03-01T00:00:00Z\"}\n",
    "{\"id\":1,\"name\":\"too old\",\"at\":\"2025-03-01T00:00:01Z\"}\n{\"id\":2,\"name\":\"Bert\",\"at\":\"2025-03-01T00:00:05Z\"}\n",
    "{\"id\":3,\"name\":\"Cleo\",\"at\":\"2025-03-01T00:00:00Z\"}\n{\"id\":3,\"name\":\"Cleopatra\",\"at\":\"2025-03-01T00:00:03Z\"}\n{\"id\":1}\n",
    "{\"id\":2,\"name\":\"Berta\",\"at\":\"2025-03-01T00:00:05Z\"}\n",
];

fn newest(database: &Database, table: &str) -> String {
    format!(
        "{}[sinks.users.plugin]\nplugin = {:?}\nconfig = {{ table = \"{table}\", keys = [\"id\"], newest = \"at\" }}\n\
         [sinks.users.plugin.outputs.latest]\nmode = \"update\"\n\
         sql = {{ connection = \"db\", table = \"{table}\", keys = [\"id\"], create = true }}\n",
        database.connection(),
        plugin("upsert-latest")
    )
}

#[test]
fn upsert_latest_keeps_the_newest_row_of_each_key_through_kills_and_replays() {
    each("t_newest", |database, table, folder| {
        job(folder, "id INT, name STRING, at TIMESTAMP", &USERS, &newest(database, table));
        for (epoch, step) in ["ran", "loaded", "marked", "stored"].iter().enumerate() {
            assert!(kill_at(folder, &format!("{epoch}:{step}")), "no {step} in epoch {epoch}");
        }
        ok(folder, ["run", "pipeline.toml"]);
        let names = || database.rows(&format!("SELECT id, name FROM {table} ORDER BY id"));
        assert_eq!(names(), ["1|Ada", "2|Berta", "3|Cleopatra"]);
        for epoch in [3, 2] {
            fs::remove_file(folder.join(format!("checkpoint/commits/{epoch}"))).unwrap();
        }
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(names(), ["1|Ada", "2|Berta", "3|Cleopatra"]);
    });
}

const EPOCHS: u64 = 10;

/// Every second row is of another day.
fn days(epoch: u64) -> String {
    let row = |n: u64| format!("{{\"id\":{},\"at\":\"2025-03-0{}T12:00:00Z\"}}\n", epoch * 20 + n, 1 + n % 2);
    (0..20).map(row).collect()
}

fn ids(folder: &Path) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    let files = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.extension().is_some_and(|of| of == "json")) {
        for line in fs::read_to_string(file).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(all.insert(row["id"].as_u64().unwrap()), "{row} is there twice");
        }
    }
    all
}

#[test]
fn route_by_date_fills_a_table_for_each_day_beside_files_and_each_has_every_row_once_after_kills() {
    each("t_days", |database, table, folder| {
        let sink = format!(
            "{}[sinks.days.plugin]\nplugin = {:?}\n\
             config = {{ column = \"at\", as = \"table\", text = \"{table}_{{day}}\", routes = [{{ output = \"first\", before = \"2025-03-02\" }}] }}\n\
             [sinks.days.plugin.outputs]\n\
             days = {{ sql = {{ connection = \"db\", table-from-column = \"table\", create = true }} }}\n\
             first = {{ files = {{ path = \"first\", format = \"json\" }} }}\n",
            database.connection(),
            plugin("route-by-date")
        );
        let files: Vec<String> = (0..EPOCHS).map(days).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        job(folder, "id BIGINT, at TIMESTAMP", &files, &sink);
        let steps = [
            "ran",
            "loaded",
            "marked",
            "stored",
            "staged",
            "manifest-written",
            "renamed-all",
            "sink-committed",
        ];
        for (epoch, step) in steps.iter().enumerate() {
            assert!(kill_at(folder, &format!("{epoch}:{step}")), "no {step} in epoch {epoch}");
        }
        ok(folder, ["run", "pipeline.toml"]);
        let all = EPOCHS * 10;
        let counted = format!("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM {table}_02");
        assert_eq!(database.rows(&counted), [format!("{all}|{all}|1|{}", EPOCHS * 20 - 1)]);
        assert_eq!(ids(&folder.join("first")), (0..EPOCHS * 20).filter(|id| id % 2 == 0).collect());
    });
}
