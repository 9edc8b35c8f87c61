//! What a `run` process tells of itself over HTTP: metrics, health, readiness, and a page for people.
//!
//! ```text
//!  workers, committer, publisher ──> pipeline::Status ──> metrics: a registry of families, read when asked
//!                                          ├────────────> health: is it alive, does it keep up
//!                                          └────────────> page: all at one glance
//!                                                            server: GET /metrics, /healthz, /readyz, /, /status.json
//! ```
//!
//! Nothing here is on the way of an event: the parts of the pipeline write into the status what they count anyway, a few times a
//! second, and a request reads it.

mod books;
mod health;
mod metrics;
mod page;
mod partitions;
mod server;
mod stages;

pub use server::Server;

use crate::config::Config;
use crate::pipeline::{Status, Stop};
use std::sync::Arc;
use std::time::Duration;
use streamflow_connectors::source::now_ms;
use streamflow_dataflow::reference::Role;

/// The pipeline that is observed.
#[derive(Clone)]
pub struct Observed {
    /// How it goes.
    pub status: Arc<Status>,
    /// Whether it ends, and why.
    pub stop: Arc<Stop>,
    /// What it may do at most.
    pub limits: Limits,
}

/// What the process is made for, as far as it is told.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Worker threads.
    pub workers: usize,
    /// Records not yet committed at which a worker stops reading.
    pub uncommitted_records: u64,
    /// Bytes of them at which it stops as well.
    pub uncommitted_bytes: u64,
    /// Resident memory above which no worker reads, bytes.
    pub memory: u64,
    /// How often an idle worker steps.
    pub heartbeat: Duration,
    /// How far behind the reference time events are accepted.
    pub correction_horizon: Duration,
    /// How long ids are remembered beyond the horizon.
    pub identity_retention: Duration,
    /// The largest age of the last commit of a process that is ready.
    pub ready_within: Duration,
    /// The topics that are read, by their number.
    pub topics: Vec<(String, Role)>,
    /// The topics that are written.
    pub published: PublishedTopics,
    /// When the process was started, ms since 1970.
    pub started: u64,
}

/// Names of the topics that the publisher writes.
#[derive(Clone, Debug)]
pub struct PublishedTopics {
    /// Alert changes.
    pub alerts: String,
    /// Dead letters.
    pub dead_letters: String,
    /// One-minute windows.
    pub windows: String,
}

impl Observed {
    /// The pipeline that runs with `config`.
    pub fn new(config: &Config, status: &Arc<Status>, stop: &Arc<Stop>) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let limits = Limits {
            workers: config.workers,
            uncommitted_records: config.pipeline.uncommitted_records,
            uncommitted_bytes: config.pipeline.uncommitted_mib << 20,
            memory: config.pipeline.memory_limit_mib << 20,
            heartbeat: Duration::from_millis(config.pipeline.heartbeat_ms),
            correction_horizon: seconds(config.correction_horizon_seconds),
            identity_retention: seconds(config.identity_retention_seconds),
            ready_within: seconds(config.metrics.ready_within_seconds),
            topics: config.topics.roles(),
            published: PublishedTopics {
                alerts: config.topics.alerts.clone(),
                dead_letters: config.topics.dead_letters.clone(),
                windows: config.topics.metrics.clone(),
            },
            started: now_ms(),
        };
        Self { status: Arc::clone(status), stop: Arc::clone(stop), limits }
    }
}
