//! What a `run` process shows over HTTP: metrics, health, readiness, and a status page.
//!
//! ```text
//!  workers, committer, publisher ──> pipeline::Status ──> metrics: a registry of families, read when asked
//!                                          ├────────────> health: is it alive, does it keep up
//!                                          └────────────> page: all at one glance
//!                                                            server: GET /metrics, /healthz, /readyz, /, /status.json
//! ```
//!
//! Nothing here is on the path of an event: the parts of the pipeline write what they count anyway into the
//! status a few times a second, and a request reads it.

mod books;
mod connections;
mod health;
mod hosts;
mod metrics;
mod page;
mod partitions;
mod server;
mod stages;

pub use server::Server;

use crate::config::Config;
use crate::pipeline::Status;
use crate::stop::Stop;
use hosts::Hosts;
use std::sync::Arc;
use std::time::Duration;
use streamflow_connectors::source::now_ms;
use streamflow_dataflow::dimensions::Role;

#[derive(Clone)]
pub struct Observed {
    pub status: Arc<Status>,
    pub stop: Arc<Stop>,
    pub limits: Limits,
}

/// Configured limits, shown by metrics and the status page.
#[derive(Clone, Debug)]
pub struct Limits {
    pub workers: usize,
    /// A worker stops reading at this many uncommitted records.
    pub uncommitted_records: u64,
    /// A worker stops reading at this many bytes of uncommitted records.
    pub uncommitted_bytes: u64,
    /// No worker reads above this resident size, in bytes.
    pub memory: u64,
    pub heartbeat: Duration,
    /// How far behind the partition time events are accepted.
    pub correction_horizon: Duration,
    /// How long ids are remembered beyond the correction horizon.
    pub identity_retention: Duration,
    /// A process is ready while its last commit is at most this old.
    pub ready_within: Duration,
    /// The topics that are read, by their index.
    pub topics: Vec<(String, Role)>,
    pub published: PublishedTopics,
    /// By which names the status page may be asked for.
    pub hosts: Hosts,
    /// Whether the status page shows ids of customers and transactions.
    pub show_ids: bool,
    /// The start of the process, ms since 1970.
    pub started: u64,
}

#[derive(Clone, Debug)]
pub struct PublishedTopics {
    pub alerts: String,
    pub dead_letters: String,
    pub windows: String,
}

impl Observed {
    /// The pipeline that runs with `config`, its status and its stop signal.
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
            hosts: Hosts::new(&config.metrics.hosts),
            show_ids: config.metrics.show_ids,
            started: now_ms(),
        };
        Self { status: Arc::clone(status), stop: Arc::clone(stop), limits }
    }
}
