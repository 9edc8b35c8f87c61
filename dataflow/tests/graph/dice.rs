//! Random choices.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A seeded source of choices.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high.max(low))
    }

    /// True in `percent` of a hundred throws.
    pub(crate) fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }

    /// An index below `length`.
    pub(crate) fn below(&mut self, length: usize) -> usize {
        self.0.random_range(0..length.max(1))
    }

    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// One of the choices, each as likely as its weight.
    pub(crate) fn weighted<T: Copy>(&mut self, choices: &[(i64, T)]) -> T {
        let total: i64 = choices.iter().map(|(weight, _)| weight).sum();
        let mut throw = self.between(1, total);
        for (weight, choice) in choices {
            throw -= weight;
            if throw <= 0 {
                return *choice;
            }
        }
        choices[0].1
    }

    pub(crate) fn shuffle<T>(&mut self, values: &mut [T]) {
        for index in (1..values.len()).rev() {
            let other = self.below(index + 1);
            values.swap(index, other);
        }
    }
}
