//! Activity and state of the dataflow's operators, added up by name.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use crate::pipeline::OperatorReport;

const INVOCATIONS: Metric = Metric::counter(
    "streamflow_operator_invocations_total",
    &["worker", "operator"],
    "Times that the operators of this name were scheduled.",
);
const BUSY: Metric = Metric::counter(
    "streamflow_operator_busy_seconds_total",
    &["worker", "operator"],
    "Time that the operators of this name ran.",
);
const RECORDS: Metric = Metric::gauge(
    "streamflow_operator_held_records",
    &["worker", "operator"],
    "Entries that stateful operators hold between epochs.",
);
const BYTES: Metric = Metric::gauge(
    "streamflow_operator_held_bytes",
    &["worker", "operator"],
    "Memory of these entries and their indexes, about.",
);

pub const FAMILY: Family = Family { metrics: &[&INVOCATIONS, &BUSY, &RECORDS, &BYTES], read };

fn read(observed: &Observed, samples: &mut Samples) {
    for (worker, report) in observed.status.workers() {
        let worker = worker.to_string();
        for OperatorReport { name, invocations, busy, held, .. } in &report.operators {
            let labels = [worker.as_str(), name];
            samples.count(&INVOCATIONS, &labels, *invocations);
            samples.add(&BUSY, &labels, busy.as_secs_f64());
            if let Some(held) = held {
                samples.count(&RECORDS, &labels, held.records);
                samples.count(&BYTES, &labels, held.bytes);
            }
        }
    }
}
