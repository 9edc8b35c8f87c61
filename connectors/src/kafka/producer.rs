//! A plain producer: no transactions, every record acknowledged by all replicas or reported as undelivered.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message as _};

use super::client::Logging;
use super::error::KafkaError;
use super::settings::KafkaSettings;

/// How long to wait for acknowledgements to make room in a full buffer before looking again.
const ROOM_CHECK: Duration = Duration::from_millis(1);

/// Delivered and failed records since the producer was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliveries {
    /// Acknowledged by all replicas in sync.
    pub delivered: u64,
    /// Given up.
    pub failed: u64,
    /// Why the first of the failed ones was given up.
    pub first_failure: Option<String>,
}

/// A record that all replicas in sync have acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The number that it was sent with.
    pub number: usize,
    /// Its partition.
    pub partition: i32,
    /// Where it stands in the partition; negative where the broker does not tell.
    pub offset: i64,
}

type Record<'a> = BaseRecord<'a, [u8], [u8], usize>;

/// Is told of each delivery, by a thread of the client.
type Told = Box<dyn Fn(Delivery) + Send + Sync>;

/// Sends records; may be shared between threads.
pub struct Producer {
    client: ThreadedProducer<Counting>,
}

struct Counting {
    delivered: AtomicU64,
    failed: AtomicU64,
    first_failure: Mutex<Option<String>>,
    told: Option<Told>,
    logging: Logging,
}

impl Producer {
    /// Creates the client without connecting.
    ///
    /// # Errors
    /// [`KafkaError::Settings`], [`KafkaError::Client`].
    pub fn open(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        Self::open_with(settings, None)
    }

    /// As [`Producer::open`]; `told` hears of each delivery.
    ///
    /// # Errors
    /// As for [`Producer::open`].
    pub fn open_telling(
        settings: &KafkaSettings,
        told: impl Fn(Delivery) + Send + Sync + 'static,
    ) -> Result<Self, KafkaError> {
        Self::open_with(settings, Some(Box::new(told)))
    }

    fn open_with(settings: &KafkaSettings, told: Option<Told>) -> Result<Self, KafkaError> {
        let config = settings.plain_producer_config()?;
        let context = Counting {
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            first_failure: Mutex::new(None),
            told,
            logging: Logging::default(),
        };
        Ok(Self { client: config.create_with_context(context).map_err(KafkaError::Client)? })
    }

    /// Queues a record; while the buffer is full it waits, at most until older records are given up.
    /// `payload` `None` is a tombstone; `timestamp` in milliseconds since 1970, else the present. The key
    /// decides the partition.
    ///
    /// # Errors
    /// [`KafkaError::Record`]. Failures after queueing show in [`Producer::deliveries`] and
    /// [`Producer::flush`].
    pub fn send(
        &self,
        topic: &str,
        key: &[u8],
        payload: Option<&[u8]>,
        timestamp: Option<i64>,
    ) -> Result<(), KafkaError> {
        let mut record: Record<'_> = BaseRecord::with_opaque_to(topic, 0).key(key);
        record.payload = payload;
        record.timestamp = timestamp;
        self.queue(record)
    }

    /// As [`Producer::send`]; the number comes back with the delivery.
    ///
    /// # Errors
    /// As for [`Producer::send`].
    pub fn send_numbered(
        &self,
        topic: &str,
        key: &[u8],
        payload: &[u8],
        number: usize,
    ) -> Result<(), KafkaError> {
        self.queue(BaseRecord::with_opaque_to(topic, number).key(key).payload(payload))
    }

    fn queue(&self, mut record: Record<'_>) -> Result<(), KafkaError> {
        let topic = record.topic;
        loop {
            match self.client.send(record) {
                Ok(()) => return Ok(()),
                Err((ClientError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => record = unsent,
                Err((cause, _)) => return Err(KafkaError::Record { topic: topic.to_owned(), cause }),
            }
            std::thread::sleep(ROOM_CHECK);
        }
    }

    /// Delivered and failed records so far.
    pub fn deliveries(&self) -> Deliveries {
        let counts = self.client.context();
        Deliveries {
            delivered: counts.delivered.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            first_failure: counts.first_failure(),
        }
    }

    /// Waits until every record is delivered or given up, at most for `limit`.
    ///
    /// # Errors
    /// [`KafkaError::Undelivered`] where any record has been given up since the producer was opened,
    /// [`KafkaError::Unavailable`] where some are still waiting after `limit`.
    pub fn flush(&self, limit: Duration) -> Result<(), KafkaError> {
        let doing = || "waiting for acknowledgements".to_owned();
        self.client.flush(limit).map_err(|cause| KafkaError::Unavailable { doing: doing(), cause })?;
        match self.deliveries() {
            Deliveries { failed: 0, .. } => Ok(()),
            Deliveries { failed, first_failure, .. } => {
                Err(KafkaError::Undelivered { failed, cause: first_failure.unwrap_or_default() })
            }
        }
    }
}

impl Counting {
    fn first_failure(&self) -> Option<String> {
        self.first_failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl ClientContext for Counting {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logging.log(level, facility, message);
    }

    fn error(&self, error: ClientError, reason: &str) {
        self.logging.error(error, reason);
    }
}

impl ProducerContext for Counting {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        match result {
            Ok(message) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
                if let Some(told) = &self.told {
                    told(Delivery { number, partition: message.partition(), offset: message.offset() });
                }
            }
            Err((error, _)) => {
                if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(%error, "a record was not delivered to Kafka; further ones are only counted");
                    let mut first =
                        self.first_failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    *first = Some(error.to_string());
                }
            }
        }
    }
}
