//! How far reading has come, for metrics: atomics that the reader writes and metrics read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use streamflow_model::PartitionId;

use super::assignment::Assignment;
use super::unreadable::Unreadable;
use crate::source::now_ms;

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
    start: u64,
    position: AtomicU64,
    end: AtomicU64,
    /// The offset of the last end that the client reported; records before it may still be in its queue.
    reported_end: AtomicU64,
    /// Ms since 1970.
    read_until: AtomicU64,
    /// It is ahead of others and waits for them.
    waits: AtomicBool,
    /// Since when its leader does not answer, ms since 1970; 0 where it does.
    away_since: AtomicU64,
    /// Set where it stands still.
    unreadable: OnceLock<Unreadable>,
}

impl SourceProgress {
    pub(super) fn new(assignments: &[Assignment]) -> Self {
        let partitions = assignments.iter().map(|assignment| PartitionProgress {
            topic: assignment.topic.clone(),
            partition: assignment.partition,
            start: assignment.start,
            position: AtomicU64::new(assignment.start),
            end: AtomicU64::new(UNKNOWN),
            reported_end: AtomicU64::new(0),
            read_until: AtomicU64::new(now_ms()),
            waits: AtomicBool::new(false),
            away_since: AtomicU64::new(0),
            unreadable: OnceLock::new(),
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

    /// The first offset to read.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The next offset to be delivered: everything below has been sent to the worker.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// One past the partition's last record as of at most some seconds ago (markers of transactions behind it
    /// do not count once it has been read to its end); `None` until the broker has reported it.
    pub fn end(&self) -> Option<u64> {
        Some(self.end.load(Ordering::Relaxed)).filter(|end| *end != UNKNOWN)
    }

    /// All records in the partition before this instant have been sent to the worker, ms since 1970: the time
    /// of the last record, or when the partition was last found to have been read to its end; as long as
    /// neither is known, when reading began.
    pub fn read_until(&self) -> u64 {
        self.read_until.load(Ordering::Relaxed)
    }

    /// Since when the broker that leads it cannot be reached or does not answer, ms since 1970, as of at most
    /// some seconds ago; `None` where it does, or while nothing is fetched.
    pub fn away_since(&self) -> Option<u64> {
        Some(self.away_since.load(Ordering::Relaxed)).filter(|since| *since != 0)
    }

    /// Whether its records are ahead of what is to be read, so that it waits for slower partitions.
    pub fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// Where it stands still, because its next records cannot be read; `None` where it does not.
    pub fn unreadable(&self) -> Option<Unreadable> {
        self.unreadable.get().copied()
    }

    pub(super) fn stand_still(&self, unreadable: Unreadable) {
        // The first stays: what stands still is not read any more.
        let _ = self.unreadable.set(unreadable);
    }

    pub(super) fn set_waits(&self, waits: bool) {
        self.waits.store(waits, Ordering::Relaxed);
    }

    /// Records not yet delivered (transaction markers count); `None` until the broker has reported the end.
    pub fn lag(&self) -> Option<u64> {
        Some(self.end()?.saturating_sub(self.position()))
    }

    pub(super) fn delivered_below(&self, offset: u64) {
        self.position.store(offset, Ordering::Relaxed);
    }

    /// `time` is in ms since 1970. Where producers set the times of records, these may lie in the future.
    pub(super) fn read_up_to(&self, time: u64) {
        self.read_until.store(time.min(now_ms()), Ordering::Relaxed);
    }

    pub(super) fn reported_end(&self) -> u64 {
        self.reported_end.load(Ordering::Relaxed)
    }

    pub(super) fn report_end(&self, offset: u64) {
        self.reported_end.store(offset, Ordering::Relaxed);
    }

    pub(super) fn saw_end(&self, offset: u64) {
        self.end.store(offset, Ordering::Relaxed);
    }

    /// `now` is in ms since 1970.
    pub(super) fn saw_leader(&self, answers: bool, now: u64) {
        let since = match self.away_since.load(Ordering::Relaxed) {
            _ if answers => 0,
            0 => now,
            since => since,
        };
        self.away_since.store(since, Ordering::Relaxed);
    }
}
