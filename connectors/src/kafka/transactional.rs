//! A transactional producer: what a transaction sends becomes visible to read_committed consumers as a whole
//! or never.
//!
//! ```text
//!  open ── fence ──> begin ── send* ── commit ──┐      any error: drop it, open and fence another, ask what was
//!                      ^                        │      committed last (see `latest_record`), resume there
//!                      └────────────────────────┘
//! ```
//!
//! There is no abort: fencing aborts what an older producer of the same id left open, and waits for what it
//! was committing. That makes one path of recovery for every error, a crash and an outcome that nobody knows.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Header as ClientHeader, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use thiserror::Error;

use super::client::Logging;
use super::error::KafkaError;
use super::settings::KafkaSettings;
use streamflow_failpoint as failpoint;

const SENDING: &str = "sending records";

/// How often it is looked whether the brokers have everything.
const FLUSH_CHECK: Duration = Duration::from_millis(1);

/// What goes wrong with a transaction.
#[derive(Debug, Error)]
pub enum TransactionError {
    /// The producer cannot be created; the user fixes it.
    #[error(transparent)]
    Producer(#[from] KafkaError),
    /// No answer in time, or the transaction failed; whether it took effect may be unknown. Usually
    /// temporary: open another producer, fence, see what was committed.
    #[error("Kafka failed {doing}: {cause}")]
    Interrupted {
        /// What was being done.
        doing: &'static str,
        /// The client's message.
        cause: String,
    },
    /// Another producer of the same transactional id has taken over, or the broker ended a transaction that
    /// was open for longer than its timeout. No retry by this producer.
    #[error("fenced by a newer producer of the same transactional id while {doing}: {cause}")]
    Fenced {
        /// What was being done.
        doing: &'static str,
        /// The client's message.
        cause: String,
    },
    /// A broker understood and refused: rights, sizes, topics. The operator fixes it; no retry.
    #[error("Kafka refused {doing}: {cause}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// The client's message.
        cause: String,
    },
}

impl TransactionError {
    /// Whether another producer may succeed without a change of settings.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Interrupted { .. } => true,
            Self::Producer(error) => error.is_retryable(),
            Self::Fenced { .. } | Self::Refused { .. } => false,
        }
    }
}

/// A record to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Decides the partition.
    pub key: Vec<u8>,
    /// `None` is a record without a value, which is not the same as an empty one.
    pub value: Option<Vec<u8>>,
    /// In this order.
    pub headers: Vec<Header>,
}

/// A header of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: &'static str,
    /// Its value: any bytes.
    pub value: Vec<u8>,
}

/// The only producer of a transactional id, from its `fence` until that of the next one.
pub struct TransactionalProducer {
    /// Served by its owner: the library's thread for that takes a hundredth of a processor while nothing happens.
    client: BaseProducer<Logging>,
}

impl TransactionalProducer {
    /// Creates the client without connecting. A transaction that is not committed within `timeout` of its
    /// first record is aborted by the broker: so long can a crashed producer hold up read_committed
    /// consumers.
    ///
    /// # Errors
    /// [`TransactionError::Producer`].
    pub fn open(
        settings: &KafkaSettings,
        transactional_id: &str,
        timeout: Duration,
    ) -> Result<Self, TransactionError> {
        let mut config = settings.producer_config()?;
        config
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", timeout.as_millis().to_string());
        Ok(Self { client: config.create_with_context(Logging::default()).map_err(KafkaError::Client)? })
    }

    /// Takes the transactional id over: older producers can no longer commit, and what they left open is
    /// aborted. Before anything else, once.
    ///
    /// # Errors
    /// [`TransactionError::Interrupted`] also where it takes longer than `within`.
    pub fn fence(&self, within: Duration) -> Result<(), TransactionError> {
        self.client.init_transactions(within).map_err(|cause| self.classify("taking over", &cause))
    }

