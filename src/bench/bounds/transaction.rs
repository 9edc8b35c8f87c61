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
    let mut times = Vec::with_capacity(TRANSACTIONS);
    for _ in 0..TRANSACTIONS {
        let started = Instant::now();
        producer.begin()?;
        producer.send(&topic.name, &message, PATIENCE)?;
        producer.flush(PATIENCE)?;
        producer.commit(PATIENCE)?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let mut run = Run { scenario: "transaction".to_owned(), ..Run::default() };
    results::less(&mut run, "median", milliseconds(times[TRANSACTIONS / 2]), "ms");
    results::less(&mut run, "p99", milliseconds(times[TRANSACTIONS * 99 / 100]), "ms");
    Ok(run)
}
