//! Replaying files: the graph between file sources and files of results.
//!
//! ```text
//!  reader thread per file ──> workers (the graph) ──> writer thread ──> files
//! ```
//!
//! Batch k of every file is epoch k + 1, whatever the speed of reading, so results depend on the files alone.
//! Reference files are epoch 0. Transactions are written when they have left the horizon, so memory does not
//! grow with the files.

mod aggregates;
mod customers;
mod feed;
mod line;
mod output;
mod results;
mod rows;
mod views;
mod worker;

use crate::config::Config;
use anyhow::{Context, Result, anyhow};
use output::{Message, Writer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files to replay.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Transaction events; each file is one partition.
    pub transactions: Vec<PathBuf>,
    /// Upserts of customers.
    pub customers: Option<PathBuf>,
    /// Upserts of stores.
    pub stores: Option<PathBuf>,
    /// Upserts of products.
    pub products: Option<PathBuf>,
    /// Upserts of list entries.
    pub blacklist: Option<PathBuf>,
}

/// What a replay has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Transaction events read.
    pub events: u64,
    /// Alerts at the end.
    pub alerts: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

/// Messages on their way to the writer.
const QUEUED_MESSAGES: usize = 256;

/// Replays `inputs` into the directory `out`. `now` bounds event times, microseconds since 1970.
///
/// # Errors
/// Where a file cannot be read or written.
pub fn run(config: &Config, now: i64, inputs: &Inputs, out: &Path) -> Result<Summary> {
    let mut settings = config.graph_settings();
    settings.file_now = now;
    let plan = Arc::new(worker::Plan { settings, files: feed::files(inputs)? });
    let (sender, receiver) = crossbeam_channel::bounded::<Message>(QUEUED_MESSAGES);
    let writer = Writer::create(out, config.time_zone, plan.names())?;
    let writing = std::thread::Builder::new()
        .name("write results".to_owned())
        .spawn(move || writer.run(&receiver))
        .context("cannot start a thread")?;
    let timely = timely::Config::process(config.workers);
    let workers = timely::execute(timely, move |worker| worker::run(worker, &plan, &sender))
        .map_err(|error| anyhow!("cannot start the workers: {error}"))?;
    let mut failure = None;
    for outcome in workers.join() {
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failure = Some(error),
            Err(message) => failure = Some(anyhow!("a worker stopped: {message}")),
        }
    }
    let written = writing.join().map_err(|_| anyhow!("the writer stopped"))?;
    failure.map_or(written, Err)
}
