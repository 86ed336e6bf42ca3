//! What a Kafka source reads.

use super::feed::{Feed, columns, limited, lines};
use connectors::source::{OnBadData, SourceOptions};
use engine::{History, Kind, Reach};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::BaseRecord,
};
use serde_json::json;
use tests::services::kafka::kafka;

fn numbers(range: std::ops::Range<u64>) -> impl Iterator<Item = String> {
    range.map(|n| format!("{{\"n\":{n}}}"))
}

#[tokio::test]
async fn a_query_begins_where_it_is_told_to() {
    let kafka = kafka();
    let topic = kafka.topic("begins", 2);
    for partition in 0..2 {
        kafka.produce((0..10).map(|n| {
            let record = BaseRecord::to(topic).partition(partition).timestamp(1_000_000 + n * 1000);
            (record, None, Some(format!("{{\"n\":{n}}}").into_bytes()))
        }));
    }
    let first = async |starting: &str| {
        let settings = format!("topic = \"{topic}\"\nvalue = \"json\"\nstarting-offsets = {starting}");
        let mut feed = Feed::new(&kafka.bootstrap(), &settings, columns("n INT")).await;
        feed.next().await.unwrap().unwrap().len()
    };
    assert_eq!(first("\"earliest\"").await, 20);
    assert_eq!(first("\"latest\"").await, 0);
    assert_eq!(first("{ timestamp = \"1970-01-01T00:16:47Z\" }").await, 6);
    assert_eq!(first("{ timestamp = \"2100-01-01T00:00:00Z\" }").await, 0);
    assert_eq!(first(&format!("{{ offsets = {{ {topic} = {{ 0 = 4, 1 = \"latest\" }} }} }}")).await, 6);
    // What is not named begins with the oldest.
    assert_eq!(first(&format!("{{ offsets = {{ {topic} = {{ 0 = 4 }} }} }}")).await, 16);
}

#[tokio::test]
async fn latest_means_from_the_first_start_on_through_restarts() {
    let kafka = kafka();
    let topic = kafka.topic("latest", 1);
    kafka.send(topic, 0, numbers(0..3));
    let settings = format!("topic = \"{topic}\"\nvalue = \"json\"\nstarting-offsets = \"latest\"");
    let mut first = Feed::new(&kafka.bootstrap(), &settings, columns("n INT")).await;
    assert_eq!(first.next().await.unwrap(), Some(vec![]));
    kafka.send(topic, 0, numbers(3..5));
    let mut second = Feed::new(&kafka.bootstrap(), &settings, columns("n INT")).await;
    second.at = first.at;
    assert_eq!(second.rows().await, ["{\"n\":3}", "{\"n\":4}"]);
}

#[tokio::test]
async fn a_topic_that_is_made_after_the_first_start_is_read_from_its_beginning() {
    let kafka = kafka();
    let settings =
        "pattern = \"made-later-.*\"\nstarting-offsets = \"latest\"\ndiscovery-interval = \"10ms\"";
    let start = async || Feed::new(&kafka.bootstrap(), settings, SourceOptions::default()).await;
    let mut first = start().await;
    assert_eq!(first.next().await.unwrap(), Some(vec![]), "there is nothing, and that is noted");
    let mut second = start().await;
    kafka.topic("made-later-a", 1);
    kafka.send("made-later-a", 0, numbers(0..1));
    second.at = first.at.clone();
    for feed in [&mut first, &mut second] {
        assert_eq!(feed.rows().await.len(), 1);
    }
}

#[tokio::test]
async fn a_start_in_a_partition_that_is_not_there_is_a_mistake() {
    let topic = kafka().topic("two-partitions", 2);
    let settings =
        format!("topic = \"{topic}\"\nstarting-offsets = {{ offsets = {{ {topic} = {{ 2 = 0 }} }} }}");
    let mut feed = Feed::new(&kafka().bootstrap(), &settings, SourceOptions::default()).await;
    let error = feed.next().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        error.report().contains("starting-offsets: there is no partition 2 of topic \"two-partitions\""),
        "{}",
        error.report()
    );
}

