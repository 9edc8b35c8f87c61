//! What can be seen of a running pipeline from outside its threads: its parts write it now and then, anybody
//! reads it.

mod latency;
mod ledger;
mod start;
mod worker;

pub use latency::{Latencies, LatencySummary};
pub use ledger::{LatestAlert, Ledger, Submission, Totals};
pub use start::Start;
pub use worker::{Frontiers, Held, OperatorReport, WorkerReport};

use super::appended::Appended;
use crate::cluster::ProcessIndex;
use crate::lock::lock;
use crate::publisher::PublisherStatus;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;
use streamflow_connectors::kafka::SourceProgress;
use streamflow_connectors::postgres::PostgresError;
use streamflow_connectors::postgres::committer::{Commit, Monitor};
use streamflow_connectors::source::now_ms;
use streamflow_dataflow::alerts::{AlertChange, Cause, ChangeKind};
use streamflow_dataflow::changes::PartitionPosition;
use streamflow_medallion::outbox::{Numbered, StoredAlertChange, StoredDeadLetter};
use streamflow_medallion::{Progress, Topics};
use streamflow_model::BooksEntry;

/// Counts and times, updated by the workers and the committer.
#[derive(Default)]
pub struct Status {
    /// Records given to the graph.
    pub records_read: AtomicU64,
    /// Bytes of their values.
    pub bytes_read: AtomicU64,
    /// The frontier before which the graph has emitted every change, ms since 1970.
    pub complete: AtomicU64,
    /// The durable frontier, ms since 1970.
    pub durable: AtomicU64,
    /// When the last commit was made, ms since 1970; 0 before the first.
    pub committed_at: AtomicU64,
    /// Alert changes submitted.
    pub alert_changes: AtomicU64,
    /// When the records in flight were appended to Kafka.
    pub appended: Appended,
    /// How far Kafka has what is committed.
    pub publisher: Arc<PublisherStatus>,
    process: Mutex<Option<ProcessIndex>>,
    /// How often the processes have formed anew.
    formed_anew: AtomicU64,
    start: Mutex<Start>,
    ledger: Mutex<Ledger>,
    latencies: Mutex<Latencies>,
    workers: Mutex<BTreeMap<usize, WorkerReport>>,
    sources: Mutex<BTreeMap<usize, Arc<SourceProgress>>>,
    committer: Mutex<Option<Monitor>>,
    wake: Mutex<Vec<std::thread::Thread>>,
    /// The last epoch with records.
    to_follow: AtomicU64,
    activate: Mutex<Option<timely::scheduling::SyncActivator>>,
}

impl Status {
    /// The pipeline goes on from `progress`, with so many workers in this process.
    pub fn begin(&self, progress: &Progress, topics: &Topics, process: ProcessIndex, workers: usize) {
        self.durable.store(progress.frontier, Ordering::Release);
        lock(&self.ledger).restore(progress, topics, process.commits());
        *lock(&self.process) = Some(process);
        lock(&self.start).begin(workers);
    }

    /// The dataflow is gone, and the processes form anew for this reason. What is counted since the start of the process
    /// is kept; what was on its way and not committed is read again, and counts when it is committed.
    pub fn form_anew(&self, reason: String) {
        let mut start = lock(&self.start);
        // Whoever waits for the lease has not worked meanwhile.
        self.formed_anew.fetch_add(start.begun().is_some().into(), Ordering::Relaxed);
        start.anew(reason);
        drop(start);
        lock(&self.ledger).forget_submitted();
        lock(&self.workers).clear();
        lock(&self.sources).clear();
        lock(&self.wake).clear();
        lock(&self.activate).take();
        lock(&self.committer).take();
        self.appended.clear();
        self.publisher.begin_anew();
        self.to_follow.store(0, Ordering::Relaxed);
    }

    /// How often the processes have formed anew.
    pub fn formed_anew(&self) -> u64 {
        self.formed_anew.load(Ordering::Relaxed)
    }

    /// Which of the processes this is, or was last; `None` before they have come.
    pub fn process(&self) -> Option<ProcessIndex> {
        *lock(&self.process)
    }

    /// Whether this process commits and publishes, as far as it is known which one it is.
    pub fn commits(&self) -> bool {
        self.process().is_none_or(ProcessIndex::commits)
    }

