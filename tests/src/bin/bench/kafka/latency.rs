//! How long a message takes from one topic through a plugin to another, at a steady pace.

use super::{Bench, bare::COMMAND};
use crate::{process::Running, table};
use engine::{Clock, Error, Kind, Result, ResultExt, SystemClock};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::{thread, time::Duration};

/// Messages a second.
const PACE: u64 = 10_000;
/// Seconds that are measured, after as many again that are not.
const SECONDS: u64 = 5;
const SIZE: usize = 1200;

/// The middle of all latencies, and what one in a hundred exceeds.
#[derive(Clone, Copy)]
struct Latency {
    p50: Duration,
    p99: Duration,
}

/// Measures and prints the rows of the table that are about latency.
pub(super) async fn rows(bench: &Bench<'_>) -> Result<()> {
    let bare = {
        let (from, to) = topics(bench, "bare");
        let mut run = bench.workshop.itself();
        run.args([COMMAND, &bench.broker.bootstrap(), &from, &to, "endless"]);
        let _running = Running::start(&mut run)?;
        measure(&bench.broker.bootstrap(), &from, &to)?
    };
    let continuous = through(bench, "continuous", "{ continuous = '1s' }")?;
    let times = continuous.p99.as_secs_f64() / bare.p99.as_secs_f64();
    let shown = |of: Latency| {
        format!("p50 {:.1} ms, p99 {:.1} ms", of.p50.as_secs_f64() * 1e3, of.p99.as_secs_f64() * 1e3)
    };
    table::row(
        "latency Kafka → plugin → Kafka, 10,000 rows/s of 1.2 KB, continuous, beside a bare loop",
        &format!("{}; bare {}", shown(continuous), shown(bare)),
        "p99 ≤ 3 ×",
        times <= 3.0,
    );
    let epochs = through(bench, "epochs", "'asap'")?;
    table::row("the same with the default trigger, exactly once", &shown(epochs), "reported", true);
    Ok(())
}

fn topics(bench: &Bench<'_>, name: &str) -> (String, String) {
    let (from, to) = (format!("latency-{name}-in"), format!("latency-{name}-out"));
    bench.broker.topic(&from, 2);
    bench.broker.topic(&to, 2);
    (from, to)
}

fn through(bench: &Bench<'_>, name: &str, trigger: &str) -> Result<Latency> {
    let (from, to) = topics(bench, name);
    let rest = format!("{}{}", bench.filter(), bench.kafka_sink(&to, ""));
    let file = bench.pipeline(name, trigger, &from, &rest)?;
    let _running = Running::start(&mut bench.command(&file))?;
    measure(&bench.broker.bootstrap(), &from, &to)
}

/// Sends messages that say when they were sent, and looks when they come out.
fn measure(servers: &str, from: &str, to: &str) -> Result<Latency> {
    let (servers, from) = (servers.to_owned(), from.to_owned());
    let consumer = consumer(&servers, to)?;
    let sender = thread::spawn(move || send(&servers, &from));
    let clock = SystemClock::new();
    let mut latencies = Vec::new();
    let wanted = PACE * SECONDS;
    let begun = clock.monotonic();
    while latencies.len() < 2 * wanted as usize {
        if clock.monotonic() - begun > Duration::from_secs(60) {
            return Err(Error::internal("messages did not come out"));
        }
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(10)) {
            let sent = sent_at(message.payload().unwrap_or_default());
            latencies.push(clock.now().0.saturating_sub(sent).max(0) as u64);
        }
    }
    sender.join().map_err(|_| Error::internal("the sender of messages"))??;
    // The first half has the start in it.
    let mut latencies = latencies.split_off(wanted as usize);
    latencies.sort_unstable();
    let at = |part: f64| {
        let index = (latencies.len() as f64 * part) as usize;
        Duration::from_micros(latencies.get(index).copied().unwrap_or_default())
    };
    Ok(Latency { p50: at(0.5), p99: at(0.99) })
}

fn consumer(servers: &str, topic: &str) -> Result<BaseConsumer> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", servers)
        .set("group.id", "latency")
        .set("isolation.level", "read_committed");
    let consumer: BaseConsumer = client.create().doing(Kind::Invalid, || "making a consumer")?;
    let mut all = TopicPartitionList::new();
    for partition in 0..2 {
        all.add_partition_offset(topic, partition, Offset::Beginning)
            .doing(Kind::Internal, || "choosing partitions")?;
    }
    consumer.assign(&all).doing(Kind::Unavailable, || "choosing partitions")?;
    Ok(consumer)
}

/// Where the time is in a message.
const SENT: &str = "{\"user_id\":";

fn sent_at(message: &[u8]) -> i64 {
    let text = std::str::from_utf8(message).unwrap_or_default();
    let time = text.split_once("\"category\":\"").map_or("", |(_, rest)| rest);
    time.split('-').next().and_then(|time| time.parse().ok()).unwrap_or_default()
}

fn send(servers: &str, topic: &str) -> Result<()> {
    let clock = SystemClock::new();
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", servers).set("linger.ms", "0");
    let producer: BaseProducer = client.create().doing(Kind::Invalid, || "making a producer")?;
    let (begun, padding) = (clock.monotonic(), "x".repeat(SIZE - 120));
    for number in 0..2 * PACE * SECONDS {
        let due = begun + Duration::from_micros(number * 1_000_000 / PACE);
        while clock.monotonic() < due {
            producer.poll(Duration::from_micros(200));
        }
        let now = clock.now().0;
        let message =
            format!("{SENT}{number},\"value\":50.5,\"event\":\"view\",\"category\":\"{now}-{padding}\"}}");
        let record = BaseRecord::<(), str>::to(topic).partition((number % 2) as i32).payload(&message);
        producer.send(record).map_err(|(e, _)| Error::new(Kind::Unavailable, "sending").caused_by(e))?;
    }
    producer.flush(Duration::from_secs(10)).doing(Kind::Unavailable, || "sending")
}