#[tokio::test]
async fn topics_are_named_by_list_pattern_or_partition() {
    let kafka = kafka();
    for topic in ["chosen-a", "chosen-b", "chosen-not"] {
        kafka.topic(topic, 2);
        for partition in 0..2 {
            kafka.send(topic, partition, [format!("{topic}/{partition}")]);
        }
    }
    let read = async |what: &str| {
        let mut feed = Feed::new(&kafka.bootstrap(), what, SourceOptions::default()).await;
        let mut rows = feed.next().await.unwrap().unwrap();
        rows.sort();
        rows.join(" ").replace("{\"value\":\"chosen-", "").replace("\"}", "")
    };
    assert_eq!(read("topic = [\"chosen-a\", \"chosen-b\"]").await, "a/0 a/1 b/0 b/1");
    assert_eq!(read("pattern = \"chosen-.\"").await, "a/0 a/1 b/0 b/1");
    assert_eq!(read("assignment = { chosen-a = [1], chosen-not = [0] }").await, "a/1 not/0");
}

#[tokio::test]
async fn a_limit_is_shared_among_partitions_and_the_rest_is_the_backlog() {
    let kafka = kafka();
    let topic = kafka.topic("limited", 3);
    kafka.send(topic, 0, numbers(0..900));
    kafka.send(topic, 1, numbers(0..90));
    kafka.send(topic, 2, numbers(0..10));
    let settings = format!("topic = \"{topic}\"\nvalue = \"json\"");
    let mut feed = Feed::new(&kafka.bootstrap(), &settings, limited("n INT", 100)).await;
    let planned = feed.plan().await.unwrap().unwrap();
    assert_eq!(planned.range.end.0, json!({ topic: { "0": 90, "1": 9, "2": 1 } }));
    assert_eq!(planned.backlog, 900);
    let mut rows = 0;
    while let Some(read) = feed.next().await.unwrap() {
        rows += read.len();
    }
    assert_eq!(rows, 1000);
    // What is there at the start in one epoch: the limit does not count.
    let once = Feed::try_new(&kafka.bootstrap(), &settings, limited("n INT", 100)).unwrap();
    once.source.restore(History::default(), Reach::Once).await.unwrap();
    assert_eq!(once.plan().await.unwrap().unwrap().backlog, 0);
}

#[tokio::test]
async fn what_comes_after_the_start_is_not_for_a_query_that_reads_what_is_there() {
    let kafka = kafka();
    let topic = kafka.topic("there-now", 1);
    kafka.send(topic, 0, numbers(0..10));
    let settings = format!("topic = \"{topic}\"\nvalue = \"json\"");
    let mut feed = Feed::try_new(&kafka.bootstrap(), &settings, limited("n INT", 6)).unwrap();
    feed.source.restore(History::default(), Reach::AvailableNow).await.unwrap();
    assert_eq!(feed.next().await.unwrap().unwrap().len(), 6);
    kafka.send(topic, 0, numbers(10..20));
    assert_eq!(feed.next().await.unwrap().unwrap().len(), 4);
    assert_eq!(feed.next().await.unwrap(), None);
}

#[tokio::test]
async fn few_rows_wait_for_others_but_not_for_ever() {
    let kafka = kafka();
    let topic = kafka.topic("few", 1);
    kafka.send(topic, 0, numbers(0..1));
    let min = "min-per-trigger = { rows = 10, max-delay = \"1500ms\" }";
    let settings = format!("topic = \"{topic}\"\nvalue = \"json\"\n{min}");
    let mut feed = Feed::new(&kafka.bootstrap(), &settings, columns("n INT")).await;
    assert_eq!(feed.next().await.unwrap().unwrap().len(), 1, "the first epoch does not wait");
    kafka.send(topic, 0, numbers(1..3));
    assert_eq!(feed.next().await.unwrap(), None);
    assert_eq!(feed.rows().await.len(), 2, "the delay is over");
    kafka.send(topic, 0, numbers(3..13));
    assert_eq!(feed.next().await.unwrap().unwrap().len(), 10, "these are enough");
}

