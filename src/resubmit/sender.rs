//! Sends events to the topic from which they came, and knows which of them Kafka has.

use anyhow::{Result, bail};
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use streamflow_connectors::kafka::KafkaSettings;

/// Names the dead letter that is sent again.
pub const HEADER: &str = "streamflow-resubmission";

/// How long to wait for acknowledgements to make room in a full buffer.
const ROOM: Duration = Duration::from_millis(1);

/// Beyond the time in which Kafka must have acknowledged or the client has given up.
const MARGIN: Duration = Duration::from_secs(10);

/// An event to be sent.
pub struct Event<'a> {
    /// The dead letter.
    pub id: i64,
    /// Its topic.
    pub topic: &'a str,
    /// Its key, which decides the partition.
    pub key: Option<&'a [u8]>,
    /// What it says.
    pub payload: Option<&'a [u8]>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Dead letters that all replicas in sync hold.
    pub ids: Vec<i64>,
    /// Why the first of the others was given up.
    pub failure: Option<String>,
}

/// A producer without transactions: their markers would take offsets that hold no event.
pub struct Sender {
    client: ThreadedProducer<Acknowledgements>,
    patience: Duration,
}

struct Acknowledgements(Mutex<Delivered>);

impl Sender {
    /// Makes the client; nobody is asked yet.
    ///
    /// # Errors
    /// Where the settings are refused.
    pub fn open(settings: &KafkaSettings) -> Result<Self> {
        let config = settings.plain_producer_config()?;
        let client = config.create_with_context(Acknowledgements(Mutex::default()))?;
        let patience = Duration::from_millis(settings.producer.delivery_timeout_ms.into()) + MARGIN;
        Ok(Self { client, patience })
    }

    /// Queues an event; [`Sender::finish`] tells what became of it.
    ///
    /// # Errors
    /// Where it cannot be queued at all.
    pub fn send(&self, event: &Event<'_>) -> Result<()> {
        let Event { id, topic, key, payload } = *event;
        let number = id.to_string();
        let headers = OwnedHeaders::new().insert(Header { key: HEADER, value: Some(&number) });
        let mut record: BaseRecord<'_, [u8], [u8], Box<i64>> =
            BaseRecord::with_opaque_to(topic, Box::new(id)).headers(headers);
        (record.key, record.payload) = (key, payload);
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
        let mut delivered = std::mem::take(&mut *self.client.context().lock());
        if let Err(error) = flushed {
            delivered.failure.get_or_insert(error.to_string());
        }
        delivered
    }
}

impl Acknowledgements {
    /// What it guards is whole after every statement, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Delivered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = Box<i64>;

    fn delivery(&self, result: &DeliveryResult<'_>, id: Box<i64>) {
        let mut delivered = self.lock();
        match result {
            Ok(_) => delivered.ids.push(*id),
            Err((error, _)) => {
                delivered.failure.get_or_insert(error.to_string());
            }
        }
    }
}
