//! Adding up by key before anything travels: a batch of transactions has few days, minutes and stores.

use super::accumulate::Sum;
use std::hash::Hash;

/// Sums by key over one batch.
pub struct Combined<K, V> {
    sums: hashbrown::HashMap<K, V, foldhash::fast::FixedState>,
}

impl<K, V> Default for Combined<K, V> {
    fn default() -> Self {
        Self { sums: hashbrown::HashMap::default() }
    }
}

impl<K: Hash + Eq, V: Sum> Combined<K, V> {
    /// Adds a contribution.
    pub fn add(&mut self, key: K, value: V) {
        *self.sums.entry(key).or_default() += value;
    }

    /// Takes the sums out, in no particular order.
    pub fn drain(&mut self) -> impl Iterator<Item = (K, V)> + '_ {
        self.sums.drain()
    }
}
