//! `streamflow demo`: everything in one process tree.

use super::generate::rate;
use crate::demo::{self, Options};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;

/// Show everything at work: generator, broker, pipeline and a private PostgreSQL, nothing installed or left
/// behind.
///
/// At the end every table is recomputed from the events and compared: exit code 0 where all are equal, 3
/// where not. Ctrl-C ends the traffic early; a second one ends at once.
///
/// Example: streamflow demo --rate 2000 --duration 2m
#[derive(Debug, Args)]
pub struct Arguments {
    /// Transactions per second
    #[arg(long, default_value_t = 1000.0, value_parser = rate)]
    rate: f64,
    /// How long traffic flows, e.g. 60s or 2m
    #[arg(long, default_value = "60s", value_parser = duration)]
    duration: Duration,
    /// Worker threads
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Seed of the traffic
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// After the comparison keep PostgreSQL open for queries until Ctrl-C
    #[arg(long)]
    hold: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let equal = demo::run(&Options {
        rate: arguments.rate,
        duration: arguments.duration,
        workers: arguments.workers.into(),
        seed: arguments.seed,
        hold: arguments.hold,
    })?;
    Ok(if equal { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

pub fn duration(text: &str) -> Result<Duration> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let number: u64 = digits.parse().with_context(|| format!("{text}: must be a number with s or m"))?;
    Ok(Duration::from_secs(match &text[digits.len()..] {
        "" | "s" => number,
        "m" => number * 60,
        unit => bail!("{unit}: the unit must be s or m"),
    }))
}
