//! Reference records.

use crate::config::{Config, TopicNames};
use anyhow::Result;
use std::time::Duration;
use streamflow_connectors::kafka::Producer;
use streamflow_generator::{DimensionRecord, GeneratorSettings, Population};

const DELIVERED_WITHIN: Duration = Duration::from_secs(120);

/// Records between two pauses for the embedded broker, which keeps only a few megabytes.
const BURST: u64 = 1_000;

/// Sends the whole population, in bursts where the broker is a test double; returns the number of records.
pub fn load(config: &Config, settings: &GeneratorSettings, in_bursts: bool) -> Result<u64> {
    let population = Population::new(settings)?;
    let TopicNames { blacklist, stores, products, customers, .. } = &config.topics;
    let mut sender = Sender { producer: Producer::open(&config.kafka)?, in_bursts, sent: 0 };
    sender.send(blacklist, population.blacklist())?;
    sender.send(stores, population.stores())?;
    sender.send(products, population.products())?;
    sender.send(customers, population.customers())?;
    sender.producer.flush(DELIVERED_WITHIN)?;
    Ok(sender.sent)
}

/// Sends so many customers, whom nobody knows yet.
pub fn burst(config: &Config, records: u32, seed: u64) -> Result<()> {
    let settings =
        GeneratorSettings { seed: seed.wrapping_add(1), customers: records, ..GeneratorSettings::default() };
    let population = Population::new(&settings)?;
    let mut sender = Sender { producer: Producer::open(&config.kafka)?, in_bursts: false, sent: 0 };
    sender.send(&config.topics.customers, population.customers())?;
    Ok(sender.producer.flush(DELIVERED_WITHIN)?)
}

struct Sender {
    producer: Producer,
    in_bursts: bool,
    sent: u64,
}

impl Sender {
    fn send(&mut self, topic: &str, records: impl Iterator<Item = DimensionRecord>) -> Result<()> {
        for record in records {
            self.producer.send(topic, record.key.as_bytes(), Some(&record.value), None)?;
            self.sent += 1;
            if self.in_bursts && self.sent.is_multiple_of(BURST) {
                self.producer.flush(DELIVERED_WITHIN)?;
            }
        }
        Ok(())
    }
}
