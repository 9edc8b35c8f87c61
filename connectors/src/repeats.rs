//! Warnings that repeat: the first of a kind is told at once, later ones at most once a minute, with how many were left out.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// The least time between two of one kind.
const INTERVAL: Duration = Duration::from_secs(60);

/// What has been told, by kind. There should be few kinds: they are remembered for good.
pub(crate) struct Repeats<K>(HashMap<K, Told>);

struct Told {
    at: Instant,
    left_out: u64,
}

impl<K> Default for Repeats<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq> Repeats<K> {
    /// Takes note of one at the instant `now`. Where it is to be told, the number of those before it that were not.
    pub(crate) fn note(&mut self, kind: K, now: Instant) -> Option<u64> {
        let Some(told) = self.0.get_mut(&kind) else {
            self.0.insert(kind, Told { at: now, left_out: 0 });
            return Some(0);
        };
        if now.duration_since(told.at) < INTERVAL {
            told.left_out += 1;
            return None;
        }
        told.at = now;
        Some(std::mem::take(&mut told.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_kind_the_first_is_told_and_then_one_a_minute() {
        let (begun, mut repeats) = (Instant::now(), Repeats::default());
        let mut told = Vec::new();
        // Twenty a second of the one, for two minutes and a bit, and a single other.
        for number in 0..2450 {
            if let Some(left_out) = repeats.note("codec", begun + Duration::from_millis(50) * number) {
                told.push((number, left_out));
            }
        }
        assert_eq!(told, [(0, 0), (1200, 1199), (2400, 1199)]);
        assert_eq!(repeats.note("broker", begun), Some(0));
    }
}
