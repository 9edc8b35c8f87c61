//! Retries: one log line when they begin, one when they end, and growing pauses between.

use super::error::PublisherError;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A series of retries; the default is none.
#[derive(Default)]
pub struct Outage {
    since: Option<Instant>,
    attempts: u32,
}

impl Outage {
    /// Takes note of an error and returns how long to pause.
    pub fn note(&mut self, error: &PublisherError) -> Duration {
        if self.since.is_none() {
            tracing::warn!(%error, "publishing waits; retrying");
        } else {
            tracing::debug!(%error, attempts = self.attempts, "publishing still waits");
        }
        self.since.get_or_insert_with(Instant::now);
        self.attempts += 1;
        pause(self.attempts)
    }

    /// Takes note of a success.
    pub fn over(&mut self) {
        if let Self { since: Some(since), attempts } = std::mem::take(self) {
            tracing::info!(attempts, outage = ?since.elapsed(), "publishing goes on");
        }
    }
}

/// Doubles up to the longest, less up to a half by chance: several clients must not come back in step.
fn pause(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let nominal = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    nominal.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        for (attempts, nominal) in [(1, 50), (2, 100), (3, 200), (7, 3200), (8, 5000), (u32::MAX, 5000)] {
            let (pause, nominal) = (pause(attempts), Duration::from_millis(nominal));
            assert!(pause <= nominal && pause * 2 >= nominal, "{attempts}: {pause:?}");
        }
    }
}
