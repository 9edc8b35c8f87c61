//! The wish to stop, and why.

use super::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asked for by whoever runs the pipeline, or by a part of it that has failed.
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
