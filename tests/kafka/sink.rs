//! What a Kafka sink writes.

use arrow::{
    array::{ArrayRef, BinaryArray, Int32Array, RecordBatch, StringArray},
    datatypes::SchemaRef,
};
use async_trait::async_trait;
use connectors::{
    files::sink::AtStep,
    kafka::{self, KafkaSinkOptions, KafkaSinkSettings},
};
use engine::{
    Begin, Begun, Clock, EpochWriter, Guarantee, Kind, OutputMode, Partition, QueryId, Sink, SystemClock,
    Timestamp, Token,
};
use jiff::tz::TimeZone;
use serde_json::json;
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tests::services::{
    kafka::{Kafka, kafka},
    toxiproxy::toxiproxy,
};

fn options(continuous: bool) -> KafkaSinkOptions {
    KafkaSinkOptions {
        time_zone: TimeZone::UTC,
        continuous,
        clock: Arc::new(SystemClock::new()),
        at_step: None,
    }
}

fn sink(settings: &str) -> Arc<dyn Sink> {
    let text = format!("bootstrap-servers = {:?}\n{settings}", kafka().bootstrap());
    let settings: KafkaSinkSettings = toml::from_str(&text).unwrap();
    kafka::sink(settings, options(false)).unwrap()
}

/// Each test has a query of its own: a newer host of the same query would fence the older.
fn begin(query: &str, epoch: u64, schema: SchemaRef) -> Begin {
    Begin { partitions: 2, ..Begin::of(query, "out", epoch, schema) }
}

fn rows(numbers: impl IntoIterator<Item = i32>) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(numbers));
    RecordBatch::try_from_iter([("n", numbers)]).unwrap()
}

/// A writer of an epoch; none if it is stored.
async fn writer(sink: &dyn Sink, query: &str, epoch: u64, schema: SchemaRef) -> Option<Box<dyn EpochWriter>> {
    match sink.begin(&begin(query, epoch, schema)).await.unwrap() {
        Begun::Writer(writer) => Some(writer),
        Begun::Stored(_) => None,
    }
}

/// Writes and commits an epoch, unless it is stored: then false.
async fn store(sink: &dyn Sink, query: &str, epoch: u64, rows: RecordBatch) -> bool {
    let Some(writer) = writer(sink, query, epoch, rows.schema()).await else { return false };
    writer.write(Partition(0), rows).await.unwrap();
    writer.commit().await.unwrap();
    true
}

async fn opened(settings: &str, query: &str) -> Arc<dyn Sink> {
    let sink = sink(settings);
    sink.open(&QueryId(query.into()), "out").await.unwrap();
    sink
}

#[tokio::test]
async fn an_epoch_is_stored_once_whoever_writes_it_again() {
    let topic = kafka().topic("once", 2);
    let settings = format!("topic = \"{topic}\"");
    let first = opened(&settings, "q1").await;
    assert!(store(&*first, "q1", 0, rows(0..10)).await);
    assert!(!store(&*first, "q1", 0, rows(0..10)).await, "it is stored");
    let second = opened(&settings, "q1").await;
    assert!(!store(&*second, "q1", 0, rows(0..10)).await, "it is stored for another process too");
    assert!(store(&*second, "q1", 1, rows(10..20)).await);
    // Another query writes epoch 0 of its own.
    assert!(store(&*opened(&settings, "q2").await, "q2", 0, rows(20..21)).await);
    assert_eq!(kafka().values(topic).len(), 21);
    assert_eq!(kafka().committed("q1-out", topic, 0), Some((2, "{\"epoch\":1}".to_owned())));
}

#[tokio::test]
async fn what_an_abandoned_epoch_wrote_is_never_seen() {
    let topic = kafka().topic("abandoned", 1);
    let sink = opened(&format!("topic = \"{topic}\""), "q-2").await;
    let abandoned = writer(&*sink, "q-2", 0, rows([0]).schema()).await.unwrap();
    abandoned.write(Partition(0), rows(0..1000)).await.unwrap();
    drop(abandoned);
    assert!(store(&*sink, "q-2", 0, rows([7])).await);
    assert_eq!(kafka().values(topic), ["{\"n\":7}"]);
    let left = writer(&*sink, "q-2", 1, rows([0]).schema()).await.unwrap();
    left.write(Partition(0), rows(0..1000)).await.unwrap();
    drop((left, sink));
    assert_eq!(kafka().values(topic), ["{\"n\":7}"], "nobody waits for a transaction that was left");
}

