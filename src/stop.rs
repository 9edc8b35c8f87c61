//! The request to stop, or to form anew, and its reason.

use crate::lock::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

/// This process was asked to stop.
const ASKED: u8 = 1;
/// A part of it has failed.
const FAILED: u8 = 2;
/// The processes are to form anew, after committing what is in flight.
const LEAVES: u8 = 4;
/// They are to form anew, and cannot commit what is in flight.
const LOST: u8 = 8;

/// Asked for by whoever runs the pipeline, by a part of it that has failed, or by another process.
#[derive(Default)]
pub struct Stop {
    flags: AtomicU8,
    failure: Mutex<Option<String>>,
    /// Why the processes are to form anew.
    reason: Mutex<Option<String>>,
}

impl Stop {
    /// Asks all workers to commit what is in flight and to end.
    pub fn ask(&self) {
        self.raise(ASKED);
    }

    /// Asks all workers to end because something failed; the first failure counts. Once the dataflow is given up because
    /// another process was lost, that parts of it fail is no wonder: what will not mend fails again in the next one.
    pub fn fail(&self, failure: String) {
        if self.has(LOST) {
            tracing::warn!(failure, "a part of a dataflow that is given up fails");
        } else {
            self.end(failure);
        }
    }

    /// Asks all workers to end, and the process with them, because something failed.
    pub fn end(&self, failure: String) {
        lock(&self.failure).get_or_insert(failure);
        self.raise(FAILED);
    }

    /// Asks all workers to commit what is in flight and to end, so that the processes form anew; the first reason
    /// counts.
    pub fn leave(&self, reason: String) {
        lock(&self.reason).get_or_insert(reason);
        self.raise(LEAVES);
    }

    /// Asks all workers to end at once, so that the processes form anew; the first reason counts. What is in flight
    /// cannot be committed any more.
    pub fn lose(&self, reason: String) {
        lock(&self.reason).get_or_insert(reason);
        self.raise(LOST);
    }

    /// Lets the processes form anew. The reason, if they are to; not where this process is to end.
    pub fn begin_anew(&self) -> Option<String> {
        if self.has(ASKED | FAILED) {
            return None;
        }
        self.flags.fetch_and(!(LEAVES | LOST), Ordering::Relaxed);
        lock(&self.reason).take()
    }

    /// Whether the workers are asked to end.
    pub fn is_asked(&self) -> bool {
        self.has(ASKED | FAILED | LEAVES | LOST)
    }

    /// Whether this process is asked to end.
    pub fn is_asked_here(&self) -> bool {
        self.has(ASKED)
    }

    /// Whether what is in flight cannot be committed any more.
    pub fn is_broken(&self) -> bool {
        self.has(FAILED | LOST)
    }

    /// What failed.
    pub fn failure(&self) -> Option<String> {
        lock(&self.failure).clone()
    }

    /// Why the processes are to form anew, or why this one could not commit what was in flight.
    pub fn reason(&self) -> Option<String> {
        lock(&self.reason).clone()
    }

    fn raise(&self, flag: u8) {
        self.flags.fetch_or(flag, Ordering::Relaxed);
    }

    fn has(&self, flags: u8) -> bool {
        self.flags.load(Ordering::Relaxed) & flags > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_form_anew_for_the_first_reason() {
        let stop = Stop::default();
        assert_eq!(stop.begin_anew(), None);
        stop.leave("process 3 joins".to_owned());
        assert!(stop.is_asked() && !stop.is_broken());
        stop.lose("process 1 is gone".to_owned());
        assert!(stop.is_broken() && stop.failure().is_none());
        assert_eq!(stop.begin_anew().as_deref(), Some("process 3 joins"));
        assert!(!stop.is_asked() && !stop.is_broken());
        stop.lose("process 2 is gone".to_owned());
        assert_eq!(stop.begin_anew().as_deref(), Some("process 2 is gone"));
    }

    #[test]
    fn what_fails_of_a_dataflow_that_is_given_up_ends_no_process() {
        let stop = Stop::default();
        stop.lose("process 1 is gone".to_owned());
        stop.fail("fenced".to_owned());
        assert_eq!((stop.failure(), stop.begin_anew().as_deref()), (None, Some("process 1 is gone")));
        stop.lose("process 2 is gone".to_owned());
        stop.end("the workers do not end".to_owned());
        assert_eq!(stop.begin_anew(), None);
    }

    #[test]
    fn who_is_to_end_does_not_form_anew() {
        for end in [Stop::ask, |stop: &Stop| stop.fail("fenced".to_owned())] {
            let stop = Stop::default();
            end(&stop);
            stop.lose("process 1 is gone".to_owned());
            assert_eq!(stop.begin_anew(), None);
            assert!(stop.is_asked());
        }
    }
}
