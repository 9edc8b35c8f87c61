//! Events that cannot be accepted.

use super::Source;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Payload bytes that are kept; longer ones are dead letters and are cut.
pub const PAYLOAD_LIMIT: usize = 64 * 1024;

/// Why an event is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// Not one JSON object in UTF-8.
    MalformedJson,
    /// A required field is absent.
    MissingField,
    /// A field violates its limit.
    InvalidField,
    /// The payload is over 64 KiB.
    TooLarge,
    /// Event time more than 5 min past the record's own time.
    FutureTimestamp,
    /// Older than the horizon, or a correction of a version that is.
    TooLate,
    /// A known transaction id under another customer.
    ConflictingIdentity,
    /// Avro, Protobuf, or another format of a schema registry that is not JSON.
    UnsupportedFormat,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::MalformedJson,
        Self::MissingField,
        Self::InvalidField,
        Self::TooLarge,
        Self::FutureTimestamp,
        Self::TooLate,
        Self::ConflictingIdentity,
        Self::UnsupportedFormat,
    ];

    /// The name that users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::MissingField => "missing_field",
            Self::InvalidField => "invalid_field",
            Self::TooLarge => "too_large",
            Self::FutureTimestamp => "future_timestamp",
            Self::TooLate => "too_late",
            Self::ConflictingIdentity => "conflicting_identity",
            Self::UnsupportedFormat => "unsupported_format",
        }
    }
}

/// An event that is not accepted, with everything needed to understand and resubmit it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The position of its record.
    pub source: Source,
    /// The record's timestamp, microseconds since 1970; `None` in files.
    pub record_time: Option<i64>,
    /// Why it is not accepted.
    pub reason: Reason,
    /// Each violated field with its limit.
    pub message: String,
    /// The record's key; where it is longer than 64 KiB, its first 64 KiB and a byte.
    pub key: Option<Bytes>,
    /// The payload's first 64 KiB; `None` where the record had no value.
    pub payload: Option<Bytes>,
    /// The payload's length in bytes before any cut.
    pub full_length: u64,
}
