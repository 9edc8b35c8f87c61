//! How fast the client library alone reads records.

use super::super::events::Events;
use super::super::results;
use anyhow::{Context, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, TopicAdmin, TopicSettings};
use streamflow_harness::report::Run;

/// How long Kafka may be silent.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// Writes all events to one partition of a new topic, and reads them.
pub fn measure(events: &Events, settings: &KafkaSettings) -> Result<Run> {
    let topic = Topic::create(settings)?;
    produce(events, &topic)?;
    let elapsed = consume(events.count(), &topic)?;
    let mut run = Run { scenario: "consume".to_owned(), ..Run::default() };
    results::more(&mut run, "one partition", events.count() as f64 / elapsed.as_secs_f64(), "events/s");
    Ok(run)
}

/// A topic that is deleted when dropped.
struct Topic {
    name: String,
    client: ClientConfig,
}

impl Topic {
    fn create(settings: &KafkaSettings) -> Result<Self> {
        let name = format!("streamflow.bounds.{}", std::process::id());
        let topic =
            TopicSettings { name: name.clone(), partitions: 1, replication: -1, configs: BTreeMap::new() };
        TopicAdmin::connect(settings)?.create_missing(&[topic])?;
        Ok(Self { name, client: settings.client_config()? })
    }

    fn delete(&self) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client.create()?;
        let deleted = pollster::block_on(admin.delete_topics(&[&self.name], &AdminOptions::new()))?;
        deleted.into_iter().try_for_each(|outcome| outcome.map(drop)).map_err(|(_, code)| code.into())
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        if let Err(error) = self.delete() {
            tracing::warn!("topic {} stays: {error}", self.name);
        }
    }
}

fn produce(events: &Events, topic: &Topic) -> Result<()> {
    let producer: BaseProducer = topic.client.clone().set("linger.ms", "50").create()?;
    for line in events.partitions.iter().flatten() {
        let mut record = BaseRecord::<(), [u8]>::to(&topic.name).payload(&events.bytes[line.place.clone()]);
        while let Err((error, unsent)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error).context("cannot write to Kafka");
            }
            producer.poll(PAUSE);
            record = unsent;
        }
    }
    producer.flush(PATIENCE).context("Kafka does not take the records")
}

fn consume(count: u64, topic: &Topic) -> Result<Duration> {
    let consumer: BaseConsumer = topic.client.clone().set("group.id", &topic.name).create()?;
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
