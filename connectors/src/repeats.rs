//! Limits repeated warnings: the first of a kind is logged at once, later ones at most once a minute, with
//! the number left out.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// The shortest time between two warnings of one kind.
const INTERVAL: Duration = Duration::from_secs(60);

/// The last logged warning of each kind. There should be few kinds: they are never forgotten.
pub(crate) struct Repeats<K>(HashMap<K, Logged>);

struct Logged {
    at: Instant,
    left_out: u64,
}

impl<K> Default for Repeats<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq> Repeats<K> {
    /// Counts a warning at the instant `now`. If it is to be logged, returns the number left out before it.
    pub(crate) fn note(&mut self, kind: K, now: Instant) -> Option<u64> {
        let Some(logged) = self.0.get_mut(&kind) else {
            self.0.insert(kind, Logged { at: now, left_out: 0 });
            return Some(0);
        };
        if now.duration_since(logged.at) < INTERVAL {
            logged.left_out += 1;
            return None;
        }
        logged.at = now;
        Some(std::mem::take(&mut logged.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_kind_the_first_is_told_and_then_one_a_minute() {
        let (begun, mut repeats) = (Instant::now(), Repeats::default());
        let mut logged = Vec::new();
        // Twenty a second of the one, for two minutes and a bit, and a single other.
        for number in 0..2450 {
            if let Some(left_out) = repeats.note("codec", begun + Duration::from_millis(50) * number) {
                logged.push((number, left_out));
            }
        }
        assert_eq!(logged, [(0, 0), (1200, 1199), (2400, 1199)]);
        assert_eq!(repeats.note("broker", begun), Some(0));
    }
}
