//! Why publishing stops or waits, and who can correct it.

use streamflow_connectors::kafka::{KafkaError, TransactionError};
use streamflow_connectors::postgres::PostgresError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum PublisherError {
    /// An error of PostgreSQL, which says itself who can fix it.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// An error of Kafka outside of transactions.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// An error of a Kafka transaction.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A newer process holds the lease, so this one must end.
    #[error("fenced by a newer worker: the lease of generation {held} was taken over by {current}")]
    LeaseTaken {
        held: i64,
        /// The generation of the newer process.
        current: i64,
    },
    /// The database is another one than the published one, or an older state of it. The user has to decide.
    #[error(
        "Kafka already has {what} {published}, the database only {committed}: an older state was restored, or a new \
         database publishes under the name of another; see `publisher.transactional_id`"
    )]
    Ahead {
        what: &'static str,
        /// The last number in Kafka.
        published: i64,
        /// The last number in the database.
        committed: i64,
    },
    /// The progress record cannot be decoded: another program or a newer version wrote it. The user has to
    /// decide.
    #[error("the publisher's progress record in Kafka: {0}")]
    Record(#[from] serde_json::Error),
}

impl PublisherError {
    /// Whether the attempt can succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Postgres(error) => error.is_retryable(),
            Self::Kafka(error) => error.is_retryable(),
            Self::Transaction(error) => error.is_retryable(),
            Self::LeaseTaken { .. } | Self::Ahead { .. } | Self::Record(_) => false,
        }
    }
}
