//! How far reading has come, for metrics: plain atomics that the reader writes and anybody reads.

use std::sync::atomic::{AtomicU64, Ordering};

use streamflow_dataflow::model::PartitionId;

use super::source::Assignment;

const UNKNOWN: u64 = u64::MAX;

/// How far reading has come in the partitions of one source.
#[derive(Debug)]
pub struct SourceProgress {
    partitions: Vec<PartitionProgress>,
    interruptions: AtomicU64,
}

/// How far reading has come in one partition.
#[derive(Debug)]
pub struct PartitionProgress {
    topic: String,
    partition: PartitionId,
    position: AtomicU64,
    end: AtomicU64,
}

impl SourceProgress {
    pub(super) fn new(assignments: &[Assignment]) -> Self {
        let partitions = assignments.iter().map(|assignment| PartitionProgress {
            topic: assignment.topic.clone(),
            partition: assignment.partition,
            position: AtomicU64::new(assignment.start),
            end: AtomicU64::new(UNKNOWN),
        });
        Self { partitions: partitions.collect(), interruptions: AtomicU64::new(0) }
    }

    /// The source's partitions, as they were assigned.
    pub fn partitions(&self) -> &[PartitionProgress] {
        &self.partitions
    }

    /// How often the client lost a broker or a broker answered with a passing error.
    pub fn interruptions(&self) -> u64 {
        self.interruptions.load(Ordering::Relaxed)
    }

    pub(super) fn interrupted(&self) {
        self.interruptions.fetch_add(1, Ordering::Relaxed);
    }

    /// The partition of that topic with Kafka's number.
    pub(super) fn find(&self, topic: &str, number: i32) -> Option<&PartitionProgress> {
        self.partitions
            .iter()
            .find(|progress| i32::from(progress.partition.partition()) == number && progress.topic == topic)
    }
}

impl PartitionProgress {
    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// The next offset to be delivered: everything below has been sent to the worker.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// One past the partition's last record as of at most some seconds ago (its high watermark); `None` until the
    /// broker has told.
    pub fn end(&self) -> Option<u64> {
        Some(self.end.load(Ordering::Relaxed)).filter(|end| *end != UNKNOWN)
    }

    /// Records not yet delivered (transaction markers count); `None` until the broker has told the end.
    pub fn lag(&self) -> Option<u64> {
        Some(self.end()?.saturating_sub(self.position()))
    }

    pub(super) fn delivered_below(&self, offset: u64) {
        self.position.store(offset, Ordering::Relaxed);
    }

    pub(super) fn saw_end(&self, offset: u64) {
        self.end.store(offset, Ordering::Relaxed);
    }
}
