//! End-to-end latency.

use super::samples::{Metric, Samples};
use super::{Family, Observed};

const COMMIT: Metric = Metric::histogram(
    "streamflow_event_to_commit_seconds",
    &[],
    "Time from the timestamp of a Kafka record until its effects are committed in PostgreSQL.",
);
const ALERT: Metric = Metric::histogram(
    "streamflow_event_to_alert_seconds",
    &[],
    "Time from the timestamp of a Kafka record until Kafka has acknowledged the alert that it raised.",
);

pub const FAMILY: Family = Family { metrics: &[&COMMIT, &ALERT], read };

fn read(observed: &Observed, samples: &mut Samples) {
    let committed = observed.status.latencies().buckets().clone();
    samples.histogram(&COMMIT, &[], &committed);
    samples.histogram(&ALERT, &[], &observed.status.publisher.activity().latencies);
}
