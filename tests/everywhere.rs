//! One query from a topic through a plugin to a topic, a Delta table, a table of PostgreSQL and Parquet files at once: whatever is
//! killed, each of them has every row once.

use crate::{
    binary::{Running, command, ok, plugin, write},
    delta,
    kill::{Killed, Random, kill_after, kill_at, plain, rows},
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tests::services::{
    databases::{Database, Postgres, postgres},
    kafka::{Kafka, kafka},
    toxiproxy::toxiproxy,
};

/// What one query reads from and writes to.
struct Job<'a> {
    folder: &'a Path,
    broker: &'a Kafka,
    /// What the query calls the broker.
    servers: String,
    from: String,
    to: String,
    database: Database,
    table: String,
    expected: BTreeMap<i32, f64>,
}

impl Job<'_> {
    fn pipeline(&self, head: &str) {
        let Job { servers, from, to, table, .. } = self;
        let (filter, connection) = (plugin("filter-threshold"), self.database.connection());
        let text = format!(
            "checkpoint = \"checkpoint\"\n{head}\n{connection}\n\
             [sources.events]\nschema = \"id INT, value DOUBLE\"\nmax-per-trigger = {{ rows = 300 }}\n\
             [sources.events.kafka]\nbootstrap-servers = {servers:?}\ntopic = \"{from}\"\nvalue = \"json\"\n\
             [steps.large]\nplugin = {filter:?}\n\
             [sinks.topic.kafka]\nbootstrap-servers = {servers:?}\ntopic = \"{to}\"\n\
             [sinks.delta.delta]\npath = \"delta\"\n\
             [sinks.database.sql]\nconnection = \"db\"\ntable = \"{table}\"\ncreate = true\n\
             [sinks.files.files]\npath = \"files\"\nformat = \"parquet\"\n"
        );
        write(self.folder.join("pipeline.toml"), text);
    }

    /// Puts events into the topic: what a filter of those above 10 leaves is expected.
    fn send(&mut self, ids: std::ops::Range<u64>) {
        let mut random = Random(ids.start + 7);
        let mut values = Vec::new();
        for id in ids {
            let value = random.below(2000) as f64 / 100.0;
            values.push(format!("{{\"id\":{id},\"value\":{value}}}"));
            if value > 10.0 {
                self.expected.insert(id as i32, value);
            }
        }
        self.broker.send(&self.from, None, values);
    }

    /// What each sink has.
    fn stored(&self) -> [(&'static str, BTreeMap<i32, f64>); 4] {
        let json = |rows: Vec<String>| {
            once(rows.iter().map(|row| {
                let row: serde_json::Value = serde_json::from_str(row).unwrap();
                (row["id"].as_i64().unwrap() as i32, row["value"].as_f64().unwrap())
            }))
        };
        let select = format!("SELECT id, value FROM {}", self.table);
        let selected = self.database.rows(&select);
        let database = once(selected.iter().map(|row| {
            let (id, value) = row.split_once('|').unwrap();
            (id.parse().unwrap(), value.parse().unwrap())
        }));
        [
            ("topic", json(self.broker.values(&self.to))),
            ("delta", json(delta::read(self.folder.join("delta")))),
            ("database", database),
            ("files", rows(plain(&self.folder.join("files"), "parquet"), "value")),
        ]
    }

    /// Each sink has every row.
    fn check(&self) {
        for (sink, rows) in self.stored() {
            assert_eq!(rows.len(), self.expected.len(), "{sink}");
            assert_eq!(rows, self.expected, "{sink}");
        }
    }
}

/// A row that is there twice is an error.
fn once(rows: impl IntoIterator<Item = (i32, f64)>) -> BTreeMap<i32, f64> {
    let mut all = BTreeMap::new();
    for (id, value) in rows {
        assert_eq!(all.insert(id, value), None, "row {id} is there twice");
    }
    all
}

