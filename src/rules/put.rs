//! Putting a version into Kafka, and waiting until the pipeline has it.

use super::versions::{StoredVersion, all};
use crate::config::Config;
use crate::database::connect_migrated;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{Producer, TopicAdmin};
use streamflow_dataflow::rules::{RulesChange, Version, document};

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

/// Appends a version to the topic of the rules, and waits up to `patience` until it is in force.
///
/// # Errors
/// Kafka's and PostgreSQL's; nothing was put where they name no wait.
pub fn put(config: &Config, version: &Version, patience: Duration) -> Result<Outcome> {
    let mut client = connect_migrated(&config.postgres)?;
    let before = all(&mut client)?.last().map_or(0, |last| last.version);
    let topic = &config.topics.rules;
    let partitions = TopicAdmin::connect(&config.kafka)?.partitions(topic)?;
    if partitions != 1 {
        bail!(
            "topic {topic}: {partitions} partitions: must be 1, or the versions of the rules have no order"
        );
    }
    let producer = Producer::open(&config.kafka)?;
    let document = document::write(version, None);
    producer.send(topic, RulesChange::KEY.as_bytes(), Some(document.to_string().as_bytes()), None)?;
    producer.flush(ACKNOWLEDGED_WITHIN)?;
    let until = Instant::now() + patience;
    loop {
        let is_it = |stored: &StoredVersion| {
            let read = document::parse(stored.rules.to_string().as_bytes());
            stored.version > before && read.is_ok_and(|read| read == *version)
        };
        if let Some(stored) = all(&mut client)?.into_iter().rev().find(is_it) {
            return Ok(Outcome::InForce(Box::new(stored)));
        }
        if Instant::now() >= until {
            return Ok(Outcome::Waiting);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
