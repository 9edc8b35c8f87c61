//! The frontier of each stage.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use crate::observe::stages::{self, Stage};

const FRONTIER: Metric = Metric::gauge(
    "streamflow_frontier_timestamp_seconds",
    &["stage"],
    "Frontier of a stage in seconds since 1970: all that came before it is done.",
);
const LAG: Metric = Metric::gauge(
    "streamflow_frontier_lag_seconds",
    &["stage"],
    "How far the frontier of a stage is behind the clock.",
);

pub const FAMILY: Family = Family { metrics: &[&FRONTIER, &LAG], read };

fn read(observed: &Observed, samples: &mut Samples) {
    for Stage { name, frontier, lag, .. } in stages::look(observed) {
        if let (Some(frontier), Some(lag)) = (frontier, lag) {
            samples.add(&FRONTIER, &[name], frontier as f64 / 1000.0);
            samples.add(&LAG, &[name], lag.as_millis() as f64 / 1000.0);
        }
    }
}
