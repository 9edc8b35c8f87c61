//! The pipeline of `run` and `demo`: Kafka, the graph, PostgreSQL.
//!
//! ```text
//!  Kafka ── reader threads ──> workers: the graph ──> sink on the first worker ──> committer thread ──> PostgreSQL
//!    ^                            ^                                                      │                  │
//!    │                            └──────── durable frontier: what may be forgotten ─────┘                  │
//!    └──────────────────────────────────── publisher thread: alert changes, dead letters, metrics <─────────┘
//! ```
//!
//! Each worker keeps in flight what becomes durable within a target of time; the rest waits in Kafka (`flow`). There
//! is no other flow control.

mod activity;
mod answering;
mod appended;
mod beginning;
mod feed;
mod flow;
mod hydrate;
mod in_flight;
mod memory_limit;
mod partition_watch;
mod plan;
mod processes;
mod reporter;
mod same_log;
mod sink;
mod status;
mod window;
mod worker;

pub use activity::Activity;
pub use status::{Frontiers, LatencySummary, LatestAlert, OperatorReport, Status, Totals, WorkerReport};

use crate::config::Config;
use crate::database::await_migrated;
use crate::publisher::{self, Published, PublisherState, Publishing};
use crate::stop::Stop;
use anyhow::{Context, Result, bail};
use beginning::begin_new_partitions;
use partition_watch::PartitionWatch;
use plan::{Plan, Sources};
use postgres::Client;
use processes::{Ended, Processes};
use serde::{Deserialize, Serialize};
use sink::Committing;
use std::sync::{Arc, Mutex};
use streamflow_connectors::kafka::BrokerClock;
use streamflow_connectors::postgres::{Committer, CommitterOptions, Notice};
use streamflow_connectors::source::host_clock;
use streamflow_medallion::{Medallion, Progress};

/// From where all processes continue, decided by the first.
#[derive(Serialize, Deserialize)]
struct Agreement {
    /// The number of the lease.
    generation: i64,
    /// The number of partitions by topic index.
    partitions: Vec<(String, u16)>,
}

/// Runs until `stop` is requested, then commits the records in flight.
///
/// # Errors
/// One line: what cannot be reached or is refused, and who can correct it; or that another process has ended
/// or requested the stop.
pub fn run(config: &Config, stop: &Arc<Stop>, status: &Arc<Status>) -> Result<()> {
    // Before others are asked to make room: whoever cannot work must not end the processes that can.
    let Some(client) = await_migrated(&config.postgres, stop)? else { return Ok(()) };
    drop(client);
    let mut sources = Sources::ask(config)?;
    let Some(mut processes) = Processes::gather(config, stop, status)? else { return Ok(()) };
    let process = processes.index();
    tracing::info!(process = process.index, processes = process.count, "all processes are here");
    let Some(mut client) = await_migrated(&config.postgres, stop)? else { return Ok(()) };
    let Agreement { generation, partitions } =
        processes.agree(|| take_lease(config, &mut client, &sources))?;
    sources.partitions = partitions;
    let progress = held(&mut client, generation)?;
    let plan = Arc::new(Plan::make(config, &mut client, progress, &sources, process)?);
    drop(client);
    status.begin(&plan.progress, &plan.names, process, config.workers);
    // One committer and one publisher for all processes.
    let publishing =
        process.commits().then(|| start_publisher(config, &plan.progress, stop, status)).transpose()?;
    let committer = process.commits().then(|| start_committer(config, &plan, status)).transpose()?;
    let watch =
        process.commits().then(|| PartitionWatch::start(sources, &plan.pipeline, stop)).transpose()?;
    // Where producers' clocks are on the records, no broker's clock fits them better than this host's.
    let timed = config.pipeline.require_log_append_time;
    let clock = timed.then(|| BrokerClock::start(&config.kafka, &config.topics.clock)).transpose()?;
    let read_clock = clock.as_ref().map_or_else(host_clock, BrokerClock::read);
    let committing = Arc::new(Mutex::new(committer));
    let (worker_stop, worker_status) = (Arc::clone(stop), Arc::clone(status));
    let ended = processes.execute(config, stop, move |worker| {
        worker::run(worker, &plan, &read_clock, &committing, &worker_stop, &worker_status)
    })?;
    drop(clock);
    if ended == Ended::InOrder {
        drop(watch);
        if let Some(publishing) = publishing {
            publishing.close();
            log_published(&status.publisher.look());
        }
    } else {
        // They would wait for what is gone; what they have not done is done after the next start.
        std::mem::forget((watch, publishing));
    }
    match stop.failure().or(stop.departure()) {
        Some(reason) => bail!(reason),
        None => Ok(()),
    }
}

/// Takes the lease, which fences its previous holder.
fn take_lease(config: &Config, client: &mut Client, sources: &Sources) -> Result<Agreement> {
    let mut progress = Progress::take_lease(client, config.time_zone)?;
    let Progress { frontier, generation, .. } = progress;
    tracing::info!(frontier, generation, "the lease is taken");
    same_log::check(config, client, &progress)?;
    begin_new_partitions(config, client, &mut progress, sources)?;
    Ok(Agreement { generation, partitions: sources.partitions.clone() })
}

/// Reads the progress row. It does not change: nothing is committed under a lease before all workers of all
/// processes have restored their state.
fn held(client: &mut Client, generation: i64) -> Result<Progress> {
    let progress = Progress::read(client)?;
    if progress.generation != generation {
        bail!("fenced by a newer worker: the lease of generation {generation} was taken over");
    }
    Ok(progress)
}

fn start_publisher(
    config: &Config,
    progress: &Progress,
    stop: &Arc<Stop>,
    status: &Status,
) -> Result<Publishing> {
    publisher::create_topics(config)?;
    let stop = Arc::clone(stop);
    let failed = move |error: String| stop.fail(format!("the publisher stopped: {error}"));
    Publishing::start(config, progress.into(), Arc::clone(&status.publisher), failed)
}

fn log_published(published: &Published) {
    let Published { alert_number, dead_letter_number, metrics_frontier, state, last_error } = published;
    tracing::info!(alert_number, dead_letter_number, metrics_frontier, "published");
    if let (PublisherState::Retrying, Some(error)) = (state, last_error) {
        tracing::warn!(error, "publishing was waiting; what is left is sent after the next start");
    }
}

fn start_committer(config: &Config, plan: &Plan, status: &Arc<Status>) -> Result<Committing> {
    let topics = Arc::clone(&plan.names);
    let frontier = plan.progress.frontier;
    let writer = Medallion::new(plan.progress.clone(), Arc::clone(&topics), config.time_zone);
    let (watching, status) = (Arc::clone(status), Arc::clone(status));
    let notify = move |notice: Notice<'_>| match notice {
        Notice::Committed(commit) => status.committed(commit),
        Notice::Failed(error) => status.commit_failed(error),
    };
    let options = CommitterOptions::default();
    let _lease = tracing::info_span!("lease", generation = plan.progress.generation).entered();
    let committer = Committer::start(config.postgres.clone(), options, frontier, writer, notify)
        .context("cannot start the committer")?;
    watching.watch_committer(committer.monitor());
    Ok(Committing { committer, topics })
}
