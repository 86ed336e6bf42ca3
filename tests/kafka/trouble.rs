//! What becomes of a query when topics, brokers, links and passwords are not what they should be.

use super::feed::{Feed, columns, limited};
use connectors::source::SourceOptions;
use engine::{Kind, Offset, Range};
use futures::StreamExt;
use rdkafka::producer::Producer;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tests::services::{
    kafka::{Kafka, kafka},
    toxiproxy::toxiproxy,
};

fn plain() -> SourceOptions {
    SourceOptions::default()
}

fn lines(range: std::ops::Range<u64>) -> impl Iterator<Item = String> {
    range.map(|n| n.to_string())
}

#[tokio::test]
async fn messages_that_have_expired_end_the_query_unless_it_may_go_on_behind_them() {
    let kafka = kafka();
    let topic = kafka.topic("expired", 1);
    kafka.send(topic, 0, lines(0..10));
    let settings = format!("topic = \"{topic}\"");
    let refused = Feed::try_new(&kafka.bootstrap(), &settings, limited("value STRING", 4));
    assert!(refused.is_err(), "a schema is for other formats");
    let options = SourceOptions { schema: None, ..limited("", 4) };
    let mut feed = Feed::new(&kafka.bootstrap(), &settings, options.clone()).await;
    feed.next().await.unwrap();
    kafka.expire(topic, 0, 7);
    // A new process has fetched nothing ahead.
    let mut careful = Feed::new(&kafka.bootstrap(), &settings, options.clone()).await;
    careful.at = feed.at.clone();
    let error = careful.next().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    let report = error.report();
    assert!(report.contains("expired/0: offsets 4 to 6 were to be read and are gone"), "{report}");
    assert!(report.contains("fail-on-data-loss = false"), "{report}");
    let settings = format!("{settings}\nfail-on-data-loss = false");
    let mut careless = Feed::new(&kafka.bootstrap(), &settings, options).await;
    careless.at = feed.at;
    let rows = [careless.rows().await, careless.rows().await].concat();
    assert_eq!(rows, ["{\"value\":\"7\"}", "{\"value\":\"8\"}", "{\"value\":\"9\"}"]);
}

#[tokio::test]
async fn a_topic_that_is_deleted_or_made_anew_is_a_loss() {
    let kafka = kafka();
    let topic = kafka.topic("deleted", 1);
    kafka.send(topic, 0, lines(0..5));
    let settings = format!("topic = \"{topic}\"\ndiscovery-interval = \"10ms\"");
    let mut feed = Feed::new(&kafka.bootstrap(), &settings, plain()).await;
    feed.rows().await;
    kafka.delete(topic);
    let error = loop {
        match feed.next().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), Kind::Data, "{}", error.report());
    assert!(error.report().contains("was the topic deleted?"), "{}", error.report());
    let mut missing = Feed::new(&kafka.bootstrap(), &settings, plain()).await;
    let error = missing.next().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.report().contains("there is no topic \"deleted\""), "{}", error.report());
    kafka.topic(topic, 1);
    kafka.send(topic, 0, ["again"]);
    let mut anew = Feed::new(&kafka.bootstrap(), &settings, plain()).await;
    anew.at = feed.at.clone();
    let error = anew.next().await.unwrap_err();
    assert!(
        error.report().contains("the partition ends at 1, and 5 was to be read next"),
        "{}",
        error.report()
    );
}

#[tokio::test]
async fn an_end_that_was_announced_before_there_was_more_is_not_believed() {
    let kafka = kafka();
    let topic = kafka.topic("early-end", 1);
    kafka.send(topic, 0, lines(0..40_000));
    let pending = kafka.pending(topic, 0, &["last"]);
    let feed = Feed::new(&kafka.bootstrap(), &format!("topic = \"{topic}\""), plain()).await;
    feed.plan().await.unwrap();
    // It begins elsewhere than where was begun to fetch, and ends behind what may be read by now.
    let range = Range {
        start: Some(Offset(json!({ topic: { "0": 1 } }))),
        end: Offset(json!({ topic: { "0": 40_001 } })),
        detail: Value::Null,
    };
    let mut streams = feed.source.read(&range, 1).await.unwrap();
    // Nobody takes what is read, so the announcement waits behind it.
    tokio::time::sleep(Duration::from_secs(3)).await;
    pending.commit_transaction(Duration::from_secs(60)).unwrap();
    let mut rows = 0;
    while let Some(batch) = streams[0].next().await {
        rows += batch.unwrap().len();
    }
    assert_eq!(rows, 40_000);
}

