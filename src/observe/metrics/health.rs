//! Health, as on `/healthz` and `/readyz`.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use crate::observe::health;

const HEALTHY: Metric =
    Metric::gauge("streamflow_healthy", &[], "Whether nothing has failed: what /healthz says.");
const READY: Metric =
    Metric::gauge("streamflow_ready", &[], "Whether the tables are fresh: what /readyz says.");

pub const FAMILY: Family = Family { metrics: &[&HEALTHY, &READY], read };

fn read(observed: &Observed, samples: &mut Samples) {
    samples.flag(&HEALTHY, &[], health::alive(observed).is_ok());
    samples.flag(&READY, &[], health::ready(observed).is_ok());
}
