//! How fast the client library alone reads records.

use super::super::events::Events;
use super::super::results;
use super::topic::Topic;
use anyhow::{Context, Result, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Producer};
use streamflow_harness::report::Run;

/// How long Kafka may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes all events to one partition of a new topic, and reads them.
pub fn measure(events: &Events, settings: &KafkaSettings) -> Result<Run> {
    let topic = Topic::create(settings, "records")?;
    produce(events, &topic)?;
    let elapsed = consume(events.count(), &topic)?;
    let mut run = Run { scenario: "consume".to_owned(), ..Run::default() };
    results::more(&mut run, "one partition", events.count() as f64 / elapsed.as_secs_f64(), "events/s");
    Ok(run)
}

fn produce(events: &Events, topic: &Topic<'_>) -> Result<()> {
    let producer = Producer::open(topic.settings)?;
    for line in events.partitions.iter().flatten() {
        producer.send(&topic.name, b"", Some(&events.bytes[line.place.clone()]), None)?;
    }
    Ok(producer.flush(PATIENCE)?)
}

fn consume(count: u64, topic: &Topic<'_>) -> Result<Duration> {
    let consumer: BaseConsumer = topic.settings.client_config()?.set("group.id", &topic.name).create()?;
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(&topic.name, 0, Offset::Beginning)?;
    consumer.assign(&partitions)?;
    let mut started = None;
    for _ in 0..count {
        match consumer.poll(PATIENCE) {
            Some(record) => drop(record.context("cannot read from Kafka")?),
            None => bail!("Kafka sent nothing for {} s", PATIENCE.as_secs()),
        }
        // The connection is not what is measured.
        started.get_or_insert_with(Instant::now);
    }
    Ok(started.map_or(Duration::ZERO, |started| started.elapsed()))
}