#[tokio::test]
async fn key_headers_and_where_a_message_was_are_columns_on_request() {
    let kafka = kafka();
    let topic = kafka.topic("columns", 2);
    let headers = OwnedHeaders::new().insert(Header { key: "trace", value: Some(b"t1".as_slice()) });
    let record = BaseRecord::to(topic).partition(1).timestamp(1_735_689_600_000).headers(headers);
    kafka.produce([(record, Some(b"{\"id\":7}".to_vec()), Some(b"a;b".to_vec()))]);
    let plain = BaseRecord::to(topic).partition(1).timestamp(1_735_689_600_001);
    kafka.produce([(plain, None, None)]);
    let settings = format!(
        "topic = \"{topic}\"\nvalue = \"csv\"\ncsv = {{ delimiter = \";\" }}\nkey = \"json\"\nkey-schema = \"id INT\"\nheaders = true\n\
         columns = {{ topic = \"topic\", partition = \"partition\", offset = \"offset\", timestamp = \"sent_at\" }}"
    );
    let mut feed = Feed::new(&kafka.bootstrap(), &settings, columns("x STRING, y STRING")).await;
    let rows = feed.next().await.unwrap().unwrap();
    let first = "{\"key\":{\"id\":7},\"x\":\"a\",\"y\":\"b\",\"topic\":\"columns\",\"partition\":1,\"offset\":0,\
                 \"sent_at\":\"2025-01-01T00:00:00.000Z\",\"headers\":[{\"key\":\"trace\",\"value\":\"dDE=\"}]}";
    let second =
        "{\"topic\":\"columns\",\"partition\":1,\"offset\":1,\"sent_at\":\"2025-01-01T00:00:00.001Z\"}";
    assert_eq!(rows, [first, second]);
    let twins = format!("topic = \"{topic}\"\nvalue = \"json\"\ncolumns = [\"timestamp\"]");
    let error = Feed::try_new("x", &twins, columns("timestamp TIMESTAMP")).err().unwrap().report();
    assert!(
        error.contains("two columns would be called \"timestamp\"") && error.contains("sent_at"),
        "{error}"
    );
}

