//! `streamflow bench`: latencies at a fixed offered rate, with results that are checked; the graph alone, what the
//! machine allows, and reports against each other.

use crate::bench::live::{self, Options, Scenario, ServerOptions};
use crate::bench::{bounds, compare, engine};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measure latencies from when a transaction is due until its alert, its commit and its row can be read.
///
/// Starts an Apache Kafka, where its jars are found, and a PostgreSQL of its own, runs the pipeline as deployed,
/// and offers events at a fixed rate. Then every table and alert is compared with its recomputation. Exit code 0
/// where all figures count, 3 where one is void: a result was wrong, or the generator fell behind.
///
/// Examples:
///   streamflow bench
///   streamflow bench late --rate 5000 --duration 2m --out out
///   streamflow bench --sweep --rate 2000 --workers 2
///   streamflow bench engine --repeat 5 --out before
///   streamflow bench compare before after --svg ratios.svg
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    live: Live,
}

#[derive(Debug, Subcommand)]
enum What {
    Engine(engine::Arguments),
    Bounds(bounds::Arguments),
    Compare(compare::Arguments),
}

/// Of the pipeline as deployed.
#[derive(Debug, Args)]
struct Live {
    /// What to measure
    #[arg(value_enum, default_value_t = Scenario::Medallion)]
    scenario: Scenario,
    /// Events offered a second [default: 1000; burst: 5000]
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
    /// Double the rate until the backlog grows, and find the largest that is sustained
    #[arg(long)]
    sweep: bool,
    /// How long is measured, e.g. 60s or 2m [default: 60s; outage: 150s; idle: 30s; each rate of a
    /// sweep: 20s]
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// How long events flow before anything counts
    #[arg(long, default_value = "10s", value_parser = duration)]
    warm_up: Duration,
    /// Reference records of burst
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    records: u32,
    /// How long PostgreSQL is away in outage
    #[arg(long, default_value = "60s", value_parser = duration)]
    away: Duration,
    /// Address of a Kafka to use, host:port [default: its own]
    #[arg(long, value_name = "ADDRESS")]
    kafka: Option<String>,
    /// Host of a PostgreSQL to use, host or host:port; needs the right to create databases [default: its own]
    #[arg(long, value_name = "HOST")]
    postgres: Option<String>,
    /// Set a configuration key of the pipeline, e.g. postgres.user=bench
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Worker threads
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// How often everything is measured
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Seed of the traffic
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Directory for report.json; made if it is not there
    #[arg(long)]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.what {
        Some(What::Engine(arguments)) => engine::run(arguments),
        Some(What::Bounds(arguments)) => bounds::run(arguments),
        Some(What::Compare(arguments)) => compare::run(arguments),
        None => measure(&arguments.live),
    }
}

fn measure(arguments: &Live) -> Result<ExitCode> {
    let all_count = live::run(&Options {
        scenario: arguments.scenario,
        rate: arguments.rate,
        sweep: arguments.sweep,
        duration: arguments.duration,
        warm_up: arguments.warm_up,
        records: arguments.records,
        away: arguments.away,
        servers: ServerOptions {
            kafka: arguments.kafka.clone(),
            postgres: arguments.postgres.clone(),
            overrides: arguments.overrides.clone(),
        },
        workers: usize::from(arguments.workers),
        repeat: arguments.repeat,
        seed: arguments.seed,
        out: arguments.out.clone(),
    })?;
    Ok(if all_count { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn rate(text: &str) -> Result<f64> {
    let rate: f64 = text.parse().context("must be a number")?;
    if !(1.0..=1e6).contains(&rate) {
        bail!("must be 1 to 1000000");
    }
    Ok(rate)
}

fn duration(text: &str) -> Result<Duration> {
    let duration = super::demo::duration(text)?;
    if duration.is_zero() || duration > Duration::from_secs(86_400) {
        bail!("must be 1 second to 1 day");
    }
    Ok(duration)
}
