//! Why publishing stops or waits, and who can mend it.

use streamflow_connectors::kafka::{KafkaError, TransactionError};
use streamflow_connectors::postgres::PostgresError;
use thiserror::Error;

/// An error of the publisher.
#[derive(Debug, Error)]
pub enum PublisherError {
    /// PostgreSQL's; says itself who mends it.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// Kafka's; says itself who mends it.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// That of a transaction; says itself who mends it.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A newer process publishes. Nothing to mend; this one must end.
    #[error("fenced by a newer worker: the lease of generation {held} was taken over by {current}")]
    LeaseTaken {
        /// The generation of this process.
        held: i64,
        /// That of the newer one.
        current: i64,
    },
    /// The database is another one than that which was published, or older. The user mends it.
    #[error(
        "Kafka already has {what} {published}, the database only {committed}: an older state was restored, or a new \
         database publishes under the name of another; see `publisher.transactional_id`"
    )]
    Ahead {
        /// What is counted.
        what: &'static str,
        /// Its last number in Kafka.
        published: i64,
        /// Its last number in the database.
        committed: i64,
    },
    /// The progress record cannot be understood. The user mends it: another program or a newer version wrote it.
    #[error("the publisher's progress record in Kafka: {0}")]
    Record(String),
}

impl PublisherError {
    /// Whether waiting helps.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Postgres(error) => error.is_retryable(),
            Self::Kafka(error) => error.is_retryable(),
            Self::Transaction(error) => error.is_retryable(),
            Self::LeaseTaken { .. } | Self::Ahead { .. } | Self::Record(_) => false,
        }
    }
}
