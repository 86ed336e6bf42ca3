//! A sink that takes nothing any more, and does not say so.

use crate::{
    binary::{Running, command, write},
    kill::Random,
};
use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
    time::Duration,
};
use tests::services::{databases::Postgres, kafka::kafka, toxiproxy::Toxiproxy};

/// The memory of a process that is not elsewhere, in MiB.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

const ROWS: usize = 500_000;
const PARTITIONS: i32 = 64;

/// Text of a kilobyte that nobody makes smaller.
fn texts(count: usize) -> impl Iterator<Item = String> {
    let mut random = Random(3);
    (0..count).map(move |_| (0..60).map(|_| format!("{:017x}", random.below(u64::MAX))).collect())
}

#[test]
fn a_sink_that_hangs_stops_the_source_and_memory_stays_as_it_is_while_the_topic_grows() {
    let topic = kafka().topic("hung", PARTITIONS);
    let (server, proxy) = (Postgres::own(), Toxiproxy::own());
    let (database, _link) = server.through(&proxy);
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path().join("pipeline.toml"),
        format!(
            "trigger = \"asap\"\ncheckpoint = \"checkpoint\"\n{}\n\
             [sources.texts.kafka]\nbootstrap-servers = {:?}\ntopic = \"{topic}\"\n\
             [sinks.table.sql]\nconnection = \"db\"\ntable = \"hung\"\ncreate = true\n",
            database.connection(),
            kafka().bootstrap()
        ),
    );
    let mut child = command(folder.path(), ["run", "pipeline.toml", "--progress", "json"]);
    let mut child = Running(child.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let mut said = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    // The first epoch is of what everything needs anyhow.
    kafka().send(topic, None, texts(10_000));
    let table = server.database();
    let stored = |count: usize| table.rows("SELECT count(*) FROM hung") == [count.to_string()];
    assert!(said.any(|line| line.contains("\"batchId\"") && stored(10_000)));
    let before = resident(child.0.id());
    proxy.hold();
    kafka().send(topic, None, texts(ROWS));
    let seen: Vec<u64> = (0..80)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            resident(child.0.id())
        })
        .collect();
    let (most, rest) = (seen.iter().max().unwrap(), &seen[40..]);
    eprintln!("{before} MiB, then {seen:?}");
    // The topic has 500 MiB.
    assert!(*most < before + 250, "{before} MiB before, then {seen:?}");
    assert!(rest.iter().max().unwrap() - rest.iter().min().unwrap() < 16, "it still grows: {seen:?}");
    assert!(stored(10_000), "the server was not held");
    proxy.let_go();
    assert!(said.any(|line| line.contains("\"batchId\"") && stored(10_000 + ROWS)));
}
