//! The wish to stop, and why.

use super::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asked for by whoever runs the pipeline, or by a part of it that has failed.
#[derive(Default)]
pub struct Stop {
    asked: AtomicBool,
    failure: Mutex<Option<String>>,
    departure: Mutex<Option<String>>,
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

    /// Asks all workers to commit what is in flight and to end because of something elsewhere; the first reason counts, and none
    /// where this process was asked before.
    pub fn leave(&self, reason: String) {
        if !self.asked.swap(true, Ordering::Relaxed) {
            lock(&self.departure).get_or_insert(reason);
        }
    }

    /// What made this process end in order, where it was not itself asked to.
    pub fn departure(&self) -> Option<String> {
        lock(&self.departure).clone()
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
