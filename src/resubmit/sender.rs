//! Sends events to the topics from which they came, and reports which of them Kafka has acknowledged.

use crate::lock::lock;
use anyhow::{Result, bail};
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use std::sync::Mutex;
use std::time::Duration;
use streamflow_connectors::kafka::KafkaSettings;
use streamflow_medallion::outbox::StoredDeadLetter;

/// The header with the id of the dead letter.
pub const HEADER: &str = "streamflow-resubmission";

/// How long to wait for acknowledgements when the client's buffer is full.
const ROOM: Duration = Duration::from_millis(1);

/// Longer than the client takes until a record is acknowledged or given up.
const MARGIN: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Delivered {
    /// Ids of dead letters that all in-sync replicas have.
    pub ids: Vec<i64>,
    /// Why the first of the other letters was given up.
    pub failure: Option<String>,
}

/// A producer without transactions, whose markers would take offsets that hold no event.
pub struct Sender {
    client: ThreadedProducer<Acknowledgements>,
    patience: Duration,
}

struct Acknowledgements(Mutex<Delivered>);

impl Sender {
    /// Creates the client, without connecting.
    ///
    /// # Errors
    /// The client refuses the settings.
    pub fn open(settings: &KafkaSettings) -> Result<Self> {
        let config = settings.plain_producer_config()?;
        let client = config.create_with_context(Acknowledgements(Mutex::default()))?;
        let patience = Duration::from_millis(settings.producer.delivery_timeout_ms.into()) + MARGIN;
        Ok(Self { client, patience })
    }

    /// Queues the event of a dead letter, whose key decides the partition; [`Sender::finish`] returns its
    /// outcome.
    ///
    /// # Errors
    /// Where it cannot be queued at all.
    pub fn send(&self, letter: &StoredDeadLetter) -> Result<()> {
        let StoredDeadLetter { number: id, topic, key, payload, .. } = letter;
        let number = id.to_string();
        let headers = OwnedHeaders::new().insert(Header { key: HEADER, value: Some(&number) });
        let mut record: BaseRecord<'_, [u8], [u8], Box<i64>> =
            BaseRecord::with_opaque_to(topic, Box::new(*id)).headers(headers);
        (record.key, record.payload) = (key.as_deref(), payload.as_deref());
        loop {
            match self.client.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => record = unsent,
                Err((cause, _)) => bail!("dead letter {id} cannot be sent to {topic}: {cause}"),
            }
            std::thread::sleep(ROOM);
        }
    }

    /// Waits until each event is acknowledged or given up.
    pub fn finish(&self) -> Delivered {
        let flushed = self.client.flush(self.patience);
        let mut delivered = std::mem::take(&mut *lock(&self.client.context().0));
        if let Err(error) = flushed {
            delivered.failure.get_or_insert(error.to_string());
        }
        delivered
    }
}

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = Box<i64>;

    fn delivery(&self, result: &DeliveryResult<'_>, id: Box<i64>) {
        let mut delivered = lock(&self.0);
        match result {
            Ok(_) => delivered.ids.push(*id),
            Err((error, _)) => {
                delivered.failure.get_or_insert(error.to_string());
            }
        }
    }
}
