//! Status of the workers, each of which reports a few times a second.

use std::time::{Duration, Instant};
use streamflow_model::PartitionId;

/// The latest report of one worker.
#[derive(Clone, Debug)]
pub struct WorkerReport {
    /// The time of the report. A worker that makes no other one does not step.
    pub made: Instant,
    /// Frontiers of the stages.
    pub frontiers: Frontiers,
    /// Records given to the graph and not yet committed.
    pub in_flight: u64,
    /// Bytes of their keys and values.
    pub in_flight_bytes: u64,
    /// How many records may be in flight at the rate just seen.
    pub window: u64,
    /// How long something to read has been held back so far, because as much as may be was in flight, or because
    /// memory was at its limit.
    pub paused: Duration,
    /// The time of the oldest of them by partition, microseconds since 1970.
    pub oldest: Vec<(PartitionId, i64)>,
    /// What its operators do and hold.
    pub operators: Vec<OperatorReport>,
}

/// Frontiers of the stages before the committer, ms since 1970; `None` of a stage that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frontiers {
    /// What this worker has given to the graph.
    pub source: Option<u64>,
    /// What all workers have admitted.
    pub admitted: Option<u64>,
    /// What all workers have scored.
    pub history: Option<u64>,
}

/// All operators of one name on one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorReport {
    /// Their name.
    pub name: String,
    /// How often they were scheduled.
    pub invocations: u64,
    /// How long they ran in all.
    pub busy: Duration,
    /// Records that came to their first inputs.
    pub received: u64,
    /// What they hold, for operators that report it.
    pub held: Option<Held>,
}

/// What operators hold between epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Entries: ids, transactions or keys.
    pub records: u64,
    /// Their memory, about.
    pub bytes: u64,
}
