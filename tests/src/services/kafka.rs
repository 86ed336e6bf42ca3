//! Kafka brokers, and what tests do with them.

use super::{Service, ports};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{BorrowedMessage, Headers},
    producer::{BaseProducer, BaseRecord, Producer},
    types::RDKafkaErrorCode,
};
use std::{
    path::PathBuf,
    sync::{Mutex, OnceLock},
    time::Duration,
};

/// How long a request to the broker may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many ports a node has.
const PORTS: u16 = 8;

/// A broker, or three. What the ports are for is in `tests/services/kafka.sh`.
#[derive(Debug)]
pub struct Kafka {
    port: u16,
    /// The nodes; none where one is stopped.
    nodes: Mutex<Vec<Option<Service>>>,
    /// Data that outlive a stop.
    kept: Option<tempfile::TempDir>,
}

/// A message as a test looks at it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key as text.
    pub key: Option<String>,
    /// Its value as text.
    pub value: Option<String>,
    /// Its headers as text.
    pub headers: Vec<(String, String)>,
}

/// The broker of this process.
pub fn kafka() -> &'static Kafka {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(|| {
        let port = ports(8);
        let service = Service::start("kafka.sh", &[("KAFKA_PORT", port.to_string())]);
        Kafka { port, nodes: Mutex::new(vec![Some(service)]), kept: None }
    })
}

impl Kafka {
    /// A broker of a test's own, which may be stopped and started again.
    pub fn own() -> Kafka {
        Kafka::of(1)
    }

    /// Three brokers of a test's own: what is in one of them is in another.
    pub fn three() -> Kafka {
        Kafka::of(3)
    }

    fn of(nodes: u16) -> Kafka {
        let stopped = (0..nodes).map(|_| None).collect();
        let kept = Some(tempfile::tempdir().unwrap());
        let kafka = Kafka { port: ports(PORTS * nodes), nodes: Mutex::new(stopped), kept };
        kafka.start();
        kafka
    }

    /// Starts what is stopped, with the data that it had.
    pub fn start(&self) {
        let mut nodes = self.nodes.lock().unwrap();
        let count = nodes.len();
        // None of several is ready before another one is.
        std::thread::scope(|scope| {
            for (node, service) in nodes.iter_mut().enumerate().filter(|(_, service)| service.is_none()) {
                scope.spawn(move || *service = Some(self.started(node, count)));
            }
        });
    }

    fn started(&self, node: usize, of: usize) -> Service {
        let data = self.kept.as_ref().unwrap().path().join(format!("data-{node}"));
        let environment = [
            ("KAFKA_PORT", self.port.to_string()),
            ("KAFKA_NODE", node.to_string()),
            ("KAFKA_NODES", of.to_string()),
            ("STREAMHOST_SERVICE_DATA", data.display().to_string()),
        ];
        Service::start("kafka.sh", &environment)
    }

    /// Stops it.
    pub fn stop(&self) {
        let services: Vec<Service> = self.nodes.lock().unwrap().iter_mut().filter_map(Option::take).collect();
        services.into_iter().for_each(Service::stop);
    }

    /// Kills the node that leads a partition; answers the one that leads it then.
    pub fn fail_over(&self, topic: &str, partition: i32) -> usize {
        let leader = self.leader(topic, partition).expect("a leader");
        let service = self.nodes.lock().unwrap()[leader].take().unwrap();
        service.signal("KILL");
        service.wait();
        loop {
            match self.leader(topic, partition) {
                Some(other) if other != leader => return other,
                _ => std::thread::yield_now(),
            }
        }
    }

    fn leader(&self, topic: &str, partition: i32) -> Option<usize> {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let found = metadata.topics()[0].partitions().iter().find(|found| found.id() == partition)?;
        usize::try_from(found.leader() - 1).ok()
    }

    /// Where clients go.
    pub fn bootstrap(&self) -> String {
        let nodes = self.nodes.lock().unwrap().len() as u16;
        (0..nodes).map(|node| self.at(PORTS * node)).collect::<Vec<_>>().join(",")
    }

    /// The ports of a proxy: where it has to listen, and where the broker waits for it.
    pub fn proxy_ports(&self) -> (u16, u16) {
        (self.port + 3, self.port + 2)
    }

    /// Where clients go that come by the proxy.
    pub fn proxied(&self) -> String {
        self.at(3)
    }

    /// Where clients go that speak TLS.
    pub fn tls(&self) -> String {
        self.at(4)
    }

    /// Where clients go that speak TLS and name themselves.
    pub fn tls_sasl(&self) -> String {
        self.at(5)
    }

    /// Where clients go that name themselves.
    pub fn sasl(&self) -> String {
        self.at(6)
    }

    /// Where clients go that speak TLS, with a certificate that is no longer good.
    pub fn expired(&self) -> String {
        self.at(7)
    }

    fn at(&self, port: u16) -> String {
        format!("127.0.0.1:{}", self.port + port)
    }

    /// The certificate to trust.
    pub fn ca(&self) -> PathBuf {
        self.data().join("ca.pem")
    }

    fn data(&self) -> PathBuf {
        self.nodes.lock().unwrap()[0].as_ref().unwrap().data.clone()
    }

