//! The demo: a broker, a PostgreSQL, traffic and the pipeline in one process tree, then the comparison.

mod comparison;
mod screen;
mod traffic;

use crate::config::Config;
use crate::observe::{Observed, Server};
use crate::output;
use crate::pipeline::{self, Status};
use crate::stop::Stop;
use anyhow::{Context, Result, anyhow};
use screen::Screen;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use streamflow_connectors::kafka::{KafkaSettings, MockBroker};
use streamflow_connectors::postgres::migrate::migrate;
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect};
use streamflow_medallion::migrations;
use streamflow_model::BooksEntry;
use traffic::TrafficThread;

#[derive(Clone, Debug)]
pub struct Options {
    /// Transactions per second.
    pub rate: f64,
    pub duration: Duration,
    pub workers: usize,
    pub seed: u64,
    /// Keeps PostgreSQL open after the comparison, until Ctrl-C.
    pub hold: bool,
}

const TICK: Duration = Duration::from_millis(200);

/// The address of the status page: any free port of the loopback interface.
const LISTEN: &str = "127.0.0.1:0";

const PARTITIONS: u16 = 3;

/// Runs the demo; true where all tables equal their recomputation.
pub fn run(options: &Options) -> Result<bool> {
    let interrupts = count_interrupts()?;
    output::line("Starting a broker (in this process) and a private PostgreSQL ...")?;
    let broker = MockBroker::start()?;
    let postgres = PrivatePostgres::start(&PrivateOptions::default())?;
    let config = configure(options, &broker, &postgres)?;
    output::line(format_args!(
        "  broker     kcat -b {} -t {} -C",
        broker.address(),
        config.topics.transactions[0]
    ))?;
    output::line(format_args!("  alerts     kcat -b {} -t {} -C", broker.address(), config.topics.alerts))?;
    output::line(format_args!("  PostgreSQL {}", postgres.psql_command()))?;
    output::line("             e.g. SELECT * FROM gold.agg_daily_fraud; SELECT streamflow.frontier();")?;

    let (stop, status) = (Arc::new(Stop::default()), Arc::new(Status::default()));
    let server = Server::start(LISTEN, Observed::new(&config, &status, &stop))?;
    output::line(format_args!("  status page: http://{}/\n", server.address()))?;
    let pipeline = start_pipeline(&config, &stop, &status)?;
    let traffic = TrafficThread::start(options, &config)?;
    let sent = watch(&interrupts, traffic, &stop, &status)?;
    stop.ask();
    pipeline.join().map_err(|_| anyhow!("the pipeline stopped"))??;
    if let Some(sent) = sent {
        output::line(format_args!("\n{sent} records sent, all of them read and committed."))?;
    }

    output::line("Recomputing every table from the events as received ...\n")?;
    let equal = comparison::compare(&config)?;
    if options.hold {
        output::line(format_args!("\nPostgreSQL stays open until Ctrl-C: {}", postgres.psql_command()))?;
        let before = interrupts.load(Ordering::Relaxed);
        while interrupts.load(Ordering::Relaxed) == before {
            std::thread::sleep(TICK);
        }
    }
    Ok(equal)
}

/// Counts Ctrl-C; the second one while traffic flows ends the process.
fn count_interrupts() -> Result<Arc<AtomicU32>> {
    let interrupts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&interrupts);
    ctrlc::set_handler(move || {
        count.fetch_add(1, Ordering::Relaxed);
    })?;
    Ok(interrupts)
}

fn configure(options: &Options, broker: &MockBroker, postgres: &PrivatePostgres) -> Result<Config> {
    let mut config = Config::load(None, &[format!("workers={}", options.workers)])?;
    config.kafka = KafkaSettings::plaintext(broker.address());
    // The embedded broker knows neither; they matter where records are kept.
    config.kafka.producer.idempotent = false;
    config.pipeline.require_log_append_time = false;
    config.postgres = postgres.settings();
    // Beside another pipeline.
    config.metrics.listen = Some(LISTEN.to_owned());
    for (topic, _) in config.topics.roles() {
        let partitions = if config.topics.transactions.contains(&topic) { PARTITIONS } else { 1 };
        broker.create_topic(&topic, partitions)?;
    }
    for topic in config.topics.outputs() {
        broker.create_topic(&topic.name, topic.partitions)?;
    }
    migrate(&mut connect(&config.postgres)?, migrations())?;
    Ok(config)
}

fn start_pipeline(config: &Config, stop: &Arc<Stop>, status: &Arc<Status>) -> Result<JoinHandle<Result<()>>> {
    let (config, stop, status) = (config.clone(), Arc::clone(stop), Arc::clone(status));
    let run = move || {
        let outcome = pipeline::run(&config, &stop, &status);
        stop.ask();
        outcome
    };
    std::thread::Builder::new().name("pipeline".to_owned()).spawn(run).context("cannot start a thread")
}

/// Shows what happens until all that was sent is committed; the number of records, or nothing where it was
/// cut short.
fn watch(
    interrupts: &AtomicU32,
    traffic: TrafficThread,
    stop: &Stop,
    status: &Status,
) -> Result<Option<u64>> {
    let mut screen = Screen::default();
    let mut sent = None;
    let mut traffic = Some(traffic);
    loop {
        std::thread::sleep(TICK);
        screen.show(status);
        if stop.is_asked() || interrupts.load(Ordering::Relaxed) > 1 {
            return Ok(None);
        }
        if interrupts.load(Ordering::Relaxed) > 0
            && let Some(traffic) = &traffic
        {
            traffic.end();
        }
        if let Some(ended) = traffic.take_if(|traffic| traffic.has_ended()) {
            sent = Some(ended.join()?);
        }
        if sent.is_some_and(|sent| events_read(status) >= sent) {
            return Ok(sent);
        }
    }
}

/// The number of events in the books, of all topics.
fn events_read(status: &Status) -> u64 {
    let books = status.books();
    let read = books.iter().filter(|(entry, _)| matches!(entry, BooksEntry::Read { .. }));
    read.map(|(_, events)| events.unsigned_abs()).sum()
}
