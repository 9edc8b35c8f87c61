//! Records that a partition has and that cannot be read: damaged on the broker's disk, or written by what is no
//! client of Kafka.

use std::fmt;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Where a partition stands still, and why. Nothing is skipped by itself: an operator repairs the records, or
/// decides to pass them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// All records before this offset have been delivered.
    pub offset: u64,
    /// What is wrong with the records from there on.
    pub damage: Damage,
    /// When it was found, ms since 1970.
    pub since: u64,
}

/// What is wrong with records. Shown as the end of a sentence about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Their checksum is not that of their bytes.
    Checksum,
    /// They cannot be decompressed.
    Compression,
    /// They are in a format of records that is not known.
    Format,
    /// Their checksum is right, but the bytes are no records.
    Content,
    /// They are larger than a client fetches.
    Size,
    /// The broker cannot read them itself.
    Storage,
}

impl Damage {
    /// What an error of the client says of records; `None` where it is of something else. It does not say of
    /// which partition.
    pub fn of(error: &KafkaError) -> Option<Self> {
        match error.rdkafka_error_code()? {
            Code::BadMessage => Some(Self::Checksum),
            Code::BadCompression | Code::UnsupportedCompressionType => Some(Self::Compression),
            Code::NotImplemented => Some(Self::Format),
            Code::MessageSizeTooLarge => Some(Self::Size),
            Code::InvalidMessage | Code::InvalidMessageSize => Some(Self::Storage),
            _ => None,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checksum => "their checksum is wrong",
            Self::Compression => "they cannot be decompressed",
            Self::Format => "their format is not known",
            Self::Content => "they cannot be decoded",
            Self::Size => "they are too large to be fetched",
            Self::Storage => "the broker finds them damaged",
        })
    }
}
