//! Retries: one log line when they begin, one when they end, and growing pauses between.

use crate::backoff::Backoff;
use std::fmt::Display;
use std::time::{Duration, Instant};

/// Counts failed attempts from the first failure to the next success, and logs both.
pub struct Outage {
    words: Words,
    pauses: Pauses,
    under_way: Option<UnderWay>,
}

/// Texts of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// When it begins, such as "commits wait".
    pub wait: &'static str,
    /// When it ends, such as "commits go on".
    pub go_on: &'static str,
}

/// Bounds of the pauses between two attempts; they double from the one to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// Before the first retry.
    pub shortest: Duration,
    /// The longest pause.
    pub longest: Duration,
}

struct UnderWay {
    since: Instant,
    attempts: u32,
    backoff: Backoff,
}

impl Outage {
    /// Creates an outage that has not begun.
    #[must_use]
    pub fn new(words: Words, pauses: Pauses) -> Self {
        Self { words, pauses, under_way: None }
    }

    /// Records a failure and returns how long to pause.
    pub fn note(&mut self, error: &dyn Display) -> Duration {
        let Words { wait, .. } = self.words;
        if let Some(UnderWay { attempts, .. }) = self.under_way {
            tracing::debug!(%error, attempts, "{wait}; still retrying");
        } else {
            tracing::warn!(%error, "{wait}; retrying");
        }
        let Pauses { shortest, longest } = self.pauses;
        let under_way = self.under_way.get_or_insert_with(|| UnderWay {
            since: Instant::now(),
            attempts: 0,
            backoff: Backoff::new(shortest, longest),
        });
        under_way.attempts += 1;
        under_way.backoff.pause()
    }

    /// Records a success.
    pub fn over(&mut self) {
        if let Some(UnderWay { since, attempts, .. }) = self.under_way.take() {
            tracing::info!(attempts, outage = ?since.elapsed(), "{}", self.words.go_on);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outage_begins_with_a_short_pause() {
        let pauses = Pauses { shortest: Duration::from_millis(50), longest: Duration::from_secs(5) };
        let mut outage = Outage::new(Words { wait: "tests wait", go_on: "tests go on" }, pauses);
        for _ in 0..2 {
            for nominal in [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000] {
                let (pause, nominal) = (outage.note(&"away"), Duration::from_millis(nominal));
                assert!(pause <= nominal && pause * 2 >= nominal, "{nominal:?}: {pause:?}");
            }
            outage.over();
        }
    }
}
