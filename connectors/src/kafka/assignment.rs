//! What a worker is to read.

use streamflow_model::PartitionId;

/// A partition to read and where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The topic's name.
    pub topic: String,
    /// The partition as the dataflow knows it; its `partition()` is Kafka's number.
    pub partition: PartitionId,
    /// The first offset to deliver.
    pub start: u64,
    /// How far past its first record it is read before it is told up to which time, ms; `None` if it never waits.
    pub ahead: Option<i64>,
}
