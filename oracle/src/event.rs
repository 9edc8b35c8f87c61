//! The oracle's input: records as they are in their topics.

use crate::RuleSet;

/// What a topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicRole {
    /// Transaction events.
    Transactions,
    /// Upserts of customers.
    Customers,
    /// Upserts of stores.
    Stores,
    /// Upserts of products.
    Products,
    /// Upserts of list entries.
    Blacklist,
}

/// The position of a record, ordered by (topic, partition, offset).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coordinates {
    /// The topic's index in the configuration.
    pub topic: u16,
    /// The partition of the topic.
    pub partition: u16,
    /// The offset within the partition.
    pub offset: u64,
}

/// One record of one topic, with the epoch in which it is processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEvent {
    /// Before which event time everything was final for it, where that is known and is not to be found out;
    /// microseconds since 1970.
    pub final_before: Option<i64>,
    /// The topic's index in the configuration.
    pub topic: u16,
    /// The partition of the topic.
    pub partition: u16,
    /// The offset within the partition.
    pub offset: u64,
    /// The epoch; never decreasing within a partition.
    pub epoch: u64,
    /// The record's timestamp, microseconds since 1970; `None` in files.
    pub appended_at: Option<i64>,
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The whole value; `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
}

impl RawEvent {
    /// Its position.
    pub fn coordinates(&self) -> Coordinates {
        Coordinates { topic: self.topic, partition: self.partition, offset: self.offset }
    }
}

/// A change of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesVersion {
    /// The shadow set of which this is a version; `None` for the live one.
    pub shadow: Option<String>,
    /// The epoch in which it was made.
    pub epoch: u64,
    /// The first event time to which it applies, microseconds since 1970.
    pub applies_from: i64,
    /// The new rules.
    pub rules: RuleSet,
}

/// The time of a partition that had been read to its end. It counts for the records of later epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The topic's index in the configuration.
    pub topic: u16,
    /// The partition of the topic.
    pub partition: u16,
    /// The epoch in which it was given.
    pub epoch: u64,
    /// Microseconds since 1970.
    pub time: i64,
    /// The partition's end, if it is known.
    pub end: Option<u64>,
}
