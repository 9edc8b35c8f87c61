//! Replaying files: the graph between file sources and files of results.
//!
//! ```text
//!  reader thread per file ──> workers (the graph) ──> writer thread ──> files
//!                                      ^                    │            │
//!                                      └─ answers, in rounds ┴────────────┘
//! ```
//!
//! Batch k of every file is step k + 1, whatever the speed of reading, so results depend on the files alone.
//! Reference files are step 0. Transactions are written when they have left the horizon, so memory does not
//! grow with the files.
//!
//! An event of a transaction that memory does not hold is answered from what has been written: behind each step
//! there are rounds, epochs without input but answers, until no event waits that can be answered. So nothing
//! depends on when answers come, and no more than a step's events wait. Lines that an amendment replaces are
//! taken out of their files at the end.

mod aggregates;
mod alerted;
mod answers;
mod archive;
mod customers;
mod feed;
mod line;
mod lines;
mod output;
mod records;
mod removals;
mod results;
mod rows;
mod stage;
mod views;
mod waiting;
mod worker;

use crate::config::Config;
pub use alerted::{Alerted, AlertedRow, Scope, Side};
use anyhow::{Context, Result, anyhow};
use output::{Message, Writer};
use results::Results;
use stage::Stage;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use streamflow_dataflow::rules::RuleSet;
use streamflow_dataflow::settings::Settings;

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

impl Inputs {
    /// All files.
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        let reference = [&self.customers, &self.stores, &self.products, &self.blacklist];
        self.transactions.iter().chain(reference.into_iter().flatten())
    }
}

/// What a replay has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Transaction events read.
    pub events: u64,
    /// Alerts at the end.
    pub alerts: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// The reason of most of them.
    pub commonest: Option<Refused>,
}

/// The dead letters of one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub reason: &'static str,
    /// How many there are.
    pub lines: u64,
    /// The first of them: its file, its line from 1, and what is wrong with it.
    pub file: String,
    pub line: u64,
    pub message: String,
}

/// Messages on their way to the writer.
const QUEUED_MESSAGES: usize = 256;

/// Replays `inputs` into the directory `out`. `now` bounds event times, microseconds since 1970.
///
/// # Errors
/// Where a file cannot be read or written. Earlier results are as they were then.
pub fn run(config: &Config, now: i64, inputs: &Inputs, out: &Path) -> Result<Summary> {
    let settings = config.graph_settings();
    Ok(write(settings, config.workers, now, inputs, out, None)?.0)
}

/// Replays `inputs` with the rules of `live` and, as a shadow set from the first event on, those of `candidate`;
/// `now` bounds event times, microseconds since 1970.
///
/// # Errors
/// As [`run`].
pub fn compare(
    config: &Config,
    now: i64,
    inputs: &Inputs,
    live: RuleSet,
    candidate: RuleSet,
    scope: Scope,
) -> Result<(Summary, Alerted)> {
    let settings = Settings { rules: live, ..config.graph_settings() };
    let out = tempfile::tempdir().context("cannot make a temporary directory")?;
    let beside = Beside { candidate, alerted: Alerted::new(scope) };
    let (summary, alerted) = write(settings, config.workers, now, inputs, out.path(), Some(beside))?;
    Ok((summary, alerted.context("nothing was compared")?))
}

/// A set that is evaluated beside the one in force.
struct Beside {
    candidate: RuleSet,
    alerted: Alerted,
}

fn write(
    mut settings: Settings,
    workers: usize,
    now: i64,
    inputs: &Inputs,
    out: &Path,
    beside: Option<Beside>,
) -> Result<(Summary, Option<Alerted>)> {
    stage::check(inputs, out, &results::names())?;
    let stage = Stage::create(out)?;
    settings.file_now = now;
    let (candidate, alerted) = beside.map(|beside| (beside.candidate, beside.alerted)).unzip();
    let plan = worker::Plan::new(settings, feed::files(inputs)?, candidate, workers);
    let (sender, receiver) = crossbeam_channel::bounded::<Message>(QUEUED_MESSAGES);
    let (rounds_out, rounds) = crossbeam_channel::bounded(1);
    let results = Results::create(stage.path(), &plan.settings, plan.names(), alerted)?;
    let writer = Writer::new(results, rounds_out);
    let writing = std::thread::Builder::new()
        .name("write results".to_owned())
        .spawn(move || writer.run(&receiver))
        .context("cannot start a thread")?;
    let timely = timely::Config::process(workers);
    let plan = Arc::new(plan);
    let channels = worker::Channels { results: sender, rounds };
    let workers = timely::execute(timely, move |worker| worker::run(worker, &plan, &channels))
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
    let written = failure.map_or(written, Err)?;
    stage.publish()?;
    Ok(written)
}
