//! How far each stage is.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use crate::pipeline::Frontiers;
use std::sync::atomic::Ordering;
use streamflow_connectors::source::now_ms;

const FRONTIER: Metric = Metric::gauge(
    "streamflow_frontier_timestamp_seconds",
    &["stage"],
    "Frontier of a stage in seconds since 1970: all that was read before it is done.",
);
const LAG: Metric = Metric::gauge(
    "streamflow_frontier_lag_seconds",
    &["stage"],
    "How far the frontier of a stage is behind the clock.",
);

pub const FAMILY: Family = Family { metrics: &[&FRONTIER, &LAG], read };

fn read(observed: &Observed, samples: &mut Samples) {
    let status = &observed.status;
    let reports = status.workers();
    let slowest = |stage: fn(&Frontiers) -> Option<u64>| {
        reports.values().filter_map(|report| stage(&report.frontiers)).min()
    };
    let known = |frontier: u64| Some(frontier).filter(|frontier| *frontier > 0);
    let stages = [
        ("source", slowest(|frontiers| frontiers.source)),
        ("admitted", slowest(|frontiers| frontiers.admitted)),
        ("history", slowest(|frontiers| frontiers.history)),
        ("aggregates", known(status.complete.load(Ordering::Relaxed))),
        ("committed", known(status.durable.load(Ordering::Relaxed))),
        ("published", known(status.publisher.activity().frontier)),
    ];
    // Read last, so that it is behind no frontier.
    let now = now_ms();
    for (stage, frontier) in stages {
        let Some(frontier) = frontier else { continue };
        samples.add(&FRONTIER, &[stage], seconds(frontier));
        samples.add(&LAG, &[stage], seconds(now.saturating_sub(frontier)));
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
