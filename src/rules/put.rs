//! Putting a version into Kafka, and waiting until the pipeline has it.

use super::require_order;
use super::versions::{StoredVersion, after};
use crate::config::Config;
use crate::database::connect_migrated;
use anyhow::Result;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{Producer, TopicAdmin};
use streamflow_dataflow::rules::{SetName, Version, document};

/// What became of a version that was put.
pub enum Outcome {
    /// It is in force, with what it changed.
    InForce(Box<StoredVersion>),
    /// Kafka has it; the pipeline has not read it within the time.
    Waiting,
}

/// How long until Kafka has acknowledged a record.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Appends a version of a set to the topic of the rules, and waits up to `patience` until it is in force.
///
/// # Errors
/// Kafka's and PostgreSQL's; nothing was put where they name no wait.
pub fn put(config: &Config, set: SetName, version: &Version, patience: Duration) -> Result<Outcome> {
    let mut client = connect_migrated(&config.postgres)?;
    let before = after(&mut client, 0)?.last().map_or(0, |last| last.number);
    let topic = &config.topics.rules;
    require_order(topic, TopicAdmin::connect(&config.kafka)?.partitions(topic)?)?;
    let producer = Producer::open(&config.kafka)?;
    let document = document::write(version, None);
    producer.send(topic, set.to_string().as_bytes(), Some(document.to_string().as_bytes()), None)?;
    producer.flush(ACKNOWLEDGED_WITHIN)?;
    let until = Instant::now() + patience;
    loop {
        let new = after(&mut client, before)?;
        let is_put = |stored: &StoredVersion| stored.set == set && stored.version == *version;
        if let Some(stored) = new.into_iter().rfind(is_put) {
            return Ok(Outcome::InForce(Box::new(stored)));
        }
        if Instant::now() >= until {
            return Ok(Outcome::Waiting);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