#[tokio::test]
async fn where_losses_are_borne_a_topic_made_anew_is_read_from_its_beginning() {
    let kafka = kafka();
    let (kept, anew) = (kafka.topic("anew-kept", 1), kafka.topic("anew", 1));
    kafka.send(kept, 0, lines(0..5));
    kafka.send(anew, 0, lines(5..10));
    let settings =
        format!("topic = [\"{kept}\", \"{anew}\"]\ndiscovery-interval = \"10ms\"\nfail-on-data-loss = false");
    let mut feed = Feed::new(&kafka.bootstrap(), &settings, plain()).await;
    assert_eq!(feed.rows().await.len(), 10);
    kafka.delete(anew);
    // While it is gone it keeps its place beside the others.
    kafka.send(kept, 0, lines(10..11));
    assert_eq!(feed.rows().await, ["{\"value\":\"10\"}"]);
    assert_eq!(feed.at.as_ref().unwrap().0, json!({ kept: { "0": 6 }, anew: { "0": 5 } }));
    kafka.topic(anew, 1);
    kafka.send(anew, 0, lines(20..22));
    assert_eq!(feed.rows().await, ["{\"value\":\"20\"}", "{\"value\":\"21\"}"]);
    kafka.send(anew, 0, lines(22..30));
    assert_eq!(feed.rows().await.len(), 8);
    // A process that starts then sees the same.
    kafka.delete(anew);
    let mut later = Feed::new(&kafka.bootstrap(), &settings, plain()).await;
    later.at = feed.at;
    kafka.topic(anew, 1);
    kafka.send(anew, 0, lines(40..43));
    assert_eq!(later.rows().await.len(), 3);
    assert_eq!(later.at.unwrap().0, json!({ kept: { "0": 6 }, anew: { "0": 3 } }));
}

fn secure(topic: &str, protocol: &str, more: &str) -> String {
    let ca = kafka().ca().display().to_string();
    format!(
        "topic = \"{topic}\"\n[client]\n\"security.protocol\" = \"{protocol}\"\n\"ssl.ca.location\" = {ca:?}\n{more}"
    )
}

fn login(mechanism: &str, password: &str) -> String {
    format!(
        "\"sasl.mechanism\" = \"{mechanism}\"\n\"sasl.username\" = \"alice\"\n\"sasl.password\" = \"{password}\""
    )
}

#[tokio::test]
async fn tls_plain_and_scram_let_us_in() {
    let kafka = kafka();
    let topic = kafka.topic("secured", 1);
    kafka.send(topic, 0, ["secret"]);
    let mut ways = vec![(kafka.tls(), secure(topic, "SSL", ""))];
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        ways.push((kafka.tls_sasl(), secure(topic, "SASL_SSL", &login(mechanism, "alice-secret"))));
        ways.push((kafka.sasl(), secure(topic, "SASL_PLAINTEXT", &login(mechanism, "alice-secret"))));
    }
    for (servers, settings) in ways {
        let mut feed = Feed::new(&servers, &settings, plain()).await;
        assert_eq!(feed.rows().await, ["{\"value\":\"secret\"}"], "{settings}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_expired_or_unknown_certificate_are_told_and_not_the_password() {
    let kafka = kafka();
    let topic = kafka.topic("locked", 1);
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let settings = secure(topic, "SASL_SSL", &login(mechanism, "wrong-one"));
        let error = Feed::new(&kafka.tls_sasl(), &settings, plain()).await.next().await.unwrap_err();
        let report = error.report();
        assert_eq!(error.kind(), Kind::Invalid, "{report}");
        assert!(report.contains("does not let us in") && report.contains("uthentication"), "{report}");
        assert!(!report.contains("wrong-one"), "{report}");
    }
    let trusting = secure(topic, "SSL", "");
    let error = Feed::new(&kafka.expired(), &trusting, plain()).await.next().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{}", error.report());
    assert!(error.report().contains("whether its certificate is still good"), "{}", error.report());
    let untrusted = format!("topic = \"{topic}\"\nclient = {{ \"security.protocol\" = \"SSL\" }}");
    let error = Feed::new(&kafka.tls(), &untrusted, plain()).await.next().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{}", error.report());
    assert!(error.report().contains("certificate"), "{}", error.report());
}

