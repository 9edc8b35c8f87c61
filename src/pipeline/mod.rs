//! The pipeline of `run` and `demo`: Kafka, the graph, PostgreSQL.
//!
//! ```text
//!  Kafka ── reader threads ──> workers: the graph ──> sink on the first worker ──> committer thread ──> PostgreSQL
//!    ^                            ^                                                      │                  │
//!    │                            └──────── durable frontier: what may be forgotten ─────┘                  │
//!    └──────────────────────────────────── publisher thread: alert changes, dead letters, metrics <─────────┘
//! ```
//!
//! Sources stop reading while too much of theirs is not yet durable, or memory is at its limit; that is the whole flow control.

mod activity;
mod appended;
mod feed;
mod hydrate;
mod memory_limit;
mod partition_watch;
mod plan;
mod reporter;
mod sink;
mod status;
mod worker;

pub use status::{Frontiers, LATENCY_BOUNDS, OperatorReport, Status, Stop, WorkerReport};

use crate::config::Config;
use crate::publisher::{self, Published, Publishing, State};
use anyhow::{Context, Result, anyhow, bail};
use partition_watch::PartitionWatch;
use plan::{Plan, Sources};
use postgres::Client;
use sink::Committing;
use std::sync::{Arc, Mutex};
use streamflow_connectors::postgres::{Committer, CommitterOptions, Notice, connect, migrate};
use streamflow_medallion::{Medallion, Progress, migrations};

/// Runs until `stop` is asked for, then commits what is in flight.
///
/// # Errors
/// One line: what cannot be reached or is refused, and who can mend it.
pub fn run(config: &Config, stop: &Arc<Stop>, status: &Arc<Status>) -> Result<()> {
    // Before the lease is taken: whoever cannot read must not end the process that can.
    let mut client = connect_migrated(config)?;
    let sources = Sources::ask(config)?;
    let plan = Arc::new(take_lease(config, &mut client, &sources)?);
    drop(client);
    status.begin(&plan, config.workers);
    let publishing = start_publisher(config, &plan.progress, stop, status)?;
    let committing = Arc::new(Mutex::new(Some(start_committer(config, &plan, status)?)));
    let watch = PartitionWatch::start(sources, &plan.pipeline, stop)?;
    let timely = timely::Config::process(config.workers);
    let (worker_stop, worker_status) = (Arc::clone(stop), Arc::clone(status));
    let workers = timely::execute(timely, move |worker| {
        let outcome = worker::run(worker, &plan, &committing, &worker_stop, &worker_status);
        if let Err(error) = &outcome {
            worker_stop.fail(format!("{error:#}"));
        }
        outcome
    })
    .map_err(|error| anyhow!("cannot start the workers: {error}"))?;
    for outcome in workers.join() {
        outcome.map_err(|message| anyhow!("a worker stopped: {message}"))??;
    }
    drop(watch);
    publishing.close();
    tell_published(&status.publisher.look());
    match stop.failure() {
        Some(failure) => bail!(failure),
        None => Ok(()),
    }
}

/// A connection to a database of this program's version.
fn connect_migrated(config: &Config) -> Result<Client> {
    let mut client = connect(&config.postgres)?;
    let outstanding = migrate::outstanding(&mut client, migrations())?;
    if let Some(first) = outstanding.first() {
        bail!("the database lacks migration {:03}_{}: run `streamflow migrate`", first.number, first.name);
    }
    Ok(client)
}

/// Takes the lease, which ends the worker that holds it, and plans from where that one stopped.
fn take_lease(config: &Config, client: &mut Client, sources: &Sources) -> Result<Plan> {
    let progress = Progress::take_lease(client, config.time_zone)?;
    let Progress { frontier, generation, .. } = progress;
    tracing::info!(frontier, generation, "the lease is taken");
    Plan::make(config, client, progress, sources)
}

/// One publisher for all processes, beside the committer.
fn start_publisher(
    config: &Config,
    progress: &Progress,
    stop: &Arc<Stop>,
    status: &Status,
) -> Result<Publishing> {
    publisher::create_topics(config)?;
    let stop = Arc::clone(stop);
    let failed = move |error: String| stop.fail(format!("the publisher stopped: {error}"));
    Publishing::start(config, progress.generation, Arc::clone(&status.publisher), failed)
}

fn tell_published(published: &Published) {
    let Published { alert_number, dead_letter_number, metrics_frontier, state, last_error } = published;
    tracing::info!(alert_number, dead_letter_number, metrics_frontier, "published");
    if let (State::Retrying, Some(error)) = (state, last_error) {
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
    let committer = Committer::start(config.postgres.clone(), options, frontier, writer, notify)
        .context("cannot start the committer")?;
    watching.watch_committer(committer.monitor());
    Ok(Committing { committer, topics })
}
