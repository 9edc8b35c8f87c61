//! Records as sources deliver them, not decoded yet.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A partition of a configured topic: the topic's index in the configuration (below 16) and Kafka's partition
/// number (below 4,096), in one word, ordered by (topic, partition).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId(u16);

impl PartitionId {
    /// Topics that one deployment can read.
    pub const TOPICS: u16 = 1 << 4;
    /// Partitions that one topic can have.
    pub const PARTITIONS: u16 = 1 << 12;

    /// Partition 0 of the first topic.
    pub const FIRST: Self = Self(0);

    /// `None` where the topic or the partition is out of range.
    pub fn new(topic: u16, partition: u16) -> Option<Self> {
        (topic < Self::TOPICS && partition < Self::PARTITIONS)
            .then(|| Self(topic * Self::PARTITIONS + partition))
    }

    /// The topic's index in the configuration.
    pub fn topic(self) -> u16 {
        self.0 / Self::PARTITIONS
    }

    /// Kafka's partition number.
    pub fn partition(self) -> u16 {
        self.0 % Self::PARTITIONS
    }
}

/// The position of a record: partition and offset in one word, ordered by (topic, partition, offset).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source(u64);

impl Source {
    /// Offsets that one partition can hold (2.8e14).
    pub const OFFSETS: u64 = 1 << 48;

    /// The position `offset` in `partition`; offsets at or beyond [`Source::OFFSETS`] count as the last one.
    pub fn new(partition: PartitionId, offset: u64) -> Self {
        Self((u64::from(partition.0) << 48) | offset.min(Self::OFFSETS - 1))
    }

    /// The partition.
    pub fn partition(self) -> PartitionId {
        PartitionId((self.0 >> 48) as u16)
    }

    /// The offset within the partition.
    pub fn offset(self) -> u64 {
        self.0 % Self::OFFSETS
    }
}

/// One record as a source delivers it. A partition's records come in the order of their offsets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Record {
    /// Its position.
    pub source: Source,
    /// The broker's timestamp, microseconds since 1970; `None` in files, where the event time is used
    /// instead.
    pub appended_at: Option<i64>,
    /// The record's key; the source may cut it, above 64 KiB.
    pub key: Option<Bytes>,
    /// The value; the source may cut it, never below 64 KiB. `None` is a tombstone.
    pub payload: Option<Bytes>,
    /// The value's length before any cut, in bytes.
    pub full_length: u64,
}
