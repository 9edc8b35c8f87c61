//! A session with Kafka: from fencing the older publisher to the first error.

use super::batch::{Batch, Position};
use super::error::PublisherError;
use super::record;
use crate::config::{Config, TopicNames};
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{Message, TransactionError, TransactionalProducer};

/// How long Kafka may take for one request before another session is opened.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The broker aborts the transaction of a crashed publisher after this time, if no other publisher has done
/// so before.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// The only publisher of its name, until the next one fences it. After an error it is unusable: drop it and
/// open another one, which determines what took effect.
pub struct Session {
    producer: TransactionalProducer,
    topics: TopicNames,
    /// The key of the progress record.
    key: Vec<u8>,
    position: Position,
    /// How long the broker keeps a transaction open.
    timeout: Duration,
    begun: Instant,
}

impl Session {
    /// Fences older publishers and reads their progress record. `timeout` is that of transactions.
    ///
    /// # Errors
    /// Errors of Kafka, and [`PublisherError::Record`].
    pub fn open(config: &Config, timeout: Duration) -> Result<Self, PublisherError> {
        let name = &config.publisher.transactional_id;
        let producer = TransactionalProducer::open(&config.kafka, name, timeout)?;
        producer.fence(PATIENCE)?;
        // Only now: before, an older publisher might still have committed.
        let progress = record::latest(config, PATIENCE)?;
        Ok(Self {
            producer,
            topics: config.topics.clone(),
            key: name.clone().into_bytes(),
            position: Position { progress, oldest_open: None },
            timeout,
            begun: Instant::now(),
        })
    }

    /// The position up to which everything is published.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Advances past what needs no message.
    pub fn pass(&mut self, position: Position) {
        self.producer.serve();
        self.position = position;
    }

    /// Sends a batch and its progress record. The brokers have them then, but no consumer sees them yet.
    pub fn prepare(&mut self, batch: &Batch) -> Result<(), PublisherError> {
        let value = Some(serde_json::to_vec(&batch.after.progress)?);
        let record = Message { key: self.key.clone(), value, headers: Vec::new() };
        self.begun = Instant::now();
        self.send(batch, &record).map_err(|error| self.classify(error))
    }

    fn send(&self, batch: &Batch, record: &Message) -> Result<(), TransactionError> {
        self.producer.begin()?;
        for (topic, messages) in [
            (&self.topics.alerts, batch.alerts.as_slice()),
            (&self.topics.dead_letters, &batch.dead_letters),
            (&self.topics.metrics, &batch.windows),
            (&self.topics.progress, std::slice::from_ref(record)),
        ] {
            messages.iter().try_for_each(|message| self.producer.send(topic, message, PATIENCE))?;
        }
        self.producer.flush(PATIENCE)
    }

    /// Commits the prepared batch, which makes it visible at once.
    ///
    /// # Errors
    /// Errors of Kafka. Unless the error is final, it is unknown whether the batch became visible.
    pub fn commit(&mut self, batch: Batch, within: Duration) -> Result<(), PublisherError> {
        self.producer.commit(within).map_err(|error| self.classify(error))?;
        self.position = batch.after;
        Ok(())
    }

    /// The broker fences a producer whose transaction has timed out as it does one that has a successor. The
    /// lease shows which of the two it is, before another session is opened.
    fn classify(&self, error: TransactionError) -> PublisherError {
        let error = match error {
            TransactionError::Fenced { doing, cause } if self.begun.elapsed() >= self.timeout => {
                TransactionError::Interrupted { doing, cause }
            }
            error => error,
        };
        error.into()
    }
}
