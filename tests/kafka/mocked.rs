//! What brokers say while they do not know better, by brokers that say what a test tells them to.

use super::feed::Feed;
use connectors::source::SourceOptions;
use engine::Kind;
use rdkafka::{
    ClientConfig,
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer},
    types::RDKafkaRespErr,
};
use std::time::Duration;

type Brokers = MockCluster<'static, DefaultProducerContext>;

/// Brokers with a topic of one partition, which the first of them leads.
fn brokers(topic: &str) -> Brokers {
    let brokers = MockCluster::new(3).unwrap();
    brokers.create_topic(topic, 1, 3).unwrap();
    brokers.partition_leader(topic, 0, Some(1)).unwrap();
    brokers
}

fn send(brokers: &Brokers, topic: &str, numbers: std::ops::Range<u64>) {
    let mut client = ClientConfig::new();
    let producer: BaseProducer =
        client.set("bootstrap.servers", brokers.bootstrap_servers()).create().unwrap();
    for n in numbers {
        producer.send(BaseRecord::<(), _>::to(topic).partition(0).payload(&n.to_string())).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

fn values(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|n| format!("{{\"value\":\"{n}\"}}")).collect()
}

#[tokio::test]
async fn a_topic_that_brokers_do_not_tell_of_is_not_deleted() {
    let brokers = brokers("untold");
    send(&brokers, "untold", 0..3);
    let settings = "topic = \"untold\"\ndiscovery-interval = \"1ms\"";
    let mut feed = Feed::impatient(&brokers.bootstrap_servers(), settings, SourceOptions::default()).await;
    assert_eq!(feed.rows().await, values(0..3));
    let says = |says| brokers.topic_error("untold", says).unwrap();
    says(RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
    refuses(&mut feed, Kind::Unavailable).await;
    says(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
    send(&brokers, "untold", 3..5);
    assert_eq!(feed.rows().await, values(3..5));
    says(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    refuses(&mut feed, Kind::Invalid).await;
}

async fn refuses(feed: &mut Feed, kind: Kind) {
    let error = feed.next().await.unwrap_err();
    assert_eq!(error.kind(), kind, "{}", error.report());
    assert!(error.report().contains("looking for topic untold"), "{}", error.report());
}
