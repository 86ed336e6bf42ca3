//! The real binary, with topics at one end of the pipeline or at both.

use crate::{
    binary::{Running, command, fails, ok, plugin, write},
    kill::{Killed, Random, kill_after, kill_at},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tests::services::kafka::kafka;

#[test]
fn a_topic_of_json_is_shown_on_the_console() {
    let topic = kafka().topic("to-console", 1);
    kafka().send(topic, 0, ["{\"id\":1,\"name\":\"ann\"}", "{\"id\":2,\"name\":\"bob\"}"]);
    let dir = tempfile::tempdir().unwrap();
    let servers = kafka().bootstrap();
    write(
        dir.path().join("pipeline.toml"),
        format!(
            "trigger = \"available-now\"\n[sources.people]\nschema = \"id INT, name STRING\"\n\
             [sources.people.kafka]\nbootstrap-servers = {servers:?}\ntopic = \"{topic}\"\nvalue = \"json\"\n\
             [steps.upper]\nsql = \"SELECT id, upper(name) AS name FROM people\"\n[sinks.screen.console]\n"
        ),
    );
    let shown = ok(dir.path(), ["run", "pipeline.toml"]);
    assert!(shown.contains("|  1| ANN|\n|  2| BOB|\n"), "{shown}");
    let explained = ok(dir.path(), ["explain", "pipeline.toml"]);
    assert!(explained.contains("people: KafkaSource[to-console]"), "{explained}");
}

/// Writes events to a topic; answers what a batch computation over them gives: id → normalized value of those above 10.
fn events(topic: &str, count: u64) -> BTreeMap<u64, f64> {
    let mut random = Random(7);
    let mut expected = BTreeMap::new();
    let mut values = Vec::new();
    for id in 0..count {
        let value = random.below(2000) as f64 / 100.0;
        values.push(format!("{{\"id\":{id},\"value\":{value}}}"));
        if value > 10.0 {
            expected.insert(id, value / 100.0);
        }
    }
    kafka().send(topic, None, values);
    expected
}

/// Kafka → two plugins → Kafka.
fn through_plugins(folder: &Path, from: &str, to: &str) {
    let (filter, normalize, servers) = (plugin("filter-threshold"), plugin("normalize"), kafka().bootstrap());
    write(
        folder.join("pipeline.toml"),
        format!(
            "trigger = \"available-now\"\ncheckpoint = \"checkpoint\"\n\
             [sources.events]\nschema = \"id INT, value DOUBLE\"\nmax-per-trigger = {{ rows = 200 }}\n\
             [sources.events.kafka]\nbootstrap-servers = {servers:?}\ntopic = \"{from}\"\nvalue = \"json\"\n\
             [steps.large]\nplugin = {filter:?}\n[steps.normalized]\nplugin = {normalize:?}\n\
             [sinks.out.kafka]\nbootstrap-servers = {servers:?}\ntopic = \"{to}\"\n"
        ),
    );
}

/// Every row of a topic; one that is there twice is an error.
fn stored(topic: &str) -> BTreeMap<u64, f64> {
    let mut rows = BTreeMap::new();
    for value in kafka().values(topic) {
        let row: serde_json::Value = serde_json::from_str(&value).unwrap();
        // serde_json reads numbers quickly, and not always to the last digit.
        let (_, normalized) = value.split_once("\"normalized_value\":").unwrap();
        let normalized = normalized.trim_end_matches('}').parse().unwrap();
        let before = rows.insert(row["id"].as_u64().unwrap(), normalized);
        assert_eq!(before, None, "{value} is there twice");
    }
    rows
}

#[test]
fn a_query_that_is_killed_at_every_step_of_a_transaction_writes_every_row_once() {
    let (from, to) = (kafka().topic("kill-in", 2), kafka().topic("kill-out", 2));
    let expected = events(from, 4000);
    let dir = tempfile::tempdir().unwrap();
    through_plugins(dir.path(), from, to);
    let steps = [
        "planned",
        "ran",
        "sent",
        "marked",
        "transaction-committed",
        "sink-committed",
        "committed",
        "released",
    ];
    for (epoch, step) in steps.iter().enumerate() {
        assert!(kill_at(dir.path(), &format!("{epoch}:{step}")), "nothing was killed at {step}");
        assert!(stored(to).iter().all(|(id, value)| expected.get(id) == Some(value)), "after {step}");
    }
    ok(dir.path(), ["run", "pipeline.toml"]);
    assert_eq!(stored(to), expected);
    // Without its last commit record the query runs the epoch again, and every row is still there once.
    let commits = dir.path().join("checkpoint/commits");
    let newest = std::fs::read_dir(&commits).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let newest = newest.filter_map(|name| name.parse::<u64>().ok()).max().unwrap();
    std::fs::remove_file(commits.join(newest.to_string())).unwrap();
    ok(dir.path(), ["run", "pipeline.toml"]);
    assert_eq!(stored(to), expected);
}

/// Seeds, and the kills of each that are to interrupt an epoch.
fn effort() -> (std::ops::Range<u64>, u32) {
    if std::env::var_os("STREAMHOST_TEST_LONG").is_some() { (1..11, 30) } else { (1..2, 10) }
}

#[test]
fn a_query_that_is_killed_at_random_writes_every_row_once() {
    let (seeds, wanted) = effort();
    for seed in seeds {
        let mut random = Random(seed);
        let mut interrupted = 0;
        let mut round = 0;
        while interrupted < wanted {
            round += 1;
            let (from, to) = (format!("random-in-{seed}-{round}"), format!("random-out-{seed}-{round}"));
            let expected = events(kafka().topic(&from, 3), 8000);
            kafka().topic(&to, 1);
            let dir = tempfile::tempdir().unwrap();
            through_plugins(dir.path(), &from, &to);
            loop {
                match kill_after(dir.path(), Duration::from_millis(100 + random.below(900))) {
                    Killed::InEpoch => interrupted += 1,
                    Killed::Between => {}
                    Killed::TooLate => break,
                }
            }
            ok(dir.path(), ["run", "pipeline.toml"]);
            assert_eq!(stored(&to), expected);
        }
    }
}

#[test]
fn a_query_with_a_new_identity_writes_its_epochs_once_more() {
    let (from, to) = (kafka().topic("renamed-in", 1), kafka().topic("renamed-out", 1));
    let expected = events(from, 600);
    let dir = tempfile::tempdir().unwrap();
    through_plugins(dir.path(), from, to);
    ok(dir.path(), ["run", "pipeline.toml"]);
    assert_eq!(stored(to), expected);
    ok(dir.path(), ["checkpoint", "reset", "checkpoint", "--to", "0", "--new-id"]);
    ok(dir.path(), ["run", "pipeline.toml"]);
    let of_first = expected.range(..200).count();
    assert_eq!(kafka().values(to).len(), 2 * expected.len() - of_first);
}

#[test]
fn the_continuous_trigger_writes_at_least_once_and_refuses_exactly_once() {
    let (from, to) = (kafka().topic("continuous-in", 1), kafka().topic("continuous-out", 1));
    let servers = kafka().bootstrap();
    let dir = tempfile::tempdir().unwrap();
    let text = |delivery: &str| {
        format!(
            "trigger = {{ continuous = \"1s\" }}\ncheckpoint = \"checkpoint\"\n\
             [sources.in.kafka]\nbootstrap-servers = {servers:?}\ntopic = \"{from}\"\n\
             [sinks.out.kafka]\nbootstrap-servers = {servers:?}\ntopic = \"{to}\"\nvalue = \"string\"\n{delivery}"
        )
    };
    write(dir.path().join("pipeline.toml"), text("delivery = \"exactly-once\"\n"));
    let said = fails(2, dir.path(), ["check", "pipeline.toml"]);
    assert!(
        said.contains("pipeline.toml:") && said.contains("the continuous trigger writes rows as they come"),
        "{said}"
    );
    write(dir.path().join("pipeline.toml"), text(""));
    let mut child = command(dir.path(), ["run", "pipeline.toml", "--progress", "json"]);
    let mut child = Running(child.stderr(Stdio::piped()).spawn().unwrap());
    kafka().send(from, 0, ["one", "two"]);
    let mut said = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.starts_with('{')), "no row came through");
    assert_eq!(kafka().values(to), ["one", "two"]);
}

#[test]
fn the_progress_says_how_far_behind_a_query_is() {
    let topic = kafka().topic("behind", 1);
    kafka().send(topic, 0, (0..10).map(|n| n.to_string()));
    let servers = kafka().bootstrap();
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path().join("pipeline.toml"),
        format!(
            "trigger = \"available-now\"\n[sources.in]\nmax-per-trigger = {{ rows = 4 }}\n\
             [sources.in.kafka]\nbootstrap-servers = {servers:?}\ntopic = \"{topic}\"\n[sinks.none.noop]\n"
        ),
    );
    let output = command(dir.path(), ["run", "pipeline.toml", "--progress", "json"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let lines = said.lines().filter(|line| line.starts_with('{'));
    let lags: Vec<u64> = lines
        .map(|line| {
            let progress: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(progress["sources"][0]["latestOffset"], json!({ "behind": { "0": 10 } }), "{line}");
            progress["sources"][0]["backlog"].as_u64().unwrap_or_else(|| panic!("{line}"))
        })
        .collect();
    assert_eq!(lags, [6, 2, 0]);
}
