//! Avro and Protobuf, with their schemas in a registry.

use super::feed::Feed;
use arrow::{
    array::{ArrayRef, Int32Array, RecordBatch, StringArray},
    datatypes::SchemaRef,
};
use connectors::{
    kafka::{self, KafkaSinkOptions, KafkaSinkSettings},
    source::{OnBadData, SourceOptions},
};
use engine::{Begin, Begun, Kind, Partition, SystemClock};
use jiff::tz::TimeZone;
use rdkafka::producer::BaseRecord;
use std::sync::Arc;
use tests::services::{
    kafka::kafka,
    registry::{Registry, registry},
};

const FIRST: &str = r#"{"type":"record","name":"loan","fields":[
    {"name":"id","type":"int"},{"name":"name","type":["null","string"]},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;

/// The same with a field more, which has a default.
const SECOND: &str = r#"{"type":"record","name":"loan","fields":[
    {"name":"id","type":"int"},{"name":"name","type":["null","string"]},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"rate","type":"double","default":1.5}]}"#;

/// A whole number as Avro has it.
fn long(n: i64) -> Vec<u8> {
    let mut zigzag = ((n << 1) ^ (n >> 63)) as u64;
    let mut bytes = Vec::new();
    while zigzag >= 0x80 {
        bytes.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    bytes.push(zigzag as u8);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [long(text.len() as i64), text.into()].concat()
}

fn framed(id: u32, body: &[Vec<u8>]) -> Vec<u8> {
    [vec![0], id.to_be_bytes().into(), body.concat()].concat()
}

fn loan(id: u32, number: i64, name: &str) -> Vec<u8> {
    framed(id, &[long(number), long(1), text(name), long(1_735_689_600_000)])
}

fn send(topic: &str, values: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>) {
    kafka().produce(values.into_iter().map(|(value, key)| (BaseRecord::to(topic), key, Some(value))));
}

fn settings(topic: &str, url: &str, more: &str) -> String {
    format!("topic = \"{topic}\"\nschema-registry = {{ url = \"{url}\" }}\n{more}")
}

#[tokio::test]
async fn avro_of_older_and_newer_schemas_is_read_by_the_newest() {
    let topic = kafka().topic("avro", 1);
    let subject = format!("{topic}-value");
    let first = registry().register(&subject, "AVRO", FIRST);
    let second = registry().register(&subject, "AVRO", SECOND);
    let key = registry().register(&format!("{topic}-key"), "AVRO", "\"string\"");
    let newer = [loan(second, 2, "bob"), 0.25_f64.to_le_bytes().into()].concat();
    send(topic, [(loan(first, 1, "ann"), Some(framed(key, &[text("k1")]))), (newer, None)]);
    send(
        topic,
        [(b"no Avro".to_vec(), None), (loan(first, 4, "dan"), None), (loan(999_999, 5, "eve"), None)],
    );
    let read = async |on_bad_data| {
        let options = SourceOptions { on_bad_data, ..SourceOptions::default() };
        let settings =
            settings(topic, &registry().url(), "value = \"avro\"\nkey = \"avro\"\ncolumns = [\"offset\"]");
        let mut feed = Feed::new(&kafka().bootstrap(), &settings, options).await;
        feed.next().await.map(|rows| (rows.unwrap(), feed.bad_rows()))
    };
    let ann = "{\"key\":\"k1\",\"id\":1,\"name\":\"ann\",\"at\":\"2025-01-01T00:00:00.000Z\",\"rate\":1.5,\"offset\":0}";
    let bob = "{\"id\":2,\"name\":\"bob\",\"at\":\"2025-01-01T00:00:00.000Z\",\"rate\":0.25,\"offset\":1}";
    let dan = "{\"id\":4,\"name\":\"dan\",\"at\":\"2025-01-01T00:00:00.000Z\",\"rate\":1.5,\"offset\":3}";
    let (rows, bad) = read(OnBadData::Permissive).await.unwrap();
    assert_eq!(rows, [ann, bob, "{\"offset\":2}", dan, "{\"offset\":4}"]);
    assert_eq!((bad.count, bad.first.unwrap().to_string()), (2, "avro/0, offset 2".to_owned()));
    assert_eq!(read(OnBadData::Drop).await.unwrap().0, [ann, bob, dan]);
    let error = read(OnBadData::Fail).await.unwrap_err();
    assert!(
        error.report().starts_with("avro/0, offset 2, byte 1: it does not begin with the id"),
        "{}",
        error.report()
    );
}

const PROTO: &str = r#"syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Other { int32 x = 1; }
message Loan {
  enum Kind { NONE = 0; HOUSE = 1; }
  message Owner { string name = 1; }
  int64 id = 1;
  Kind kind = 2;
  repeated Owner owners = 3;
  map<string, double> rates = 4;
  google.protobuf.Timestamp at = 5;
}"#;

#[tokio::test]
async fn messages_of_protobuf_become_rows() {
    let topic = kafka().topic("protobuf", 1);
    // The columns are those of the first message of a file.
    let proto = PROTO.replace("message Other { int32 x = 1; }\n", "") + "\nmessage Other { int32 x = 1; }";
    let id = registry().register(&format!("{topic}-value"), "PROTOBUF", &proto);
    let owner = |name: &str| [vec![0x1a, name.len() as u8 + 2, 0x0a, name.len() as u8], name.into()].concat();
    let rate = |key: &str, value: f64| {
        let entry =
            [vec![0x0a, key.len() as u8], key.into(), vec![0x11], value.to_le_bytes().into()].concat();
        [vec![0x22, entry.len() as u8], entry].concat()
    };
    let body = [vec![0], vec![0x08, 7, 0x10, 1], owner("ann"), owner("bob"), rate("z", 2.5), rate("a", 1.5)];
    let cut: Vec<u8> = framed(id, &[vec![0, 0x08]]);
    send(topic, [(framed(id, &body), None), (cut, None)]);
    let settings = settings(topic, &registry().url(), "value = \"protobuf\"");
    let mut feed = Feed::new(&kafka().bootstrap(), &settings, SourceOptions::default()).await;
    let rows = feed.next().await.unwrap().unwrap();
    let first = "{\"id\":7,\"kind\":\"HOUSE\",\"owners\":[{\"name\":\"ann\"},{\"name\":\"bob\"}],\"rates\":{\"a\":1.5,\"z\":2.5}}";
    assert_eq!(rows, [first, "{}"]);
    assert_eq!(feed.bad_rows().count, 1);
}

fn rows() -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("ann"), Some("bob")]));
    RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("name", names, true)]).unwrap()
}

