//! Admitted events.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use streamflow_model::{DeadLetter, Reason, Received, Transaction};

/// An event that is neither refused nor too late; whether it is a duplicate is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AdmittedEvent {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// The record's timestamp, microseconds since 1970; `None` in files.
    pub record_time: Option<i64>,
    /// The partition time at this event, microseconds since 1970.
    pub partition_time: i64,
    /// The schema version that the payload states.
    pub schema_version: u32,
    /// The record's key.
    pub key: Option<Bytes>,
    /// The JSON as received.
    pub payload: Bytes,
}

impl AdmittedEvent {
    /// Transactions before this event time are final for its partition, microseconds since 1970.
    pub fn final_before(&self, horizon: i64) -> i64 {
        self.partition_time.saturating_sub(horizon)
    }

    /// The event as a dead letter.
    pub fn dead_letter(self, reason: Reason, message: String) -> DeadLetter {
        DeadLetter {
            source: self.transaction.source,
            record_time: self.record_time,
            reason,
            message,
            key: self.key,
            full_length: self.payload.len() as u64,
            payload: Some(self.payload),
        }
    }

    /// The event as a row of bronze, and its transaction.
    pub fn received(self) -> (Received, Arc<Transaction>) {
        let received = Received {
            source: self.transaction.source,
            record_time: self.record_time,
            final_before: None,
            event_time: self.transaction.event_time,
            schema_version: self.schema_version,
            payload: self.payload,
        };
        (received, self.transaction)
    }
}
