//! Lag of the partitions that this process reads, measured against the committed offsets.

use super::Observed;
use serde::Serialize;
use std::collections::BTreeMap;
use streamflow_connectors::kafka::PartitionProgress;
use streamflow_connectors::source::now_ms;
use streamflow_dataflow::changes::PartitionPosition;
use streamflow_model::PartitionId;

/// Offsets and lag of one partition.
#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    pub topic: String,
    pub partition: u16,
    /// The next offset to be given to the dataflow.
    pub position: u64,
    /// The committed offset, from which a restart would read.
    pub committed_offset: u64,
    /// One past the last record, at most a few seconds old.
    pub end_offset: u64,
    /// The number of records that are not committed.
    pub lag_records: u64,
    /// Age in seconds of the oldest record that is not committed; 0 without one.
    pub lag_seconds: f64,
    /// Since when the broker that leads the partition does not answer, ms since 1970.
    pub away_since: Option<u64>,
    /// It is ahead of the slowest partition and waits for it.
    pub waits: bool,
    /// It stands still, because its next records cannot be read.
    pub unreadable: Option<Unreadable>,
}

/// Where records cannot be read.
#[derive(Clone, Debug, Serialize)]
pub struct Unreadable {
    pub offset: u64,
    pub reason: String,
    /// Ms since 1970.
    pub since: u64,
}

/// The partitions, by topic in the order of the configuration, then by number.
pub fn look(observed: &Observed) -> Vec<Partition> {
    let sources = observed.status.sources();
    let lags = Lags::new(observed);
    let partition = |progress: &PartitionProgress| {
        let committed = lags.committed(progress);
        let end = progress.end().unwrap_or(0).max(progress.position()).max(committed);
        let lag_seconds = if end > committed { lags.seconds(progress.partition()) } else { 0.0 };
        Partition {
            topic: progress.topic().to_owned(),
            partition: progress.partition().partition(),
            position: progress.position(),
            committed_offset: committed,
            end_offset: end,
            lag_records: end - committed,
            lag_seconds,
            away_since: progress.away_since(),
            waits: progress.waits(),
            unreadable: progress.unreadable().map(|unreadable| Unreadable {
                offset: unreadable.offset,
                reason: unreadable.damage.to_string(),
                since: unreadable.since,
            }),
        }
    };
    let mut progress: Vec<_> = sources.iter().flat_map(|source| source.partitions()).collect();
    progress.sort_by_key(|progress| progress.partition());
    progress.into_iter().map(partition).collect()
}

/// What the status knows about uncommitted records.
struct Lags {
    committed: BTreeMap<PartitionId, PartitionPosition>,
    /// Times of the oldest records in flight by partition, microseconds since 1970.
    oldest: BTreeMap<PartitionId, i64>,
    /// Microseconds since 1970.
    now: i64,
}

impl Lags {
    fn new(observed: &Observed) -> Self {
        let reports = observed.status.workers();
        Self {
            committed: observed.status.totals().partitions,
            oldest: reports.into_values().flat_map(|report| report.oldest).collect(),
            now: i64::try_from(now_ms()).unwrap_or(i64::MAX).saturating_mul(1000),
        }
    }

    fn committed(&self, progress: &PartitionProgress) -> u64 {
        let committed = self.committed.get(&progress.partition());
        committed.map_or(progress.start(), |committed| committed.next_offset)
    }

    /// Age of the oldest uncommitted record. If it is not read yet, the age of the last committed record is
    /// the upper bound.
    fn seconds(&self, partition: PartitionId) -> f64 {
        let last_committed = self.committed.get(&partition).and_then(|committed| committed.partition_time);
        let time = self.oldest.get(&partition).copied().or(last_committed).unwrap_or(self.now);
        (self.now - time).max(0) as f64 / 1e6
    }
}
