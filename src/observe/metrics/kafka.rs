//! Reading from Kafka: what is still to come, measured against what is committed.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use streamflow_connectors::kafka::PartitionProgress;
use streamflow_connectors::source::now_ms;
use streamflow_dataflow::model::PartitionId;

const LAG_RECORDS: Metric = Metric::gauge(
    "streamflow_kafka_lag_records",
    &["topic", "partition"],
    "Records of a partition that are not committed in PostgreSQL.",
);
const LAG_SECONDS: Metric = Metric::gauge(
    "streamflow_kafka_lag_seconds",
    &["topic", "partition"],
    "Age of the oldest record of a partition that is not committed in PostgreSQL; 0 without one.",
);
const COMMITTED: Metric = Metric::gauge(
    "streamflow_kafka_committed_offset",
    &["topic", "partition"],
    "Offset from which reading would go on after a restart.",
);
const END: Metric = Metric::gauge(
    "streamflow_kafka_end_offset",
    &["topic", "partition"],
    "End of a partition as far as known: one past its last record.",
);
const UP: Metric = Metric::gauge(
    "streamflow_kafka_up",
    &["topic", "partition"],
    "Whether the broker that leads a partition answers.",
);
const INTERRUPTIONS: Metric = Metric::counter(
    "streamflow_kafka_interruptions_total",
    &[],
    "Times that a client lost a broker, or a broker answered with a passing error.",
);
const RECORDS: Metric = Metric::counter(
    "streamflow_kafka_read_records_total",
    &[],
    "Records given to the dataflow since the start.",
);
const BYTES: Metric = Metric::counter("streamflow_kafka_read_bytes_total", &[], "Bytes of their values.");

pub const FAMILY: Family = Family {
    metrics: &[&LAG_RECORDS, &LAG_SECONDS, &COMMITTED, &END, &UP, &INTERRUPTIONS, &RECORDS, &BYTES],
    read,
};

fn read(observed: &Observed, samples: &mut Samples) {
    let status = &observed.status;
    let sources = status.sources();
    let lags = Lags::new(observed);
    for progress in sources.iter().flat_map(|source| source.partitions()) {
        let number = progress.partition().partition().to_string();
        let labels = [progress.topic(), &number];
        let committed = lags.committed(progress);
        let end = progress.end().unwrap_or(0).max(progress.position()).max(committed);
        samples.count(&COMMITTED, &labels, committed);
        samples.count(&END, &labels, end);
        samples.count(&LAG_RECORDS, &labels, end - committed);
        samples.add(
            &LAG_SECONDS,
            &labels,
            if end > committed { lags.seconds(progress.partition()) } else { 0.0 },
        );
        samples.flag(&UP, &labels, progress.away_since().is_none());
    }
    samples.count(&INTERRUPTIONS, &[], sources.iter().map(|source| source.interruptions()).sum());
    samples.count(&RECORDS, &[], status.records_read.load(Ordering::Relaxed));
    samples.count(&BYTES, &[], status.bytes_read.load(Ordering::Relaxed));
}

/// What is known of records that are not committed.
struct Lags {
    committed: BTreeMap<PartitionId, streamflow_dataflow::model::views::PartitionProgress>,
    /// Times of the oldest records in flight, microseconds since 1970.
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

    /// Age of the oldest record that is not committed: of one not yet read it is at most that of the last committed one.
    fn seconds(&self, partition: PartitionId) -> f64 {
        let last_committed = self.committed.get(&partition).and_then(|committed| committed.reference_time);
        let time = self.oldest.get(&partition).copied().or(last_committed).unwrap_or(self.now);
        (self.now - time).max(0) as f64 / 1e6
    }
}
