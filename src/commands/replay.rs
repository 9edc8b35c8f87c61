//! `streamflow replay`: files through the graph.

use super::configuration::ConfigArguments;
use crate::instant;
use crate::memory;
use crate::output;
use crate::replay::{self, Inputs, Refused};
use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Run files of events through the graph, without Kafka and PostgreSQL, and write alerts and views.
///
/// Each file holds one event a line and is one partition; a line's record time is its own event time.
/// The results depend on the files alone, not on the number of workers. Files compressed by gzip or zstd are read
/// as what they hold. Results take their places at the end: where it fails, earlier ones stay.
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
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    #[command(flatten)]
    config: ConfigArguments,
    /// Exit with 3 where more than this share of all events became dead letters
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    most_dead_letters: f64,
    /// Events later than this instant (RFC 3339 or a date) plus the allowance are dead letters [default: the clock]
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    now: Option<DateTime<Utc>>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.load_with(arguments.workers.map(|workers| format!("workers={workers}")))?;
    let now = arguments.now.unwrap_or_else(Utc::now).timestamp_micros();
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
    output::line(format_args!(
        "{} events, {} alerts, {} dead letters in {seconds:.2} s: {:.0} events/s with {} worker{}",
        summary.events,
        summary.alerts,
        summary.dead_letters,
        summary.events as f64 / seconds,
        config.workers,
        if config.workers == 1 { "" } else { "s" }
    ))?;
    if let Some(bytes) = memory::peak_resident() {
        output::line(format_args!("peak memory {:.1} MiB", bytes as f64 / f64::from(1 << 20)))?;
    }
    output::line(format_args!("results in {}", arguments.out.display()))?;
    if let Some(Refused { reason, lines, file, line, message }) = &summary.commonest {
        output::line(format_args!(
            "most dead letters: {reason} ({lines}), first line {line} of {file}: {message}"
        ))?;
    }
    let most = summary.events as f64 * arguments.most_dead_letters;
    Ok(if summary.dead_letters as f64 > most { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// A share of a whole, as an argument.
fn share(text: &str) -> Result<f64> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => bail!("must be 0 to 1"),
    }
}
