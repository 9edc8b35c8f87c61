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
    /// Whether it waits where it is ahead of what is to be read.
    pub aligned: bool,
}
