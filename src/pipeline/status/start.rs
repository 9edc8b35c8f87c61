//! From the start to the first commit.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The progress of the start.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Whether it waits for other processes, or has.
    pub gathers: bool,
    /// Why it does so again.
    pub anew_because: Option<String>,
    /// When the lease was taken.
    begun: Option<Instant>,
    /// Workers that are to restore their state.
    workers: usize,
    restored_workers: usize,
    /// Rows restored, by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// How long restoring took, once all workers are done.
    pub hydration: Option<Duration>,
    /// How long it took from the lease to the first commit.
    pub first_commit: Option<Duration>,
}

impl Start {
    /// Other processes are waited for.
    pub fn gather(&mut self) {
        self.gathers = true;
    }

    /// Begins again, for this reason.
    pub fn anew(&mut self, reason: String) {
        *self = Self { anew_because: Some(reason), ..Self::default() };
    }

    /// The lease is taken, and `workers` workers begin to restore their state.
    pub fn begin(&mut self, workers: usize) {
        *self = Self { gathers: self.gathers, begun: Some(Instant::now()), workers, ..Self::default() };
    }

    /// Since when the state is being restored; `None` before the lease.
    pub fn begun(&self) -> Option<Instant> {
        self.begun
    }

    /// More rows are restored.
    pub fn restored(&mut self, rows: &BTreeMap<&'static str, u64>) {
        for (table, rows) in rows {
            *self.rows.entry(table).or_default() += rows;
        }
    }

    /// A worker's state is restored.
    pub fn worker_restored(&mut self) {
        self.restored_workers += 1;
        if self.restored_workers == self.workers {
            self.hydration = self.begun.map(|begun| begun.elapsed());
        }
    }

    /// Records a commit. Returns the time since the lease if it is the first one.
    pub fn committed(&mut self) -> Option<Duration> {
        if self.first_commit.is_some() {
            return None;
        }
        self.first_commit = self.begun.map(|begun| begun.elapsed());
        self.first_commit
    }
}