fn job<'a>(name: &str, folder: &'a Path) -> Job<'a> {
    let (from, to) = (format!("{name}-in"), format!("{name}-out"));
    kafka().topic(&from, 2);
    kafka().topic(&to, 2);
    let table = name.replace('-', "_");
    let servers = kafka().bootstrap();
    Job { folder, broker: kafka(), servers, from, to, database: postgres(), table, expected: BTreeMap::new() }
}

const AVAILABLE_NOW: &str = "trigger = \"available-now\"\n";

#[test]
fn a_query_with_four_sinks_that_is_killed_at_every_step_stores_every_row_once_in_each() {
    let steps = [
        "planned",
        "ran",
        "sent",
        "marked",
        "transaction-committed",
        "sink-committed",
        "staged",
        "logged",
        "sink-committed:2",
        "loaded",
        "marked:2",
        "stored",
        "sink-committed:3",
        "staged:2",
        "manifest-written",
        "renamed-one",
        "renamed-all",
        "sink-committed:4",
        "committed",
        "released",
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut job = job("every-step", folder.path());
    job.send(0..300 * (steps.len() as u64 + 1));
    job.pipeline(AVAILABLE_NOW);
    for (epoch, step) in steps.iter().enumerate() {
        assert!(kill_at(job.folder, &format!("{epoch}:{step}")), "no {step} in epoch {epoch}");
    }
    ok(job.folder, ["run", "pipeline.toml"]);
    job.check();
    // An epoch that every sink has is skipped by each.
    for to in [3, 1] {
        ok(job.folder, ["checkpoint", "reset", "checkpoint", "--to", &to.to_string()]);
        ok(job.folder, ["run", "pipeline.toml"]);
        job.check();
    }
}

#[test]
fn the_first_epoch_killed_at_every_step_is_stored_once_in_each_sink() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = job("first-epoch", folder.path());
    job.send(0..500);
    job.pipeline(AVAILABLE_NOW);
    // Each kill is further on than the one before: a sink that has the epoch does not come to its steps any more.
    let steps = ["planned", "sent", "transaction-committed", "staged", "logged", "loaded", "stored"];
    for step in steps.into_iter().chain(["manifest-written", "committed"]) {
        assert!(kill_at(job.folder, &format!("0:{step}")), "no {step}");
    }
    ok(job.folder, ["run", "pipeline.toml"]);
    job.check();
}

/// How many kills are to interrupt an epoch.
fn effort() -> u32 {
    if std::env::var_os("STREAMHOST_TEST_LONG").is_some() { 300 } else { 10 }
}

#[test]
fn a_query_with_four_sinks_that_is_killed_at_random_stores_every_row_once_in_each() {
    let mut random = Random(11);
    let (mut interrupted, mut round) = (0, 0);
    while interrupted < effort() {
        round += 1;
        let folder = tempfile::tempdir().unwrap();
        let mut job = job(&format!("at-random-{round}"), folder.path());
        job.send(0..6000);
        job.pipeline(AVAILABLE_NOW);
        loop {
            match kill_after(job.folder, Duration::from_millis(200 + random.below(1500))) {
                Killed::InEpoch => interrupted += 1,
                Killed::Between => {}
                Killed::TooLate => break,
            }
        }
        ok(job.folder, ["run", "pipeline.toml"]);
        job.check();
    }
}

