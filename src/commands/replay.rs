//! `streamflow replay`: files through the graph.

use super::configuration::ConfigArguments;
use crate::memory;
use crate::replay::{self, Inputs};
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use streamflow_model::timestamp;

/// Run files of events through the graph, without Kafka and PostgreSQL, and write alerts and views.
///
/// Each file holds one event a line and is one partition; a line's record time is its own event time.
/// The results depend on the files alone, not on the number of workers.
///
/// Example: streamflow replay monday.jsonl tuesday.jsonl --out out --blacklist list.jsonl --set rules.alert_threshold=0.6
#[derive(Debug, Args)]
pub struct Arguments {
    /// Files of transaction events, one JSON object a line; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Directory for the results; made if it is not there
    #[arg(long)]
    out: PathBuf,
    /// List entries, one JSON object a line
    #[arg(long)]
    blacklist: Option<PathBuf>,
    /// Customers, one JSON object a line
    #[arg(long)]
    customers: Option<PathBuf>,
    /// Stores, one JSON object a line
    #[arg(long)]
    stores: Option<PathBuf>,
    /// Products, one JSON object a line
    #[arg(long)]
    products: Option<PathBuf>,
    /// Worker threads
    #[arg(long)]
    workers: Option<usize>,
    #[command(flatten)]
    config: ConfigArguments,
    /// Events later than this instant (RFC 3339) plus the allowance are dead letters [default: the clock]
    #[arg(long)]
    now: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load_with(arguments.workers.map(|workers| format!("workers={workers}")))?;
    let now = match &arguments.now {
        Some(text) => timestamp::parse(text).with_context(|| format!("--now {text}: must be RFC 3339"))?,
        None => chrono::Utc::now().timestamp_micros(),
    };
    let inputs = Inputs {
        transactions: arguments.files.clone(),
        customers: arguments.customers.clone(),
        stores: arguments.stores.clone(),
        products: arguments.products.clone(),
        blacklist: arguments.blacklist.clone(),
    };
    let started = Instant::now();
    let summary = replay::run(&config, now, &inputs, &arguments.out)?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} events, {} alerts, {} dead letters in {seconds:.2} s: {:.0} events/s with {} worker{}",
        summary.events,
        summary.alerts,
        summary.dead_letters,
        summary.events as f64 / seconds,
        config.workers,
        if config.workers == 1 { "" } else { "s" }
    );
    if let Some(bytes) = memory::peak_resident() {
        println!("peak memory {:.1} MiB", bytes as f64 / f64::from(1 << 20));
    }
    println!("results in {}", arguments.out.display());
    Ok(ExitCode::SUCCESS)
}
