//! What the committer's thread shares with its owner.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    /// Since when there is none, as far as known, ms since 1970; `None` where there is one, or was never a
    /// need for one.
    pub away_since: Option<u64>,
    /// When the transaction under way was begun, ms since 1970, retries and reconnects included.
    pub committing_since: Option<u64>,
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
    away_since: Instant,
    committing_since: Instant,
    connects: AtomicU64,
    retries: AtomicU64,
    queued_batches: AtomicUsize,
    queued_weight: AtomicUsize,
    totals: Mutex<Totals>,
}

/// A point in time that may be unset, ms since 1970.
#[derive(Debug, Default)]
struct Instant(AtomicU64);

impl Instant {
    fn set(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
        self.0.store(now as u64, Ordering::Relaxed);
    }

    fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|instant| *instant != 0)
    }
}

/// A view of a committer that outlives its owner's handle.
#[derive(Debug, Clone)]
pub struct Monitor(pub(super) Arc<Shared>);

impl Monitor {
    /// A look at what was done so far. Cheap.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }
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
            away_since: Instant::default(),
            committing_since: Instant::default(),
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
        self.away_since.clear();
    }

    pub(super) fn disconnected(&self) {
        if self.connected.swap(false, Ordering::Relaxed) {
            self.away_since.set();
        }
    }

    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        if !self.connected.load(Ordering::Relaxed) && self.away_since.get().is_none() {
            self.away_since.set();
        }
    }

    /// A transaction is begun.
    pub(super) fn committing(&self) {
        self.committing_since.set();
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
        self.committing_since.clear();
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
            away_since: self.away_since.get(),
            committing_since: self.committing_since.get(),
            queued_batches: self.queued_batches.load(Ordering::Relaxed),
            queued_weight: self.queued_weight.load(Ordering::Relaxed),
        }
    }

    fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