#[tokio::test]
async fn a_broker_that_is_stopped_is_waited_for_and_read_on_when_it_is_back() {
    let kafka = Kafka::own();
    kafka.topic("stopped", 2);
    kafka.send("stopped", 0, lines(0..100));
    let settings = "topic = \"stopped\"";
    let mut feed = Feed::impatient(&kafka.bootstrap(), settings, plain()).await;
    let mut seen: Vec<String> = feed.rows().await;
    kafka.stop();
    let error = feed.next().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.report().contains("refused"), "{}", error.report());
    kafka.start();
    kafka.send("stopped", 1, lines(100..150));
    // The same consumer finds its way back, as one does that was made anew.
    while seen.len() < 150 {
        if let Ok(Some(rows)) = feed.next().await {
            seen.extend(rows);
        }
    }
    let all: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((all.len(), seen.len()), (150, 150));
}

/// How long links are cut.
fn cuts() -> &'static [u64] {
    if std::env::var_os("STREAMHOST_TEST_LONG").is_some() { &[1, 10, 60] } else { &[1] }
}

#[tokio::test]
async fn a_link_that_is_cut_in_the_middle_of_a_range_loses_and_doubles_nothing() {
    let kafka = Kafka::own();
    let (listen, upstream) = kafka.proxy_ports();
    let link = toxiproxy().link(listen, upstream);
    link.slow(20);
    kafka.topic("cut", 2);
    kafka.send("cut", None, lines(0..20_000));
    // Little is fetched ahead, so that most is still to come when the link is cut.
    let settings = "topic = \"cut\"\n[client]\n\"fetch.message.max.bytes\" = 4096\n\"queued.min.messages\" = 100\n\"queued.max.messages.kbytes\" = 16";
    for seconds in cuts() {
        let mut feed = Feed::new(&kafka.proxied(), settings, plain()).await;
        let planned = feed.plan().await.unwrap().unwrap();
        let cut = async {
            link.cut();
            tokio::time::sleep(Duration::from_secs(*seconds)).await;
            link.mend();
        };
        // A cut that is longer than somebody's patience fails the read, and the next one begins anew.
        let read = async {
            loop {
                match feed.read(&planned.range, 2).await {
                    Ok(batches) => return super::feed::lines(&batches),
                    Err(error) => assert_eq!(error.kind(), Kind::Unavailable, "{}", error.report()),
                }
            }
        };
        let (rows, ()) = tokio::join!(read, cut);
        let all: BTreeSet<&String> = rows.iter().collect();
        assert_eq!((all.len(), rows.len()), (20_000, 20_000));
        feed.at = Some(planned.range.end);
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_with_what_to_write() {
    let refused = |settings: &str, options: SourceOptions| {
        let error = Feed::try_new("x", settings, options).err().unwrap();
        assert_eq!(error.kind(), Kind::Invalid);
        error.report()
    };
    assert!(refused("", plain()).contains("write one of topic"));
    assert!(refused("topic = \"a\"\npattern = \"b\"", plain()).contains("write one of topic"));
    assert!(refused("topic = \"a\"\nvalue = \"json\"", plain()).contains("set `schema`"));
    assert!(refused("topic = \"a\"", columns("x INT")).contains("write value = \"json\""));
    let starts = "topic = \"events\"\nstarting-offsets = { offsets = { evnts = { 0 = 1 } } }";
    assert!(refused(starts, plain()).contains("topic \"evnts\" is none of those that are read, events"));
    assert!(refused("pattern = \"(\"", plain()).contains("no regular expression"));
    let client = "topic = \"a\"\n[client]\n\"enable.auto.commit\" = true";
    assert!(refused(client, plain()).contains("`enable.auto.commit` is set by streamhost"));
    assert!(refused("topic = \"a\"\nclient = { \"no.such\" = 1 }", plain()).contains("no.such"));
}
