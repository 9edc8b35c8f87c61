//! Reading from Kafka: lag of each partition, measured against the committed offsets.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use crate::observe::partitions;
use std::sync::atomic::Ordering;

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
const WAITING: Metric = Metric::gauge(
    "streamflow_kafka_waiting",
    &["topic", "partition"],
    "Whether a partition is ahead of the slowest one by pipeline.alignment_seconds and waits for it.",
);
const UNREADABLE: Metric = Metric::gauge(
    "streamflow_kafka_unreadable",
    &["topic", "partition"],
    "Whether a partition stands still because its next records cannot be read.",
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
    metrics: &[
        &LAG_RECORDS,
        &LAG_SECONDS,
        &COMMITTED,
        &END,
        &UP,
        &WAITING,
        &UNREADABLE,
        &INTERRUPTIONS,
        &RECORDS,
        &BYTES,
    ],
    read,
};

fn read(observed: &Observed, samples: &mut Samples) {
    let status = &observed.status;
    let sources = status.sources();
    for partition in partitions::look(observed) {
        let number = partition.partition.to_string();
        let labels = [partition.topic.as_str(), &number];
        samples.count(&COMMITTED, &labels, partition.committed_offset);
        samples.count(&END, &labels, partition.end_offset);
        samples.count(&LAG_RECORDS, &labels, partition.lag_records);
        samples.add(&LAG_SECONDS, &labels, partition.lag_seconds);
        samples.flag(&UP, &labels, partition.away_since.is_none());
        samples.flag(&WAITING, &labels, partition.waits);
        samples.flag(&UNREADABLE, &labels, partition.unreadable.is_some());
    }
    samples.count(&INTERRUPTIONS, &[], sources.iter().map(|source| source.interruptions()).sum());
    samples.count(&RECORDS, &[], status.records_read.load(Ordering::Relaxed));
    samples.count(&BYTES, &[], status.bytes_read.load(Ordering::Relaxed));
}
