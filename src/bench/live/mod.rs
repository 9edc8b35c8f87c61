//! The pipeline as deployed: fixed offered rates on real servers, three clocks, and results that are checked
//! in the same run.
//!
//! ```text
//! Scenario ── plans ──> trial: Deployment (database, topics, `streamflow run` as a child)
//!                        offer ──────── events at their due times ────────> Kafka
//!                        readers/commits, rows, alerts ── what can be seen, and when
//!                        disturbance ── a kill, an outage, a burst
//!                        check ──────── every table, every alert
//!                          └──> measurement ──> Run ──> report.json, table
//! ```

mod check;
mod deployment;
mod disturbance;
mod durations;
mod measurement;
mod offer;
mod plan;
mod readers;
mod reference;
mod results;
mod scenario;
mod servers;
mod signals;
mod spent;
mod sweep;
mod trial;

pub use scenario::Scenario;
pub use servers::ServerOptions;

use crate::output;
use anyhow::Result;
use plan::Plan;
use servers::Servers;
use signals::Signals;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use streamflow_harness::report::Run;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    pub scenario: Scenario,
    /// Events a second; without it the scenario's own.
    pub rate: Option<f64>,
    /// Raises the rate until the backlog grows.
    pub sweep: bool,
    /// How long is measured; without it the scenario's own.
    pub duration: Option<Duration>,
    /// How long events flow before anything counts.
    pub warm_up: Duration,
    /// Reference records of a burst.
    pub records: u32,
    /// How long PostgreSQL is away in an outage.
    pub away: Duration,
    pub servers: ServerOptions,
    pub workers: usize,
    /// How often everything is measured.
    pub repeat: u32,
    pub seed: u64,
    /// Where the report goes.
    pub out: Option<PathBuf>,
}

/// Measures, writes the report, and prints the table; true where no run is void.
pub fn run(options: &Options) -> Result<bool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&interrupted);
    ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed))?;
    let signals = Signals::new(interrupted);
    let plans = options.scenario.plans(options)?;
    let servers = Servers::start(&options.servers)?;
    eprintln!("broker: {}; PostgreSQL: {}", servers.broker(), servers.database());
    let mut runs = Vec::new();
    for _ in 0..options.repeat {
        if options.sweep {
            runs.extend(sweep::run(&plans[0], &servers, &signals)?);
        } else {
            runs.extend(run_all(options.scenario, &plans, &servers, &signals)?);
        }
    }
    let report = results::report(options, &servers, runs)?;
    if let Some(directory) = &options.out {
        super::results::write(&report, directory)?;
    }
    output::write(results::table(&report))?;
    Ok(report.runs.iter().all(|run| run.void.is_none()))
}

fn run_all(scenario: Scenario, plans: &[Plan], servers: &Servers, signals: &Signals) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for plan in plans {
        runs.push(trial::run(plan, servers, signals)?);
    }
    runs.extend(scenario.summary(&runs));
    Ok(runs)
}
