//! The request to stop, and its reason.

use crate::lock::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asked for by whoever runs the pipeline, or by a part of it that has failed.
#[derive(Default)]
pub struct Stop {
    asked: AtomicBool,
    /// Whether it was this process that was asked.
    asked_here: AtomicBool,
    failure: Mutex<Option<String>>,
    departure: Mutex<Option<String>>,
}

impl Stop {
    /// Asks all workers to commit what is in flight and to end.
    pub fn ask(&self) {
        self.asked_here.store(true, Ordering::Relaxed);
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Asks all workers to end because something failed; the first failure counts.
    pub fn fail(&self, failure: String) {
        lock(&self.failure).get_or_insert(failure);
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Asks all workers to commit what is in flight and to end because of something elsewhere; the first
    /// reason counts.
    pub fn leave(&self, reason: String) {
        lock(&self.departure).get_or_insert(reason);
        self.asked.store(true, Ordering::Relaxed);
    }

    /// What made this process end in order, where it was not itself asked to, before or meanwhile.
    pub fn departure(&self) -> Option<String> {
        lock(&self.departure).clone().filter(|_| !self.asked_here.load(Ordering::Relaxed))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked_has_not_left_because_of_others() {
        let stop = Stop::default();
        stop.leave("process 1 was asked to stop: all end".to_owned());
        stop.leave("later".to_owned());
        assert!(stop.is_asked() && stop.failure().is_none());
        assert_eq!(stop.departure().as_deref(), Some("process 1 was asked to stop: all end"));
        stop.ask();
        assert_eq!(stop.departure(), None);
    }
}
