//! The process: memory, processor, build, limits.

use super::samples::{Metric, Samples};
use super::{Family, Observed};
use crate::memory::{self, Memory};

const ALLOCATED: Metric = Metric::gauge(
    "streamflow_memory_allocated_bytes",
    &[],
    "Memory that the program has asked for and not given back.",
);
const ALLOCATOR: Metric = Metric::gauge(
    "streamflow_memory_allocator_resident_bytes",
    &[],
    "Resident memory that the allocator keeps, what it has not handed out included.",
);
const RESIDENT: Metric =
    Metric::gauge("streamflow_memory_resident_bytes", &[], "Resident memory of the process.");
const PEAK: Metric =
    Metric::gauge("streamflow_memory_peak_resident_bytes", &[], "The largest resident memory so far.");
const LIMIT: Metric = Metric::gauge(
    "streamflow_memory_limit_bytes",
    &[],
    "Resident memory above which reading pauses: pipeline.memory_limit_mib.",
);
const CPU: Metric = Metric::counter(
    "streamflow_process_cpu_seconds_total",
    &[],
    "Processor time that the process has used, user and system.",
);
const STARTED: Metric = Metric::gauge(
    "streamflow_process_start_time_seconds",
    &[],
    "When the process was started, seconds since 1970.",
);
const BUILD: Metric = Metric::gauge(
    "streamflow_build_info",
    &["version", "rustc", "profile"],
    "Always 1; the labels say what was built how.",
);
const WORKERS: Metric = Metric::gauge("streamflow_worker_threads", &[], "Worker threads of this process.");
const PROCESSES: Metric =
    Metric::gauge("streamflow_processes", &[], "Processes that work together, this one included.");
const FORMED: Metric = Metric::counter(
    "streamflow_processes_formed_anew_total",
    &[],
    "Times that this process has begun anew with the others since its start, because one of them came or went.",
);
const HORIZON: Metric = Metric::gauge(
    "streamflow_correction_horizon_seconds",
    &[],
    "How far behind its partition time an event is accepted.",
);
const RETENTION: Metric = Metric::gauge(
    "streamflow_identity_retention_seconds",
    &[],
    "How long ids are remembered beyond the horizon.",
);

pub const FAMILY: Family = Family {
    metrics: &[
        &ALLOCATED, &ALLOCATOR, &RESIDENT, &PEAK, &LIMIT, &CPU, &STARTED, &BUILD, &WORKERS, &PROCESSES,
        &FORMED, &HORIZON, &RETENTION,
    ],
    read,
};

fn read(observed: &Observed, samples: &mut Samples) {
    let Memory { allocated, allocator_resident, resident, peak_resident } = Memory::look();
    let sizes = [
        (&ALLOCATED, allocated),
        (&ALLOCATOR, allocator_resident),
        (&RESIDENT, resident),
        (&PEAK, peak_resident),
    ];
    for (metric, bytes) in sizes {
        if let Some(bytes) = bytes {
            samples.count(metric, &[], bytes);
        }
    }
    samples.count(&LIMIT, &[], observed.limits.memory);
    if let Some(used) = memory::processor_time() {
        samples.add(&CPU, &[], used.as_secs_f64());
    }
    let limits = &observed.limits;
    samples.add(&STARTED, &[], limits.started as f64 / 1000.0);
    let build = [env!("CARGO_PKG_VERSION"), env!("STREAMFLOW_RUSTC"), env!("STREAMFLOW_PROFILE")];
    samples.count(&BUILD, &build, 1);
    samples.count(&WORKERS, &[], limits.workers as u64);
    let is_together = observed.status.start().begun().is_some();
    if let Some(process) = observed.status.process().filter(|_| is_together) {
        samples.count(&PROCESSES, &[], process.count as u64);
    }
    samples.count(&FORMED, &[], observed.status.formed_anew());
    samples.add(&HORIZON, &[], limits.correction_horizon.as_secs_f64());
    samples.add(&RETENTION, &[], limits.identity_retention.as_secs_f64());
}
