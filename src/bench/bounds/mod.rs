//! `bench bounds`: what nothing can beat on this machine.

mod consume;
mod copy;
mod sync;
mod tables;
mod topic;
mod transaction;

use super::events::{Events, Shape};
use super::{one_thread, results};
use crate::config::Config;
use crate::output;
use anyhow::{Context, Result};
use clap::Args;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use streamflow_connectors::kafka::KafkaSettings;
use streamflow_connectors::postgres::{PostgresSettings, PrivateOptions, PrivatePostgres};
use streamflow_harness::kafka::{self, Broker};
use streamflow_harness::report::Run;
use tables::Rows;

/// Measure what nothing can beat on this machine: storing the medallion's rows, waiting for the disk, reading
/// Kafka, a Kafka transaction, applying the rules.
///
/// Without a configuration a private PostgreSQL is measured, and a Kafka that is started where its jars are
/// found. With one, its PostgreSQL gets a schema `streamflow_bounds` and its Kafka the topics
/// `streamflow.bounds.<process>.*` while this runs; all are dropped afterwards.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Events
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Customers
    #[arg(long, default_value_t = 100_000)]
    customers: u32,
    /// Rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Configuration that names the PostgreSQL and the Kafka to measure
    #[arg(long)]
    config: Option<PathBuf>,
    /// Directory on the disk of the PostgreSQL to measure [default: that of the private one]
    #[arg(long)]
    disk: Option<PathBuf>,
    /// Directory for report.json
    #[arg(long)]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { events, customers, seed, .. } = *arguments;
    let config = arguments.config.as_deref().map(|path| Config::load(Some(path), &[])).transpose()?;
    let shape = Shape { events, customers, days: None, seed };
    let events = Events::generate(shape, 1)?;
    output::line("Starting a private PostgreSQL for the rows ...")?;
    let own = PrivatePostgres::start(&PrivateOptions { durable: true, ..PrivateOptions::default() })?;
    let own_broker = if config.is_none() { start_broker()? } else { None };
    let place = Place::new(arguments.disk.as_deref(), config.as_ref(), &own, own_broker.as_ref())?;
    let rows = Rows::make(&events, &own.settings())?;

    let mut runs = Vec::new();
    for _ in 0..arguments.repeat {
        runs.push(copy::measure(&rows, &place.postgres)?);
        runs.extend(place.disk.as_deref().map(sync::measure).transpose()?);
        if let Some(kafka) = &place.kafka {
            runs.push(consume::measure(&events, kafka)?);
            runs.push(transaction::measure(kafka)?);
        }
        runs.push(the_loop(&events)?);
    }
    let settings = [
        ("events", events.count().to_string()),
        ("customers", customers.to_string()),
        ("postgres", place.name.to_owned()),
    ];
    let report = results::report(settings, seed, runs);
    results::publish(&report, arguments.out.as_deref())?;
    if place.disk.is_none() {
        output::line("left out: sync; --disk names a directory on PostgreSQL's disk")?;
    }
    if place.kafka.is_none() {
        output::line("left out: consume, transaction; --config names a Kafka, `make jars` fetches one")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is measured.
struct Place {
    name: &'static str,
    postgres: PostgresSettings,
    disk: Option<PathBuf>,
    kafka: Option<KafkaSettings>,
}

impl Place {
    fn new(
        disk: Option<&Path>,
        config: Option<&Config>,
        own: &PrivatePostgres,
        own_broker: Option<&Broker>,
    ) -> Result<Self> {
        let disk = disk.map(Path::to_owned);
        Ok(match config {
            Some(config) => Self {
                name: "of the configuration",
                postgres: config.postgres.clone(),
                disk,
                kafka: Some(config.kafka.clone()),
            },
            None => Self {
                name: "private",
                postgres: own.settings(),
                disk: disk.or_else(|| Some(own.directory().to_owned())),
                kafka: own_broker.map(settings_of).transpose()?,
            },
        })
    }
}

/// A Kafka of its own, where its jars are found.
fn start_broker() -> Result<Option<Broker>> {
    let Some(jars) = kafka::find() else { return Ok(None) };
    output::line("Starting a Kafka ...")?;
    Broker::start(&jars).map(Some)
}

fn settings_of(broker: &Broker) -> Result<KafkaSettings> {
    Ok(Config::load(None, &[format!("kafka.brokers=[{}]", broker.address())])?.kafka)
}

fn the_loop(events: &Events) -> Result<Run> {
    let started = Instant::now();
    black_box(one_thread::count_alerts(events).context("the loop")?);
    let mut run = Run { scenario: "loop".to_owned(), ..Run::default() };
    results::more(&mut run, "events", events.count() as f64 / started.elapsed().as_secs_f64(), "events/s");
    Ok(run)
}
