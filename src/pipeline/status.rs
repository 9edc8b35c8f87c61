//! What can be seen of a running pipeline from outside its workers.

use crate::publisher;
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use streamflow_connectors::postgres::PostgresError;
use streamflow_connectors::postgres::committer::Commit;
use streamflow_dataflow::model::{AlertChange, BooksEntry};

/// The wish to stop, and why.
#[derive(Default)]
pub struct Stop {
    asked: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Stop {
    /// Asks all workers to commit what is in flight and to end.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Asks all workers to end because something failed; the first failure counts.
    pub fn fail(&self, failure: String) {
        lock(&self.failure).get_or_insert(failure);
        self.ask();
    }

    /// Whether the workers are asked to end.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// What failed.
    pub fn failure(&self) -> Option<String> {
        lock(&self.failure).clone()
    }
}

/// Alert changes that are kept to be shown.
const RECENT_ALERTS: usize = 256;

/// Counts and times, updated by the workers and the committer.
#[derive(Default)]
pub struct Status {
    /// Records given to the graph.
    pub records_read: AtomicU64,
    /// The durable frontier, ms since 1970.
    pub durable: AtomicU64,
    /// Transactions of PostgreSQL.
    pub commits: AtomicU64,
    /// Rows written.
    pub rows: AtomicU64,
    /// Alert changes committed.
    pub alert_changes: AtomicU64,
    /// How far Kafka has what is committed.
    pub publisher: Arc<publisher::Status>,
    latencies: Mutex<Latencies>,
    recent_alerts: Mutex<VecDeque<AlertChange>>,
    books: Mutex<BTreeMap<BooksEntry, i64>>,
    /// When the pipeline was started, until its first commit.
    started: Mutex<Option<Instant>>,
    wake: Mutex<Vec<std::thread::Thread>>,
    activate: Mutex<Option<timely::scheduling::SyncActivator>>,
}

/// Latencies, exact to two digits.
pub struct Latencies(Option<Histogram<u64>>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new(2).ok())
    }
}

impl Latencies {
    /// Adds a latency in ms; below zero, where clocks differ, it counts as zero.
    pub fn add(&mut self, millis: i64) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(u64::try_from(millis).unwrap_or(0));
        }
    }

    /// The latency, in ms, that the fraction `quantile` does not exceed; `None` without any.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(histogram.value_at_quantile(quantile))
    }
}

impl Status {
    /// Takes note of records given to the graph.
    pub fn read(&self, records: usize) {
        self.records_read.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// Takes note of a commit, and wakes whoever waits for one.
    pub fn committed(&self, commit: &Commit) {
        self.durable.store(commit.frontier, Ordering::Release);
        if let Some(started) = lock(&self.started).take() {
            let seconds = started.elapsed().as_secs_f64();
            tracing::info!(seconds, frontier = commit.frontier, "the first commit since the start");
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        let rows = commit.written.rows.iter().map(|(_, rows)| rows).sum();
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.wake_all();
    }

    /// The pipeline goes on from a durable frontier, ms since 1970.
    pub fn start(&self, frontier: u64) {
        self.durable.store(frontier, Ordering::Release);
        *lock(&self.started) = Some(Instant::now());
    }

    /// Takes note of a failed commit: the sink sees it when it looks.
    pub fn commit_failed(&self, error: &PostgresError) {
        tracing::error!(%error, "the committer stopped");
        self.wake_all();
    }

    /// Has `thread`, a worker's, woken at each commit.
    pub fn wake_at_commits(&self, thread: std::thread::Thread) {
        lock(&self.wake).push(thread);
    }

    /// Has the sink scheduled at each commit.
    pub fn activate_at_commits(&self, activator: timely::scheduling::SyncActivator) {
        *lock(&self.activate) = Some(activator);
    }

    fn wake_all(&self) {
        if let Some(activator) = lock(&self.activate).as_ref() {
            // Where the worker has gone there is nobody left to wake.
            let _ = activator.activate();
        }
        lock(&self.wake).iter().for_each(std::thread::Thread::unpark);
    }

    /// Takes note of an alert change on its way to being committed.
    pub fn alert_change(&self, change: &AlertChange) {
        self.alert_changes.fetch_add(1, Ordering::Relaxed);
        let mut recent = lock(&self.recent_alerts);
        recent.push_back(change.clone());
        if recent.len() > RECENT_ALERTS {
            recent.pop_front();
        }
    }

    /// The alert changes since the last call, at most the latest few hundred.
    pub fn take_recent_alerts(&self) -> Vec<AlertChange> {
        lock(&self.recent_alerts).drain(..).collect()
    }

    /// Takes note of a line of the books.
    pub fn books_entry(&self, entry: BooksEntry, events: i64) {
        lock(&self.books).insert(entry, events);
    }

    /// The books.
    pub fn books(&self) -> BTreeMap<BooksEntry, i64> {
        lock(&self.books).clone()
    }

    /// Latencies from the records' own time to their commit.
    pub fn latencies(&self) -> MutexGuard<'_, Latencies> {
        lock(&self.latencies)
    }
}

/// What the mutexes guard is whole after every statement, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
