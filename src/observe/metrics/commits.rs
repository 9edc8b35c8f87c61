//! Commits to PostgreSQL.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use std::sync::atomic::Ordering;

const EPOCHS: Metric =
    Metric::counter("streamflow_epochs_total", &[], "Epochs with changes committed since the start.");
const DURATION: Metric = Metric::histogram(
    "streamflow_commit_duration_seconds",
    &[],
    "Time that a transaction takes from its first BEGIN, retries and reconnects included.",
);
const ROWS: Metric =
    Metric::counter("streamflow_commit_rows_total", &["table"], "Rows written since the start.");
const BYTES: Metric =
    Metric::counter("streamflow_commit_copied_bytes_total", &[], "Bytes sent by COPY since the start.");
const RETRIES: Metric = Metric::counter(
    "streamflow_commit_retries_total",
    &[],
    "Attempts to connect or to commit that failed and were repeated.",
);
const QUEUED: Metric =
    Metric::gauge("streamflow_commit_queued_rows", &[], "Rows submitted and not yet committed, about.");
const LAST: Metric = Metric::gauge(
    "streamflow_commit_timestamp_seconds",
    &[],
    "When the last commit was made, seconds since 1970.",
);
const UP: Metric =
    Metric::gauge("streamflow_postgres_up", &[], "Whether the committer has a connection, as far as known.");
const CONNECTS: Metric = Metric::counter(
    "streamflow_postgres_connects_total",
    &[],
    "Connections that the committer has made since the start.",
);

pub const FAMILY: Family =
    Family { metrics: &[&EPOCHS, &DURATION, &ROWS, &BYTES, &RETRIES, &QUEUED, &LAST, &UP, &CONNECTS], read };

fn read(observed: &Observed, samples: &mut Samples) {
    let status = &observed.status;
    let totals = status.totals();
    samples.count(&EPOCHS, &[], totals.epochs);
    samples.histogram(&DURATION, &[], &totals.commits);
    for (table, rows) in &totals.rows {
        samples.count(&ROWS, &[table], *rows);
    }
    samples.count(&BYTES, &[], totals.copied_bytes);
    let committed_at = status.committed_at.load(Ordering::Relaxed);
    if committed_at > 0 {
        samples.add(&LAST, &[], committed_at as f64 / 1000.0);
    }
    if let Some(statistics) = status.committer().map(|monitor| monitor.statistics()) {
        samples.count(&RETRIES, &[], statistics.retries);
        samples.count(&QUEUED, &[], statistics.queued_weight as u64);
        samples.flag(&UP, &[], statistics.connected);
        samples.count(&CONNECTS, &[], statistics.connects);
    }
}
