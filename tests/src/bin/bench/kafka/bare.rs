//! A plain loop of librdkafka: what comes from one topic goes to another.

use engine::{Error, Kind, Result, ResultExt};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::time::Duration;

/// Makes this program run the loop: `bare-loop SERVERS FROM TO once|endless`.
pub(crate) const COMMAND: &str = "bare-loop";

const PATIENCE: Duration = Duration::from_secs(30);

/// Copies a topic, all that there is or for ever.
pub(crate) fn run(servers: &str, from: &str, to: &str, how: &str) -> Result<()> {
    let consumer: BaseConsumer = client(servers)
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .doing(Kind::Invalid, || "making a consumer")?;
    let producer: BaseProducer =
        client(servers).set("linger.ms", "1").create().doing(Kind::Invalid, || "making a producer")?;
    let mut open = assign(&consumer, from)?;
    while open > 0 {
        match consumer.poll(Duration::from_millis(10)) {
            Some(Ok(message)) => send(&producer, to, message.payload().unwrap_or_default())?,
            Some(Err(KafkaError::PartitionEOF(_))) if how == "once" => open -= 1,
            Some(Err(KafkaError::PartitionEOF(_))) | None => {
                producer.poll(Duration::ZERO);
            }
            Some(Err(error)) => return Err(Error::new(Kind::Unavailable, "consuming").caused_by(error)),
        }
    }
    producer.flush(PATIENCE).doing(Kind::Unavailable, || "producing")
}

fn client(servers: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", servers);
    client
}

/// From the beginning; answers how many partitions there are.
fn assign(consumer: &BaseConsumer, topic: &str) -> Result<usize> {
    let looking = || format!("looking for topic {topic}");
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).doing(Kind::Unavailable, looking)?;
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let mut all = TopicPartitionList::new();
    for partition in partitions {
        all.add_partition_offset(topic, partition.id(), Offset::Beginning).doing(Kind::Internal, looking)?;
    }
    consumer.assign(&all).doing(Kind::Unavailable, looking)?;
    Ok(all.count())
}

fn send(producer: &BaseProducer, to: &str, payload: &[u8]) -> Result<()> {
    let mut record = BaseRecord::<(), [u8]>::to(to).payload(payload);
    while let Err((error, again)) = producer.send(record) {
        if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
            return Err(Error::new(Kind::Unavailable, "producing").caused_by(error));
        }
        producer.poll(Duration::from_millis(1));
        record = again;
    }
    Ok(())
}
