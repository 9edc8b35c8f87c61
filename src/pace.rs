//! Sending at the rate of the events' own times.

use std::time::{Duration, Instant};

/// How often progress is logged.
const REPORT: Duration = Duration::from_secs(10);

/// Keeps to the schedule of event times: an event is due at its own time, however late the one before was.
pub struct Pace {
    started: Instant,
    first: i64,
    reported: Instant,
    behind: Duration,
}

impl Pace {
    /// `first`: the event time that is due now, microseconds since 1970.
    pub fn start(first: i64) -> Self {
        Self { started: Instant::now(), first, reported: Instant::now(), behind: Duration::ZERO }
    }

    /// Waits until `due`.
    pub fn wait_for(&mut self, due: i64) {
        let scheduled = Duration::from_micros(u64::try_from(due - self.first).unwrap_or(0));
        let elapsed = self.started.elapsed();
        match scheduled.checked_sub(elapsed) {
            Some(early) => std::thread::sleep(early),
            None => self.behind = elapsed - scheduled,
        }
    }

    /// Logs how much was sent, every ten seconds, and whether that is behind the schedule.
    pub fn report(&mut self, sent: u64) {
        if self.reported.elapsed() < REPORT {
            return;
        }
        self.reported = Instant::now();
        tracing::info!(sent, "generating");
        if self.behind > Duration::from_secs(1) {
            tracing::warn!(seconds = self.behind.as_secs(), "behind the set rate");
        }
    }
}
