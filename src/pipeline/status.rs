//! What can be seen of a running pipeline from outside its workers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
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

/// Buckets of the latency histogram: 8 to each doubling of the latency, from 1 ms on.
const BUCKETS: usize = 8 * 24;

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
    latencies: Mutex<Latencies>,
    recent_alerts: Mutex<VecDeque<AlertChange>>,
    books: Mutex<BTreeMap<BooksEntry, i64>>,
    wake: Mutex<Vec<std::thread::Thread>>,
    activate: Mutex<Option<timely::scheduling::SyncActivator>>,
}

/// Latencies by bucket.
pub struct Latencies {
    buckets: [u64; BUCKETS],
}

impl Default for Latencies {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS] }
    }
}

impl Latencies {
    /// Adds a latency in ms.
    pub fn add(&mut self, millis: i64) {
        let millis = millis.max(1) as f64;
        self.buckets[((millis.log2() * 8.0) as usize).min(BUCKETS - 1)] += 1;
    }

    /// The latency, in ms, that the fraction `quantile` does not exceed (to about 9 %); `None` without any.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let total: u64 = self.buckets.iter().sum();
        let rank = (total as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank.max(1)
        })?;
        Some(2f64.powf((bucket + 1) as f64 / 8.0))
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
        self.commits.fetch_add(1, Ordering::Relaxed);
        let rows = commit.written.rows.iter().map(|(_, rows)| rows).sum();
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.wake_all();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_nine_percent() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.5), None);
        (1..=1000).for_each(|millis| latencies.add(millis));
        for quantile in [0.5, 0.9, 0.99] {
            let (shown, exact) = (latencies.quantile(quantile).unwrap(), quantile * 1000.0);
            assert!((exact..exact * 1.1).contains(&shown), "{quantile}: {shown}");
        }
    }
}
