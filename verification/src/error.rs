//! Why a verification cannot be made.

use std::num::TryFromIntError;
use streamflow_connectors::kafka::KafkaError;
use streamflow_connectors::postgres::PostgresError;
use thiserror::Error;

/// Why a verification cannot be made. Differences between tables are a result, not an error.
#[derive(Debug, Error)]
pub enum VerificationError {
    /// The server or the connection; the message says who can fix it.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// Kafka; the message says who can fix it.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// Maintenance has dropped events: gold can still be checked against silver.
    #[error(
        "bronze holds {held} of the {accepted} events accepted: too old ones were dropped, so that it cannot be verified against"
    )]
    Incomplete {
        /// Rows of bronze.
        held: i64,
        /// Accepted events according to the books, copies included.
        accepted: i64,
    },
    /// Maintenance has removed transactions: gold can still be checked against those that are left.
    #[error("old transactions were removed from silver, so that it cannot be verified against bronze")]
    Removed,
    /// A value that StreamFlow never writes; whoever wrote it can fix it.
    #[error("{table} holds what StreamFlow does not write: {problem}")]
    Unreadable {
        /// The table, or the topic's record.
        table: &'static str,
        /// The value, and what is wrong with it.
        problem: String,
    },
    /// An offset or a number that no table and no topic of StreamFlow has; whoever wrote it can fix it.
    #[error("a number is {0}")]
    Range(#[from] TryFromIntError),
    /// The oracle lacks a view that the tables have; a developer adds it.
    #[error("the oracle does not compute {0}")]
    MissingView(&'static str),
}

impl From<postgres::Error> for VerificationError {
    fn from(error: postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

/// An [`VerificationError::Unreadable`] of a cell.
pub(crate) fn unreadable(table: &'static str, problem: &dyn std::fmt::Display) -> VerificationError {
    VerificationError::Unreadable { table, problem: problem.to_string() }
}
