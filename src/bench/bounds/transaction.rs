//! How long Kafka takes for a transaction of one record: no alert is readable sooner after its commit.

use super::super::results;
use super::topic::Topic;
use anyhow::Result;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Message, TransactionalProducer};
use streamflow_harness::report::Run;

const TRANSACTIONS: usize = 200;

/// How long Kafka may take for each step.
const PATIENCE: Duration = Duration::from_secs(30);

/// Commits transactions of one record, one after the other.
pub fn measure(settings: &KafkaSettings) -> Result<Run> {
    let topic = Topic::create(settings, "transactions")?;
    let producer = TransactionalProducer::open(settings, &topic.name, PATIENCE)?;
    producer.fence(PATIENCE)?;
    let message = Message { key: b"bound".to_vec(), value: Some(b"bound".to_vec()), headers: Vec::new() };
    let mut times = [Duration::ZERO; TRANSACTIONS];
    for time in &mut times {
        let started = Instant::now();
        producer.begin()?;
        producer.send(&topic.name, &message, PATIENCE)?;
        producer.flush(PATIENCE)?;
        producer.commit(PATIENCE)?;
        *time = started.elapsed();
    }
    Ok(results::waits("transaction", times))
}