    /// Makes a topic; answers its name.
    pub fn topic<'n>(&self, name: &'n str, partitions: i32) -> &'n str {
        let replicas = self.nodes.lock().unwrap().len() as i32;
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        done(self.admin().create_topics([&topic], &options()));
        name
    }

    /// Deletes a topic.
    pub fn delete(&self, topic: &str) {
        done(self.admin().delete_topics(&[topic], &options()));
    }

    /// Gives a topic more partitions.
    pub fn grow(&self, topic: &str, partitions: usize) {
        done(self.admin().create_partitions([&NewPartitions::new(topic, partitions)], &options()));
    }

    /// Takes the messages before an offset away, as the end of their retention does.
    pub fn expire(&self, topic: &str, partition: i32, before: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(before)).unwrap();
        wait(self.admin().delete_records(&offsets, &options())).unwrap();
    }

    /// Forgets what a group has committed.
    pub fn forget_group(&self, group: &str) {
        wait(self.admin().delete_groups(&[group], &options())).unwrap();
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.bootstrap());
        client
    }

    /// Writes values without keys, to a partition or wherever they fall; returns once they are there.
    pub fn send<V: AsRef<str>>(
        &self,
        topic: &str,
        partition: impl Into<Option<i32>>,
        values: impl IntoIterator<Item = V>,
    ) {
        let partition = partition.into();
        self.produce(values.into_iter().map(|value| {
            let record = BaseRecord::to(topic);
            let record = partition.into_iter().fold(record, BaseRecord::partition);
            (record, None, Some(value.as_ref().as_bytes().to_vec()))
        }));
    }

    /// Writes records with a key and a value; returns once they are there.
    pub fn produce<'t>(&self, records: impl IntoIterator<Item = Sent<'t>>) {
        // What is sent again, after a broker has gone, is there once.
        let mut client = self.client();
        let client = client.set("linger.ms", "5").set("enable.idempotence", "true");
        let producer: BaseProducer = client.create().unwrap();
        for (mut record, key, value) in records {
            record.key = key.as_ref();
            record.payload = value.as_ref();
            let mut waiting = record;
            while let Err((error, again)) = producer.send(waiting) {
                assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
                producer.poll(Duration::from_millis(10));
                waiting = again;
            }
        }
        producer.flush(PATIENCE).unwrap();
        assert_eq!(producer.in_flight_count(), 0);
    }

    /// A transaction: these values, committed or taken back.
    pub fn transaction(&self, topic: &str, partition: i32, values: &[&str], commit: bool) {
        let mut client = self.client();
        let producer: BaseProducer =
            client.set("transactional.id", format!("of-test-{topic}")).create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        for value in values {
            producer.send(BaseRecord::<(), str>::to(topic).partition(partition).payload(value)).unwrap();
        }
        match commit {
            true => producer.commit_transaction(PATIENCE).unwrap(),
            false => {
                // Else nothing may have been sent by now.
                producer.flush(PATIENCE).unwrap();
                producer.abort_transaction(PATIENCE).unwrap();
            }
        }
    }

    /// All that is committed in a topic now, in the order of partitions and offsets.
    pub fn read(&self, topic: &str) -> Vec<Record> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "tests")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut open = self.partitions(topic);
        let mut assignment = TopicPartitionList::new();
        for partition in 0..open {
            assignment.add_partition_offset(topic, partition as i32, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut records = Vec::new();
        while open > 0 {
            match consumer.poll(PATIENCE).expect("the broker says nothing more") {
                Ok(message) => records.push(record(&message)),
                Err(KafkaError::PartitionEOF(_)) => open -= 1,
                Err(error) => panic!("{error}"),
            }
        }
        records.sort();
        records
    }

    /// The values of all that is committed in a topic now, sorted.
    pub fn values(&self, topic: &str) -> Vec<String> {
        let mut values: Vec<String> = self.read(topic).into_iter().filter_map(|r| r.value).collect();
        values.sort();
        values
    }

    fn partitions(&self, topic: &str) -> usize {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        metadata.topics().first().map_or(0, |topic| topic.partitions().len())
    }

    /// What a group has committed for a partition: offset and metadata.
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<(i64, String)> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().unwrap();
        let mut asked = TopicPartitionList::new();
        asked.add_partition(topic, partition);
        let answered = consumer.committed_offsets(asked, PATIENCE).unwrap();
        let of = answered.find_partition(topic, partition).unwrap();
        match of.offset() {
            Offset::Offset(offset) => Some((offset, of.metadata().to_owned())),
            _ => None,
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // An orderly end waits for the other nodes. After a panic the scripts see to it.
        if !std::thread::panicking() {
            self.nodes.lock().unwrap().iter().flatten().for_each(|service| service.signal("KILL"));
        }
    }
}

/// A record to be written: where to and with what else, its key, its value.
pub type Sent<'t> = (BaseRecord<'t, Vec<u8>, Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

fn record(message: &BorrowedMessage<'_>) -> Record {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    Record {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(text),
        value: message.payload().map(text),
        headers: headers.map(|h| (h.key.to_owned(), text(h.value.unwrap_or_default()))).collect(),
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

fn wait<T>(answer: impl Future<Output = T>) -> T {
    // Not by tokio: async tests wait here too, and what answers is a thread of librdkafka.
    futures::executor::block_on(answer)
}

#[track_caller]
fn done<T>(answer: impl Future<Output = Result<Vec<Result<T, (T, RDKafkaErrorCode)>>, KafkaError>>)
where
    T: std::fmt::Debug,
{
    for result in wait(answer).unwrap() {
        result.unwrap();
    }
}