#[tokio::test]
async fn an_epoch_without_rows_is_marked_too() {
    let topic = kafka().topic("empty", 1);
    let sink = opened(&format!("topic = \"{topic}\""), "q-3").await;
    let empty = writer(&*sink, "q-3", 0, rows([]).schema()).await.unwrap();
    assert_eq!(empty.commit().await.unwrap(), Token(json!({ "epoch": 0, "group": "q-3-out" })));
    assert!(!store(&*opened(&format!("topic = \"{topic}\""), "q-3").await, "q-3", 0, rows([1])).await);
}

#[tokio::test]
async fn of_two_hosts_the_one_that_started_last_can_commit() {
    let topic = kafka().topic("fenced", 1);
    let settings = format!("topic = \"{topic}\"");
    let old = opened(&settings, "q-4").await;
    let of_old = writer(&*old, "q-4", 0, rows([]).schema()).await.unwrap();
    of_old.write(Partition(0), rows(0..5)).await.unwrap();
    let new = opened(&settings, "q-4").await;
    assert!(store(&*new, "q-4", 0, rows(5..10)).await);
    let refused = match of_old.write(Partition(0), rows(0..5)).await {
        Err(error) => error,
        Ok(()) => of_old.commit().await.unwrap_err(),
    };
    assert_eq!(refused.kind(), Kind::Fenced, "{}", refused.report());
    assert_eq!(kafka().values(topic), (5..10).map(|n| format!("{{\"n\":{n}}}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_lost_mark_ends_a_query_that_had_one_and_no_other() {
    let topic = kafka().topic("lost-mark", 1);
    let settings = format!("topic = \"{topic}\"");
    assert!(store(&*opened(&settings, "q-5").await, "q-5", 0, rows([1])).await);
    kafka().forget_group("q-5-out");
    let sink = sink(&settings);
    sink.recall(&Token(json!({ "epoch": 0 })));
    sink.open(&QueryId("q-5".into()), "out").await.unwrap();
    let error = sink.begin(&begin("q-5", 1, rows([]).schema())).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.report().contains("missing-mark = \"write\""), "{}", error.report());
    let told = self::sink(&format!("{settings}\nmissing-mark = \"write\""));
    told.recall(&Token(json!({ "epoch": 0 })));
    assert!(store(&*told, "q-5", 1, rows([2])).await);
    // Nothing was ever stored: there is no mark to be missed.
    assert!(store(&*opened(&settings, "fresh").await, "fresh", 0, rows([3])).await);
}

/// A clock that runs twenty times too fast from some time on.
#[derive(Default)]
struct Hastened(SystemClock, AtomicBool, OnceLock<Duration>);

#[async_trait]
impl Clock for Hastened {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        let now = self.0.monotonic();
        if !self.1.load(Relaxed) {
            return now;
        }
        let since = *self.2.get_or_init(|| now);
        now + now.saturating_sub(since) * 19
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

#[tokio::test]
async fn a_broker_that_is_away_for_too_long_is_not_taken_for_an_epoch_that_is_too_large() {
    let broker = Kafka::own();
    let (listen, upstream) = broker.proxy_ports();
    let link = Arc::new(toxiproxy().link(listen, upstream));
    let topic = broker.topic("away", 1);
    let sink = |options: KafkaSinkOptions| {
        let text = format!(
            "bootstrap-servers = {:?}\ntopic = \"{topic}\"\n[client]\n\"transaction.timeout.ms\" = 20000",
            broker.proxied()
        );
        kafka::sink(toml::from_str(&text).unwrap(), options).unwrap()
    };
    let clock = Arc::new(Hastened::default());
    let (cut, hastened) = (link.clone(), clock.clone());
    let at_step: AtStep = Arc::new(move |step: &str| {
        if step == "sent" {
            cut.cut();
            hastened.1.store(true, Relaxed);
        }
    });
    let first = sink(KafkaSinkOptions { clock, at_step: Some(at_step), ..options(false) });
    let of_first = writer(&*first, "q-8", 0, rows([]).schema()).await.unwrap();
    of_first.write(Partition(0), rows(0..5)).await.unwrap();
    let error = of_first.commit().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.report());
    assert!(error.report().contains("was away for longer than a transaction may take"), "{}", error.report());
    link.mend();
    drop(first);
    // Whoever starts again finds out what became of the epoch, and stores it if nobody has.
    let second = sink(options(false));
    second.open(&QueryId("q-8".into()), "out").await.unwrap();
    store(&*second, "q-8", 0, rows(0..5)).await;
    assert_eq!(broker.values(topic), (0..5).map(|n| format!("{{\"n\":{n}}}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn key_topic_partition_and_headers_come_from_columns_and_leave_the_value() {
    let (a, b) = (kafka().topic("routed-a", 3), kafka().topic("routed-b", 1));
    let of = |texts: [Option<&str>; 3]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let rows = RecordBatch::try_from_iter([
        ("k", Arc::new(Int32Array::from(vec![Some(1), None, Some(3)])) as ArrayRef),
        ("t", of([Some(b), None, Some(a)])),
        ("p", Arc::new(Int32Array::from(vec![None, Some(2), Some(1)])) as ArrayRef),
        ("x", of([Some("one"), Some("two"), None])),
    ])
    .unwrap();
    let settings = format!(
        "topic = \"{a}\"\ntopic-from-column = \"t\"\nkey-from-column = \"k\"\npartition-from-column = \"p\"\njson = {{ ignore-null-fields = false }}"
    );
    assert!(store(&*opened(&settings, "q-6").await, "q-6", 0, rows).await);
    let read = |topic| {
        let records = kafka().read(topic).into_iter();
        records.map(|r| (r.partition, r.key.unwrap_or_default(), r.value.unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(read(b), [(0, "1".to_owned(), "{\"x\":\"one\"}".to_owned())]);
    assert_eq!(
        read(a),
        [(1, "3".to_owned(), "{\"x\":null}".to_owned()), (2, String::new(), "{\"x\":\"two\"}".to_owned())]
    );
}

#[tokio::test]
async fn string_and_raw_write_the_one_column_that_is_left_and_null_is_no_value() {
    let topic = kafka().topic("written-plain", 1);
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("hi"), None]));
    let strings = RecordBatch::try_from_iter([("v", text)]).unwrap();
    let settings = format!("topic = \"{topic}\"\nvalue = \"string\"\ndelivery = \"at-least-once\"");
    let sink = opened(&settings, "q-7").await;
    assert_eq!(sink.accepts(OutputMode::Append, &strings.schema()).unwrap(), Guarantee::AtLeastOnce);
    assert!(store(&*sink, "q-7", 0, strings.clone()).await);
    assert!(store(&*sink, "q-7", 0, strings).await, "at least once");
    let bytes: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"raw"]));
    let raw = RecordBatch::try_from_iter([("v", bytes)]).unwrap();
    let settings = format!("topic = \"{topic}\"\nvalue = \"raw\"\ndelivery = \"at-least-once\"");
    assert!(store(&*opened(&settings, "q-7").await, "q-7", 0, raw).await);
    let values: Vec<Option<String>> = kafka().read(topic).into_iter().map(|r| r.value).collect();
    let hi = || Some("hi".to_owned());
    assert_eq!(values, [hi(), None, hi(), None, Some("raw".to_owned())]);
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_before_the_start() {
    let refused = |settings: &str| {
        let error = sink(settings).accepts(OutputMode::Append, &rows([]).schema()).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        error.report()
    };
    assert!(
        refused("topic = \"t\"\nkey-from-column = \"k\"").contains("there is no column \"k\"; there are: n")
    );
    assert!(refused("topic = \"t\"\nvalue = \"string\"").contains("takes one STRING column"));
    assert!(refused("topic = \"t\"\ntopic-from-column = \"n\"").contains("has to be STRING"));
    let made = |settings: &str, continuous| {
        let settings: KafkaSinkSettings =
            toml::from_str(&format!("bootstrap-servers = \"x\"\n{settings}")).unwrap();
        kafka::sink(settings, options(continuous)).err().unwrap().report()
    };
    assert!(made("topic-from-column = \"n\"", false).contains("set `topic` beside `topic-from-column`"));
    assert!(made("topic = \"t\"\ndelivery = \"exactly-once\"", true).contains("continuous trigger"));
    assert!(
        made("topic = \"t\"\nclient = { \"transactional.id\" = \"x\" }", false).contains("set by streamhost")
    );
    assert!(made("topic = \"t\"\nclient = { \"no.such\" = 1 }", false).contains("no.such"));
}
