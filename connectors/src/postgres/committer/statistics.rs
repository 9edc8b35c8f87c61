//! What the committer's thread shares with its owner.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::Written;
use crate::postgres::error::PostgresError;

/// One durable transaction.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Everything up to here is durable.
    pub frontier: u64,
    /// Batches merged into it.
    pub batches: usize,
    /// Time from its first BEGIN, retries and reconnects included.
    pub took: Duration,
    /// Rows by table.
    pub written: Written,
}

/// Totals since the start, and the present state.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// Transactions committed.
    pub commits: u64,
    /// Batches in them.
    pub batches: u64,
    /// Attempts that failed and were (or will be) repeated, connecting included.
    pub retries: u64,
    /// Connections made.
    pub connects: u64,
    /// Whether there is a connection now, as far as known.
    pub connected: bool,
    /// How long the last transaction took.
    pub last_commit: Duration,
    /// Rows written, by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Batches submitted and not yet committed.
    pub queued_batches: usize,
    /// Their weight.
    pub queued_weight: usize,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) durable: Arc<AtomicU64>,
    failure: OnceLock<PostgresError>,
    connected: AtomicBool,
    connects: AtomicU64,
    retries: AtomicU64,
    queued_batches: AtomicUsize,
    queued_weight: AtomicUsize,
    totals: Mutex<Totals>,
}

#[derive(Debug, Default)]
struct Totals {
    commits: u64,
    batches: u64,
    last_commit: Duration,
    rows: BTreeMap<&'static str, u64>,
}

impl Shared {
    pub(super) fn new(durable: u64) -> Self {
        Self {
            durable: Arc::new(AtomicU64::new(durable)),
            failure: OnceLock::new(),
            connected: AtomicBool::new(false),
            connects: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            queued_batches: AtomicUsize::new(0),
            queued_weight: AtomicUsize::new(0),
            totals: Mutex::default(),
        }
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn queued(&self, weight: usize) {
        self.queued_batches.fetch_add(1, Ordering::Relaxed);
        self.queued_weight.fetch_add(weight, Ordering::Relaxed);
    }

    pub(super) fn connected(&self) {
        self.connects.fetch_add(1, Ordering::Relaxed);
        self.connected.store(true, Ordering::Relaxed);
    }

    pub(super) fn disconnected(&self) {
        self.connected.store(false, Ordering::Relaxed);
    }

    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a commit, then publishes its frontier.
    pub(super) fn committed(&self, commit: &Commit, weight: usize) {
        {
            let mut totals = self.totals();
            totals.commits += 1;
            totals.batches += commit.batches as u64;
            totals.last_commit = commit.took;
            for (table, rows) in &commit.written.rows {
                *totals.rows.entry(table).or_default() += rows;
            }
        }
        self.queued_batches.fetch_sub(commit.batches, Ordering::Relaxed);
        self.queued_weight.fetch_sub(weight, Ordering::Relaxed);
        self.durable.store(commit.frontier, Ordering::Release);
    }

    /// Keeps the first failure.
    pub(super) fn fail(&self, error: PostgresError) {
        self.disconnected();
        self.failure.get_or_init(|| error);
    }

    pub(super) fn failure(&self) -> Option<PostgresError> {
        self.failure.get().cloned()
    }

    pub(super) fn statistics(&self) -> Statistics {
        let totals = self.totals();
        Statistics {
            commits: totals.commits,
            batches: totals.batches,
            last_commit: totals.last_commit,
            rows: totals.rows.clone(),
            retries: self.retries.load(Ordering::Relaxed),
            connects: self.connects.load(Ordering::Relaxed),
            connected: self.connected.load(Ordering::Relaxed),
            queued_batches: self.queued_batches.load(Ordering::Relaxed),
            queued_weight: self.queued_weight.load(Ordering::Relaxed),
        }
    }

    fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
