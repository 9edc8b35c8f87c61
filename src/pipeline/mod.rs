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

use crate::cluster::Decision;
use crate::config::Config;
use crate::database::await_migrated;
use crate::publisher::{self, Published, PublisherState, Publishing};
use crate::stop::Stop;
use anyhow::{Context, Result, bail};
use beginning::begin_new_partitions;
use partition_watch::PartitionWatch;
use plan::{Plan, Sources};
use postgres::Client;
use processes::{Ended, Meeting};
use serde::{Deserialize, Serialize};
use sink::Committing;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use streamflow_connectors::kafka::{BrokerClock, KafkaError};
use streamflow_connectors::postgres::{Committer, CommitterOptions, Notice};
use streamflow_connectors::source::host_clock;
use streamflow_medallion::{Medallion, Progress};

/// Between attempts to ask Kafka for the topics.
const KAFKA_PAUSE: Duration = Duration::from_secs(1);

/// Why some of the processes do not begin.
const LEASE_ELSEWHERE: &str =
    "others of the processes hold the lease and run, and cannot be reached: waiting for them";

/// From where all processes continue, decided by the first.
#[derive(Serialize, Deserialize)]
struct Agreement {
    /// The number of the lease.
    generation: i64,
    /// The number of partitions by topic index.
    partitions: Vec<(String, u16)>,
}

/// Runs until `stop` is requested, then commits the records in flight. Several processes form anew, in the same
/// processes, when one of them goes or comes.
///
/// # Errors
/// One line: what cannot be reached or is refused, and who can correct it.
pub fn run(config: &Config, stop: &Arc<Stop>, status: &Arc<Status>) -> Result<()> {
    let mut meeting = None;
    loop {
        round(config, &mut meeting, stop, status)?;
        if let Some(failure) = stop.failure() {
            bail!(failure);
        }
        let Some(reason) = stop.begin_anew() else { break };
        tracing::warn!(reason, "the processes form anew");
        status.form_anew(reason);
    }
    match stop.reason().filter(|_| stop.is_broken()) {
        Some(reason) => bail!(reason),
        None => Ok(()),
    }
}

/// From gathering the processes to the end of the dataflow. Nothing of it is left afterwards.
fn round(
    config: &Config,
    meeting: &mut Option<Meeting>,
    stop: &Arc<Stop>,
    status: &Arc<Status>,
) -> Result<()> {
    // Before others are asked to make room: whoever cannot work must not end the processes that can.
    let Some(client) = await_migrated(&config.postgres, stop)? else { return Ok(()) };
    drop(client);
    let is_first = meeting.is_none();
    let Some(mut sources) = await_sources(config, is_first, stop)? else { return Ok(()) };
    let meeting = match meeting {
        Some(meeting) => meeting,
        none => none.insert(Meeting::open(config, stop)?),
    };
    let Some(mut processes) = meeting.gather(stop, status)? else { return Ok(()) };
    let process = processes.index();
    tracing::info!(
        process = process.index,
        complete = processes.is_complete(),
        processes = process.count,
        "the processes are connected"
    );
    let Some(mut client) = await_migrated(&config.postgres, stop)? else { return Ok(()) };
    let is_complete = processes.is_complete();
    let agreed = processes.agree(stop, || take_lease(config, &mut client, &sources, is_complete))?;
    let Some(Agreement { generation, partitions }) = agreed else { return Ok(()) };
    sources.partitions = partitions;
    let progress = held(&mut client, generation)?;
    let plan = Arc::new(Plan::make(config, &mut client, progress, &sources, process)?);
    status.begin(&plan.progress, &plan.names, process, config.workers);
    // One committer and one publisher for all processes.
    let publishing =
        process.commits().then(|| start_publisher(config, &plan.progress, stop, status)).transpose()?;
    let committer = process.commits().then(|| start_committer(config, &plan, status)).transpose()?;
    // It held the lease until there was a committer.
    drop(client);
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
    if ended == Ended::NotAtAll {
        // The process ends, and they would wait for what does not.
        std::mem::forget((watch, publishing));
        return Ok(());
    }
    drop(watch);
    if let Some(publishing) = publishing {
        publishing.close();
        log_published(&status.publisher.look());
    }
    Ok(())
}

/// The topics. Where the processes form anew, Kafka is waited for; `None` if a stop is requested meanwhile.
fn await_sources(config: &Config, is_first: bool, stop: &Stop) -> Result<Option<Sources>> {
    while !stop.is_asked() {
        match Sources::ask(config) {
            Err(error) if !is_first && error.downcast_ref().is_some_and(KafkaError::is_retryable) => {
                tracing::warn!("waiting for Kafka: {error:#}");
                std::thread::sleep(KAFKA_PAUSE);
            }
            outcome => return outcome.map(Some),
        }
    }
    Ok(None)
}

/// Takes the lease, which fences its previous holder. Where a process is missing it may be with others, which run: then
/// the lease is left to them.
fn take_lease(
    config: &Config,
    client: &mut Client,
    sources: &Sources,
    is_complete: bool,
) -> Result<Decision<Agreement>> {
    let taken = if is_complete {
        Some(Progress::take_lease(client, config.time_zone)?)
    } else {
        Progress::take_free_lease(client, config.time_zone)?
    };
    let Some(mut progress) = taken else {
        return Ok(Decision::Wait(LEASE_ELSEWHERE.to_owned()));
    };
    progress.hold_lease(client)?;
    let Progress { frontier, generation, .. } = progress;
    tracing::info!(frontier, generation, "the lease is taken");
    same_log::check(config, client, &progress)?;
    begin_new_partitions(config, client, &mut progress, sources)?;
    Ok(Decision::Begin(Agreement { generation, partitions: sources.partitions.clone() }))
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