#[tokio::test]
async fn raw_and_string_are_one_column() {
    let kafka = kafka();
    let topic = kafka.topic("plain", 1);
    kafka.produce([
        (BaseRecord::to(topic), Some(vec![0xff]), Some(b"hi".to_vec())),
        (BaseRecord::to(topic), Some(vec![]), Some(vec![])),
    ]);
    let of = async |settings: &str| {
        let settings = format!("topic = \"{topic}\"\n{settings}");
        Feed::new(&kafka.bootstrap(), &settings, SourceOptions::default())
            .await
            .next()
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(of("").await, ["{\"value\":\"hi\"}", "{\"value\":\"\"}"]);
    assert_eq!(
        of("value = \"raw\"\nkey = \"raw\"").await,
        ["{\"key\":\"/w==\",\"value\":\"aGk=\"}", "{\"key\":\"\",\"value\":\"\"}"]
    );
}

#[tokio::test]
async fn only_what_is_committed_is_read_and_a_range_may_end_with_a_mark() {
    let kafka = kafka();
    let topic = kafka.topic("committed-only", 1);
    let settings = format!("topic = \"{topic}\"");
    let mut feed = Feed::new(&kafka.bootstrap(), &settings, SourceOptions::default()).await;
    kafka.transaction(topic, 0, &["a", "b"], true);
    assert_eq!(feed.rows().await, ["{\"value\":\"a\"}", "{\"value\":\"b\"}"]);
    kafka.transaction(topic, 0, &["x", "y"], false);
    kafka.transaction(topic, 0, &["c"], true);
    assert_eq!(feed.rows().await, ["{\"value\":\"c\"}"]);
    // Nothing but marks, and what was taken back.
    kafka.transaction(topic, 0, &["z"], false);
    while feed.next().await.unwrap().is_none() {}
    kafka.send(topic, 0, ["d"]);
    assert_eq!(feed.rows().await, ["{\"value\":\"d\"}"]);
}

#[tokio::test]
async fn a_range_is_read_again_with_the_same_rows_in_the_same_batches() {
    let kafka = kafka();
    let topic = kafka.topic("again", 3);
    for partition in 0..3 {
        let from = u64::from(partition as u32) * 30_000;
        kafka.send(topic, partition, numbers(from..from + 20_000));
        kafka.transaction(topic, partition, &["{\"n\":1}", "{\"n\":2}"], partition != 1);
    }
    let settings = format!("topic = \"{topic}\"\nvalue = \"json\"\ncolumns = [\"offset\", \"partition\"]");
    let feed = Feed::new(&kafka.bootstrap(), &settings, limited("n INT", 50_000)).await;
    let range = feed.plan().await.unwrap().unwrap().range;
    kafka.send(topic, 0, numbers(0..1000));
    for partitions in [1, 2, 5] {
        let first = feed.read(&range, partitions).await.unwrap();
        let again = feed.read(&range, partitions).await.unwrap();
        let other = Feed::new(&kafka.bootstrap(), &settings, limited("n INT", 50_000)).await;
        let elsewhere = other.read(&range, partitions).await.unwrap();
        assert!(first.iter().map(|b| b.len()).sum::<usize>() > 49_990);
        for batches in [again, elsewhere] {
            assert!(first.iter().map(|b| &b.rows).eq(batches.iter().map(|b| &b.rows)), "{partitions}");
        }
        for batch in &first {
            let at = batch.origin.position(batch.len() - 1);
            let last: serde_json::Value =
                serde_json::from_str(lines(std::slice::from_ref(batch)).last().unwrap()).unwrap();
            assert_eq!(at.of.as_deref(), Some(&*format!("{topic}/{}", last["partition"])));
            assert_eq!(Some(at.first), last["offset"].as_u64());
        }
    }
}

#[tokio::test]
async fn a_bad_row_is_told_by_topic_partition_and_offset() {
    let kafka = kafka();
    let topic = kafka.topic("bad", 1);
    kafka.send(topic, 0, ["{\"n\":1}", "{\"n\":", "{\"n\":\"x\",\"m\":2}", "", "{\"n\":5}"]);
    let read = async |on_bad_data, ddl: &str| {
        let options = SourceOptions { on_bad_data, ..columns(ddl) };
        let settings = format!("topic = \"{topic}\"\nvalue = \"json\"\ncolumns = [\"offset\"]");
        let mut feed = Feed::new(&kafka.bootstrap(), &settings, options).await;
        feed.next().await.map(|rows| (rows.unwrap().join(" "), feed.bad_rows()))
    };
    let (rows, bad) = read(OnBadData::Permissive, "n INT, m INT, _corrupt_record STRING").await.unwrap();
    assert_eq!(
        rows,
        "{\"n\":1,\"offset\":0} {\"_corrupt_record\":\"{\\\"n\\\":\",\"offset\":1} \
         {\"m\":2,\"_corrupt_record\":\"{\\\"n\\\":\\\"x\\\",\\\"m\\\":2}\",\"offset\":2} {\"offset\":3} {\"n\":5,\"offset\":4}"
    );
    assert_eq!((bad.count, bad.first.unwrap().to_string()), (2, "bad/0, offset 1".to_owned()));
    let (rows, bad) = read(OnBadData::Drop, "n INT").await.unwrap();
    assert_eq!(
        (rows.as_str(), bad.count),
        ("{\"n\":1,\"offset\":0} {\"offset\":3} {\"n\":5,\"offset\":4}", 2)
    );
    let error = read(OnBadData::Fail, "n INT").await.unwrap_err();
    assert_eq!(error.kind().exit_code(), 4);
    assert!(error.report().starts_with("bad/0, offset 1, byte 6: "), "{}", error.report());
}

#[tokio::test]
async fn partitions_and_topics_are_found_while_the_query_runs() {
    let kafka = kafka();
    kafka.topic("found-a", 1);
    let settings = "pattern = \"found-.*\"\ndiscovery-interval = \"100ms\"";
    let mut feed = Feed::new(&kafka.bootstrap(), settings, SourceOptions::default()).await;
    kafka.send("found-a", 0, ["one"]);
    assert_eq!(feed.rows().await, ["{\"value\":\"one\"}"]);
    kafka.grow("found-a", 3);
    kafka.send("found-a", 2, ["two"]);
    assert_eq!(feed.rows().await, ["{\"value\":\"two\"}"]);
    kafka.topic("found-b", 1);
    kafka.send("found-b", 0, ["three"]);
    assert_eq!(feed.rows().await, ["{\"value\":\"three\"}"]);
    assert_eq!(feed.at.unwrap().0, json!({ "found-a": { "0": 1, "1": 0, "2": 1 }, "found-b": { "0": 1 } }));
}

#[tokio::test]
async fn the_group_knows_how_far_the_query_is_once_an_epoch_is_over() {
    let kafka = kafka();
    let topic = kafka.topic("group", 1);
    kafka.send(topic, 0, numbers(0..4));
    let settings = format!("topic = \"{topic}\"\nvalue = \"json\"\ngroup = \"lag-tools\"");
    let mut feed = Feed::new(&kafka.bootstrap(), &settings, columns("n INT")).await;
    feed.rows().await;
    // It is told without waiting for an answer.
    while kafka.committed("lag-tools", topic, 0).is_none() {
        feed.plan().await.unwrap();
    }
    assert_eq!(kafka.committed("lag-tools", topic, 0), Some((4, String::new())));
}

#[tokio::test]
async fn a_waiting_query_hears_of_a_message_at_once() {
    let kafka = kafka();
    let topic = kafka.topic("wakes", 2);
    let settings = format!("topic = \"{topic}\"\nvalue = \"json\"");
    let mut feed = Feed::new(&kafka.bootstrap(), &settings, columns("n INT")).await;
    for n in 0..10 {
        kafka.send(topic, (n % 2) as i32, numbers(n..n + 1));
        assert_eq!(feed.rows().await, [format!("{{\"n\":{n}}}")]);
    }
}