    /// How far the start is.
    pub fn start(&self) -> MutexGuard<'_, Start> {
        lock(&self.start)
    }

    /// Takes note of records given to the graph.
    pub fn read(&self, records: usize, bytes: u64) {
        self.records_read.fetch_add(records as u64, Ordering::Relaxed);
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes note of what is about to be submitted to the committer with `frontier`.
    pub fn submitted(&self, frontier: u64, submission: Submission) {
        lock(&self.ledger).submit(frontier, submission);
    }

    /// Takes note of a commit, and wakes whoever waits for one.
    pub fn committed(&self, commit: &Commit) {
        lock(&self.ledger).commit(commit);
        lock(&self.latencies).turn(Instant::now());
        self.committed_at.store(now_ms(), Ordering::Relaxed);
        self.durable.store(commit.frontier, Ordering::Release);
        if let Some(since_start) = lock(&self.start).committed() {
            let seconds = since_start.as_secs_f64();
            tracing::info!(seconds, frontier = commit.frontier, "the first commit since the start");
        }
        let outbox = [StoredAlertChange::TABLE, StoredDeadLetter::TABLE];
        if commit.written.rows.iter().any(|(table, rows)| *rows > 0 && outbox.contains(table)) {
            self.publisher.tell_of_rows();
        }
        self.wake_all();
    }

    /// Takes note of the durable frontier and how far partitions are durable, in a process that has no
    /// committer.
    pub fn committed_elsewhere(&self, frontier: Option<u64>, partitions: Vec<PartitionPosition>) {
        let Some(frontier) = frontier.filter(|frontier| *frontier > self.durable.load(Ordering::Relaxed))
        else {
            return;
        };
        if !partitions.is_empty() {
            lock(&self.ledger).settle(partitions);
        }
        self.committed_at.store(now_ms(), Ordering::Relaxed);
        self.durable.store(frontier, Ordering::Release);
        lock(&self.start).committed();
    }

    /// Takes note of a failed commit: the sink sees it when it looks.
    pub fn commit_failed(&self, error: &PostgresError) {
        tracing::error!(%error, "the committer stopped");
        self.wake_all();
    }

    /// What is committed.
    pub fn totals(&self) -> Totals {
        lock(&self.ledger).totals().clone()
    }

    /// Lets the committer be watched.
    pub fn watch_committer(&self, monitor: Monitor) {
        *lock(&self.committer) = Some(monitor);
    }

    /// The committer, once there is one.
    pub fn committer(&self) -> Option<Monitor> {
        lock(&self.committer).clone()
    }

    /// Lets a worker's source be watched.
    pub fn watch_source(&self, worker: usize, progress: &Arc<SourceProgress>) {
        lock(&self.sources).insert(worker, Arc::clone(progress));
    }

    /// The workers' sources.
    pub fn sources(&self) -> Vec<Arc<SourceProgress>> {
        lock(&self.sources).values().cloned().collect()
    }

    /// Takes note of a worker's report.
    pub fn report(&self, worker: usize, report: WorkerReport) {
        lock(&self.workers).insert(worker, report);
    }

    /// The latest report of each worker that has begun to read.
    pub fn workers(&self) -> BTreeMap<usize, WorkerReport> {
        lock(&self.workers).clone()
    }

    /// Has `thread`, a worker's, woken at each commit, and by [`Status::ask_to_follow`].
    pub fn wake_worker(&self, thread: std::thread::Thread) {
        lock(&self.wake).push(thread);
    }

    /// A worker has opened `epoch` with records: those of this process are woken to open a later one.
    pub fn ask_to_follow(&self, epoch: u64) {
        self.to_follow.fetch_max(epoch, Ordering::Relaxed);
        self.wake_workers();
    }

    /// The last epoch with records, of any worker of this process; 0 if there is none yet or only one worker.
    pub fn asked_to_follow(&self) -> u64 {
        self.to_follow.load(Ordering::Relaxed)
    }

    fn wake_workers(&self) {
        lock(&self.wake).iter().for_each(std::thread::Thread::unpark);
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
        self.wake_workers();
    }

    /// Takes note of an alert change on its way to being committed.
    pub fn alert_change(&self, change: &AlertChange) {
        self.alert_changes.fetch_add(1, Ordering::Relaxed);
        if (change.kind, change.cause) == (ChangeKind::Raised, Cause::Transaction)
            && let Some(appended_at) = self.appended.find(change.alert.source)
        {
            self.publisher.track_pending_alert(&change.alert.transaction, appended_at);
        }
    }

    /// The latest committed changes of alerts, a few dozen at most, the last one at the end.
    pub fn latest_alerts(&self) -> Vec<LatestAlert> {
        lock(&self.ledger).latest_alerts().iter().cloned().collect()
    }

    /// The committed books.
    pub fn books(&self) -> BTreeMap<BooksEntry, i64> {
        lock(&self.ledger).totals().books.clone()
    }

    /// Latencies from the records' own time to their commit.
    pub fn latencies(&self) -> MutexGuard<'_, Latencies> {
        lock(&self.latencies)
    }
}