fn begin(schema: SchemaRef) -> Begin {
    Begin::of("q", "out", 0, schema)
}

#[tokio::test]
async fn avro_that_is_written_is_read_again() {
    let topic = kafka().topic("avro-written", 1);
    let text = format!(
        "bootstrap-servers = {:?}\n{}",
        kafka().bootstrap(),
        settings(topic, &registry().url(), "value = \"avro\"")
    );
    let sink: KafkaSinkSettings = toml::from_str(&text).unwrap();
    let clock = Arc::new(SystemClock::new());
    let options = KafkaSinkOptions { time_zone: TimeZone::UTC, continuous: false, clock, at_step: None };
    let sink = kafka::sink(sink, options).unwrap();
    let Begun::Writer(writer) = sink.begin(&begin(rows().schema())).await.unwrap() else { panic!("stored") };
    writer.write(Partition(0), rows()).await.unwrap();
    writer.commit().await.unwrap();
    let settings = settings(topic, &registry().url(), "value = \"avro\"");
    let mut feed = Feed::new(&kafka().bootstrap(), &settings, SourceOptions::default()).await;
    assert_eq!(feed.rows().await, ["{\"id\":1,\"name\":\"ann\"}", "{\"name\":\"bob\"}"]);
}

#[tokio::test]
async fn a_registry_that_is_away_is_said_and_what_is_known_is_not_asked_again() {
    let topic = kafka().topic("registry-away", 1);
    let own = Registry::start();
    let id = own.register(&format!("{topic}-value"), "AVRO", FIRST);
    send(topic, [(loan(id, 1, "ann"), None)]);
    let settings = settings(topic, &own.url(), "value = \"avro\"");
    let mut feed = Feed::new(&kafka().bootstrap(), &settings, SourceOptions::default()).await;
    feed.rows().await;
    drop(own);
    send(topic, [(loan(id, 2, "bob"), None)]);
    assert_eq!(feed.rows().await.len(), 1);
    send(topic, [(loan(id + 1, 3, "cem"), None)]);
    let planned = loop {
        if let Some(planned) = feed.plan().await.unwrap() {
            break planned;
        }
    };
    let error = feed.read(&planned.range, 1).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.report().contains("the schema registry at http://127.0.0.1"), "{}", error.report());
}

#[tokio::test]
async fn a_schema_that_changes_while_the_query_runs_extends_the_columns_if_it_may() {
    let topic = kafka().topic("evolves", 1);
    let subject = format!("{topic}-value");
    let first = registry().register(&subject, "AVRO", FIRST);
    let settings = settings(topic, &registry().url(), "value = \"avro\"\ndiscovery-interval = \"10ms\"");
    let options = SourceOptions { evolve: true, ..SourceOptions::default() };
    let mut feed = Feed::new(&kafka().bootstrap(), &settings, options).await;
    send(topic, [(loan(first, 1, "ann"), None)]);
    feed.rows().await;
    let before = feed.source.schema(None).unwrap();
    registry().register(&subject, "AVRO", SECOND);
    while feed.source.schema(None).unwrap() == before {}
    send(topic, [(loan(first, 2, "bob"), None)]);
    assert_eq!(
        feed.rows().await,
        ["{\"id\":2,\"name\":\"bob\",\"at\":\"2025-01-01T00:00:00.000Z\",\"rate\":1.5}"]
    );
}
