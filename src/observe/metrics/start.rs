//! The start of the process: restoring the state, and the first commit.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use streamflow_medallion::hydration::Row;

const ROWS: Metric =
    Metric::gauge("streamflow_hydration_rows", &["table"], "Rows restored from a table at the start.");
const SECONDS: Metric = Metric::gauge(
    "streamflow_hydration_seconds",
    &[],
    "Time since the lease was taken until all workers had restored their state; while they do, so far.",
);
const DONE: Metric =
    Metric::gauge("streamflow_hydration_done", &[], "Whether all workers have restored their state.");
const FIRST_COMMIT: Metric =
    Metric::gauge("streamflow_first_commit_seconds", &[], "Time from taking the lease to the first commit.");

pub const FAMILY: Family = Family { metrics: &[&ROWS, &SECONDS, &DONE, &FIRST_COMMIT], read };

fn read(observed: &Observed, samples: &mut Samples) {
    let start = observed.status.start().clone();
    for table in Row::tables() {
        samples.count(&ROWS, &[table], start.rows.get(table).copied().unwrap_or(0));
    }
    if let Some(taken) = start.hydration.or(start.begun().map(|begun| begun.elapsed())) {
        samples.add(&SECONDS, &[], taken.as_secs_f64());
    }
    samples.flag(&DONE, &[], start.hydration.is_some());
    if let Some(first_commit) = start.first_commit {
        samples.add(&FIRST_COMMIT, &[], first_commit.as_secs_f64());
    }
}