    /// Begins a transaction. The broker learns of it with the first record.
    ///
    /// # Errors
    /// As [`TransactionalProducer::commit`].
    pub fn begin(&self) -> Result<(), TransactionError> {
        failpoint::wait_while_stalled(failpoint::BEFORE_PUBLISHING);
        self.client.begin_transaction().map_err(|cause| self.classify("beginning a transaction", &cause))
    }

    /// Queues a record of the transaction; failures after that show in `flush` or `commit`. Where the buffer
    /// is full it waits, at most for `within`.
    ///
    /// # Errors
    /// As [`TransactionalProducer::commit`].
    pub fn send(&self, topic: &str, message: &Message, within: Duration) -> Result<(), TransactionError> {
        match self.client.send(record(topic, message)) {
            Ok(()) => Ok(()),
            Err((ClientError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                self.flush(within)?;
                self.client.send(unsent).map_err(|(cause, _)| self.classify(SENDING, &cause))
            }
            Err((cause, _)) => Err(self.classify(SENDING, &cause)),
        }
    }

    /// Waits until the brokers have the records that were sent. Nobody sees them yet.
    ///
    /// # Errors
    /// As [`TransactionalProducer::commit`].
    pub fn flush(&self, within: Duration) -> Result<(), TransactionError> {
        // The client's own flush returns after 100 ms at the earliest while anything is under way.
        let begun = Instant::now();
        self.serve();
        while self.client.in_flight_count() > 0 {
            if begun.elapsed() >= within {
                let cause = ClientError::Flush(RDKafkaErrorCode::OperationTimedOut);
                return Err(self.classify(SENDING, &cause));
            }
            std::thread::sleep(FLUSH_CHECK);
            self.serve();
        }
        Ok(())
    }

    /// Takes what the client has to report, which it would gather without end. To be called now and then while
    /// nothing is sent.
    pub fn serve(&self) {
        self.client.poll(Duration::ZERO);
    }

    /// Makes the records of the transaction visible, all at once.
    ///
    /// # Errors
    /// [`TransactionError::Fenced`] and [`TransactionError::Refused`]: they are not and never will be
    /// visible. [`TransactionError::Interrupted`]: they may be or become so, until the next producer has
    /// fenced this one.
    pub fn commit(&self, within: Duration) -> Result<(), TransactionError> {
        failpoint::pass(failpoint::BEFORE_KAFKA_COMMIT);
        failpoint::enter(failpoint::DURING_KAFKA_COMMIT);
        self.client.commit_transaction(within).map_err(|cause| self.classify("committing", &cause))?;
        failpoint::pass(failpoint::AFTER_KAFKA_COMMIT);
        Ok(())
    }

    /// What an error means. A fatal one hides behind those of the calls that come after it.
    fn classify(&self, doing: &'static str, cause: &ClientError) -> TransactionError {
        use RDKafkaErrorCode as Code;
        let fatal = self.client.client().fatal_error();
        let code = fatal.as_ref().map(|(code, _)| *code).or_else(|| cause.rdkafka_error_code());
        let cause = fatal.map_or_else(|| cause.to_string(), |(_, reason)| reason);
        match code {
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch) => {
                TransactionError::Fenced { doing, cause }
            }
            Some(
                Code::TransactionalIdAuthorizationFailed
                | Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::MessageSizeTooLarge
                | Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::InvalidTransactionTimeout,
            ) => TransactionError::Refused { doing, cause },
            _ => TransactionError::Interrupted { doing, cause },
        }
    }
}

fn record<'a>(topic: &'a str, message: &'a Message) -> BaseRecord<'a, [u8], [u8]> {
    let Message { key, value, headers } = message;
    let mut record = BaseRecord::to(topic).key(key.as_slice());
    record.payload = value.as_deref();
    if headers.is_empty() {
        return record;
    }
    let none = OwnedHeaders::new_with_capacity(headers.len());
    record.headers(
        headers.iter().fold(none, |all, Header { name, value }| {
            all.insert(ClientHeader { key: name, value: Some(value) })
        }),
    )
}

impl ProducerContext for Logging {
    type DeliveryOpaque = ();

    /// An undelivered record makes its transaction fail, which reports it.
    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}