/// A query that runs on, with its progress and what it complains of.
fn running(folder: &Path) -> (Running, impl Iterator<Item = String> + use<>) {
    let mut child = command(folder, ["run", "pipeline.toml", "--progress", "json"]);
    let mut child = Running(child.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let said = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    (child, said)
}

/// Reads what a query says until every sink has every row.
fn until_all(job: &Job<'_>, said: &mut impl Iterator<Item = String>) {
    let done = |line: &String| {
        line.contains("\"batchId\"")
            && job.database.rows(&format!("SELECT count(*) FROM {}", job.table))
                == [job.expected.len().to_string()]
    };
    assert!(said.any(|line| done(&line)));
}

const PATIENT: &str = "trigger = \"asap\"\nrestart = { attempts = 1000, backoff = \"50ms..500ms\" }\n";

#[test]
fn a_broker_that_stops_and_comes_back_is_waited_for_and_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Kafka::own();
    let mut job = own("broker_stops", folder.path(), &broker, broker.bootstrap(), postgres());
    job.pipeline(PATIENT);
    job.send(0..1000);
    let (_child, mut said) = running(folder.path());
    until_all(&job, &mut said);
    broker.stop();
    let waiting =
        |line: String| line.contains("starting again from the checkpoint") && line.contains("Kafka");
    assert!(said.any(waiting), "it does not say what it waits for");
    broker.start();
    job.send(1000..2000);
    until_all(&job, &mut said);
    job.check();
}

/// Of which topics a leader is killed, one after the other.
fn failovers() -> &'static [&'static str] {
    if std::env::var_os("STREAMHOST_TEST_LONG").is_some() { &["in", "out", "in"] } else { &["out"] }
}

#[test]
fn brokers_that_lead_are_killed_while_a_query_reads_and_writes_and_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let brokers = Kafka::three();
    let mut job = own("failover", folder.path(), &brokers, brokers.bootstrap(), postgres());
    job.pipeline(PATIENT);
    job.send(0..3000);
    let (child, mut said) = running(folder.path());
    for (round, topic) in failovers().iter().enumerate() {
        assert!(said.any(|line| line.contains("\"batchId\"")));
        brokers.fail_over(topic, round as i32 % 2);
        let sent = 3000 * (round as u64 + 1);
        job.send(sent..sent + 3000);
        until_all(&job, &mut said);
        brokers.start();
        job.send(100_000 + sent..101_000 + sent);
    }
    until_all(&job, &mut said);
    drop(child);
    // What it was at when it was ended is finished.
    job.pipeline(AVAILABLE_NOW);
    ok(job.folder, ["run", "pipeline.toml"]);
    job.check();
}

/// A job on a broker of its own.
fn own<'a>(table: &str, folder: &'a Path, broker: &'a Kafka, servers: String, database: Database) -> Job<'a> {
    let (from, to) = (broker.topic("in", 2).to_owned(), broker.topic("out", 2).to_owned());
    Job { folder, broker, servers, from, to, database, table: table.into(), expected: BTreeMap::new() }
}

/// How long links are cut, in seconds.
fn cuts() -> &'static [u64] {
    if std::env::var_os("STREAMHOST_TEST_LONG").is_some() { &[1, 10, 60] } else { &[1] }
}

#[test]
fn links_to_broker_and_database_that_are_cut_and_slow_lose_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, server) = (Kafka::own(), Postgres::own());
    let (listen, upstream) = broker.proxy_ports();
    let to_broker = toxiproxy().link(listen, upstream);
    let (database, to_database) = server.through(toxiproxy());
    to_broker.slow(20);
    to_database.slow(20);
    let mut job = own("cut", folder.path(), &broker, broker.proxied(), database);
    job.pipeline(PATIENT);
    job.send(0..3000);
    let (child, mut said) = running(folder.path());
    let mut sent = 3000;
    for seconds in cuts() {
        for link in [&to_broker, &to_database] {
            assert!(said.any(|line| line.contains("\"batchId\"")));
            link.cut();
            std::thread::sleep(Duration::from_secs(*seconds));
            link.mend();
            job.send(sent..sent + 3000);
            sent += 3000;
        }
    }
    // Asked beside the cut links: what the rows are is looked at on the servers themselves.
    job.database = server.database();
    until_all(&job, &mut said);
    drop(child);
    // What it was at when it was ended is finished.
    job.pipeline(AVAILABLE_NOW);
    ok(job.folder, ["run", "pipeline.toml"]);
    job.check();
}
