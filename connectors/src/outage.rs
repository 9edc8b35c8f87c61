//! Retries: a log line when they begin, when their cause changes, now and then while it does not, and when they
//! end; growing pauses between.

use crate::backoff::Backoff;
use std::fmt::Display;
use std::time::{Duration, Instant};

/// How often a cause that stays the same is logged again.
const REMINDER: Duration = Duration::from_secs(60);

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
    /// The cause that was logged last, and when.
    logged: Option<(String, Instant)>,
}

impl UnderWay {
    /// Whether to log this cause at the instant `now`; if so it counts as logged.
    fn is_due(&mut self, cause: &str, now: Instant) -> bool {
        let due = self
            .logged
            .as_ref()
            .is_none_or(|(logged, at)| logged != cause || now.duration_since(*at) >= REMINDER);
        if due {
            self.logged = Some((cause.to_owned(), now));
        }
        due
    }
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
        let Pauses { shortest, longest } = self.pauses;
        let now = Instant::now();
        let under_way = self.under_way.get_or_insert_with(|| UnderWay {
            since: now,
            attempts: 0,
            backoff: Backoff::new(shortest, longest),
            logged: None,
        });
        under_way.attempts += 1;
        let attempts = under_way.attempts;
        match (attempts, under_way.is_due(&error.to_string(), now)) {
            (1, _) => tracing::warn!(%error, "{wait}; retrying"),
            (_, true) => tracing::warn!(%error, attempts, "{wait}; still retrying"),
            (_, false) => tracing::debug!(%error, attempts, "{wait}; still retrying"),
        }
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

    #[test]
    fn a_cause_is_logged_when_it_is_new_and_then_once_a_minute() {
        let begun = Instant::now();
        let backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        let mut outage = UnderWay { since: begun, attempts: 0, backoff, logged: None };
        let causes = [(0, "refused"), (1, "refused"), (59, "refused"), (60, "starting up"), (61, "refused")];
        let later = [(62, "refused"), (120, "refused"), (121, "refused"), (122, "refused"), (181, "refused")];
        let mut logged = Vec::new();
        for (second, cause) in causes.into_iter().chain(later) {
            if outage.is_due(cause, begun + Duration::from_secs(second)) {
                logged.push(second);
            }
        }
        assert_eq!(logged, [0, 60, 61, 121, 181]);
    }
}
