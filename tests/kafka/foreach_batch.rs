//! Plugins that are sinks, and write to a topic and to a Delta table.

use crate::{
    binary::{fails, ok, plugin, write},
    delta,
    kill::{kill_at, newest},
};
use std::{collections::BTreeSet, fs, path::Path};
use tests::services::kafka::kafka;

const EPOCHS: u64 = 10;
const ROWS: u64 = 20;

/// A file for each epoch; every second row is of 2024.
fn input(folder: &Path, epoch: u64) {
    let row =
        |n: u64| format!("{{\"id\":{},\"at\":\"202{}-03-01T12:00:00Z\"}}\n", epoch * ROWS + n, 4 + n % 2);
    write(folder.join(format!("in/{epoch:03}.json")), (0..ROWS).map(row).collect::<String>());
}

/// Those of 2024 go to a table, the others to a topic.
fn pipeline(folder: &Path, topic: &str) {
    let text = format!(
        "trigger = \"available-now\"\ncheckpoint = \"checkpoint\"\n\
         [sources.events]\nschema = \"id BIGINT, at TIMESTAMP\"\nmax-per-trigger = {{ files = 1 }}\n\
         files = {{ path = \"in\", format = \"json\", settle = \"0s\" }}\n\
         [sinks.archive.plugin]\nplugin = {:?}\n\
         config = {{ column = \"at\", routes = [{{ output = \"old\", before = \"2025-01-01\" }}] }}\n\
         [sinks.archive.plugin.outputs]\n\
         days = {{ kafka = {{ bootstrap-servers = {:?}, topic = \"{topic}\" }} }}\nold = {{ delta = {{ path = \"old\" }} }}\n",
        plugin("route-by-date"),
        kafka().bootstrap()
    );
    write(folder.join("pipeline.toml"), text);
}

/// The ids of some rows; each may be there once.
fn ids(rows: Vec<String>) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    for text in rows {
        let row: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(all.insert(row["id"].as_u64().unwrap()), "{text} is there twice");
    }
    all
}

/// Each output has every row of it once.
fn check(folder: &Path, topic: &str, epochs: u64) {
    let of = |odd: u64| (0..epochs * ROWS).filter(|id| id % 2 == odd).collect::<BTreeSet<u64>>();
    assert_eq!(ids(kafka().values(topic)), of(1), "in the topic");
    assert_eq!(ids(delta::read(folder.join("old"))), of(0), "in the table");
}

#[test]
fn a_topic_and_a_table_as_outputs_have_every_row_once_after_kills_and_replays() {
    let topic = kafka().topic("routed-days", 2);
    let folder = tempfile::tempdir().unwrap();
    (0..EPOCHS).for_each(|epoch| input(folder.path(), epoch));
    pipeline(folder.path(), topic);
    let steps =
        ["ran", "sent", "marked", "transaction-committed", "staged", "logged", "sink-committed", "committed"];
    for (epoch, step) in steps.iter().enumerate() {
        assert!(kill_at(folder.path(), &format!("{epoch}:{step}")), "no {step} in epoch {epoch}");
    }
    ok(folder.path(), ["run", "pipeline.toml"]);
    check(folder.path(), topic, EPOCHS);
    for epoch in [EPOCHS - 1, EPOCHS - 2] {
        fs::remove_file(folder.path().join(format!("checkpoint/commits/{epoch}"))).unwrap();
    }
    ok(folder.path(), ["run", "pipeline.toml"]);
    check(folder.path(), topic, EPOCHS);
}

#[test]
fn an_output_whose_mark_is_lost_stops_the_query() {
    let topic = kafka().topic("unmarked-days", 1);
    let folder = tempfile::tempdir().unwrap();
    input(folder.path(), 0);
    pipeline(folder.path(), topic);
    ok(folder.path(), ["run", "pipeline.toml"]);
    let metadata = fs::read_to_string(folder.path().join("checkpoint/metadata")).unwrap();
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    kafka().forget_group(&format!("{}-archive.days", metadata["id"].as_str().unwrap()));
    input(folder.path(), 1);
    let said = fails(2, folder.path(), ["run", "pipeline.toml"]);
    assert!(said.contains("output `days`") && said.contains("missing-mark = \"write\""), "{said}");
    assert_eq!(newest(folder.path(), "commits"), Some(0));
    check(folder.path(), topic, 1);
}
