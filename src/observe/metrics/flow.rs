//! Flow control: what may be in flight, and for how long something to read was held back.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use crate::pipeline::WorkerReport;

const IN_FLIGHT: Metric = Metric::gauge(
    "streamflow_flow_in_flight_records",
    &["worker"],
    "Records given to the dataflow and not yet committed.",
);
const IN_FLIGHT_BYTES: Metric =
    Metric::gauge("streamflow_flow_in_flight_bytes", &["worker"], "Bytes of their keys and values.");
const WINDOW: Metric = Metric::gauge(
    "streamflow_flow_window_records",
    &["worker"],
    "Records that may be in flight: what becomes durable within pipeline.commit_target_ms at the rate just seen.",
);
const LIMIT: Metric = Metric::gauge(
    "streamflow_flow_limit_records",
    &[],
    "Records that may be in flight at most, at any rate: pipeline.uncommitted_records.",
);
const LIMIT_BYTES: Metric = Metric::gauge(
    "streamflow_flow_limit_bytes",
    &[],
    "Bytes in flight at which a worker stops reading: pipeline.uncommitted_mib.",
);
const PAUSED: Metric = Metric::counter(
    "streamflow_flow_paused_seconds_total",
    &["worker"],
    "Time that something to read was held back by these limits or that of memory since the start.",
);

pub const FAMILY: Family =
    Family { metrics: &[&IN_FLIGHT, &IN_FLIGHT_BYTES, &WINDOW, &LIMIT, &LIMIT_BYTES, &PAUSED], read };

fn read(observed: &Observed, samples: &mut Samples) {
    samples.count(&LIMIT, &[], observed.limits.uncommitted_records);
    samples.count(&LIMIT_BYTES, &[], observed.limits.uncommitted_bytes);
    for (worker, report) in observed.status.workers() {
        let WorkerReport { in_flight, in_flight_bytes, window, paused, .. } = report;
        let worker = worker.to_string();
        samples.count(&IN_FLIGHT, &[&worker], in_flight);
        samples.count(&IN_FLIGHT_BYTES, &[&worker], in_flight_bytes);
        samples.count(&WINDOW, &[&worker], window);
        samples.add(&PAUSED, &[&worker], paused.as_secs_f64());
    }
}
