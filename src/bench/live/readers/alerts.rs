//! Alerts, as a consumer of committed records sees them.

use super::Seen;
use crate::config::Config;
use anyhow::Result;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use serde::Deserialize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use streamflow_connectors::kafka::TopicAdmin;
use streamflow_harness::schedule::Clock;

const POLL: Duration = Duration::from_millis(50);

/// An alert that a transaction raised, and not something that came after it.
#[derive(Clone, Debug)]
pub struct Raised {
    pub transaction_id: String,
    /// When it was read, microseconds of the clock.
    pub at: i64,
}

#[derive(Deserialize)]
struct Change {
    transaction_id: String,
    change: String,
    cause: String,
}

/// Reads alert changes.
pub struct AlertReader(BaseConsumer);

impl AlertReader {
    /// From the beginning of the topic.
    ///
    /// # Errors
    /// Those of Kafka.
    pub fn open(config: &Config) -> Result<Self> {
        let mut client = config.kafka.client_config()?;
        client
            // Partitions are assigned by hand; the library wants a name all the same.
            .set("group.id", "streamflow-bench")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            // A broker may hold a fetch so long where a transaction has just ended; that is not what is measured.
            .set("fetch.wait.max.ms", "5");
        let consumer: BaseConsumer = client.create()?;
        let topic = &config.topics.alerts;
        let mut partitions = TopicPartitionList::new();
        for partition in 0..TopicAdmin::connect(&config.kafka)?.partitions(topic)? {
            partitions.add_partition_offset(topic, i32::from(partition), Offset::Beginning)?;
        }
        consumer.assign(&partitions)?;
        Ok(Self(consumer))
    }

    /// Follows the alerts until the end.
    pub fn follow(&self, clock: Clock, seen: &Seen) -> Vec<Raised> {
        let mut raised = Vec::new();
        while !seen.has_ended() {
            // The library goes on by itself where a broker is away.
            let Some(Ok(record)) = self.0.poll(POLL) else { continue };
            let at = clock.now();
            seen.alert_changes.fetch_add(1, Ordering::Relaxed);
            if let Ok(change) = serde_json::from_slice::<Change>(record.payload().unwrap_or_default())
                && (change.change.as_str(), change.cause.as_str()) == ("raised", "transaction")
            {
                raised.push(Raised { transaction_id: change.transaction_id, at });
            }
        }
        raised
    }
}
