//! The ids that are remembered: 32 bytes each, whatever their length.
//!
//! Ids and customers are kept as a keyed 128-bit hash (SipHash-1-3, the key drawn anew by each process): 96 bits tell ids
//! apart, the rest customers. Among a hundred million ids two share a fingerprint with a probability of 1e-13.

use crate::admission::Arrival;
use crate::model::Transaction;
use hashbrown::HashTable;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::{BuildHasher, Hasher, RandomState};

/// What is remembered of a transaction's current version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    id_high: u64,
    /// Event time, microseconds since 1970.
    pub event_time: i64,
    id_low: u32,
    /// Fingerprint of the customer.
    pub customer: u32,
    /// Revision.
    pub revision: u32,
    /// The partition of its event.
    pub partition: crate::model::PartitionId,
}

impl Known {
    fn same_id(&self, other: &Self) -> bool {
        self.id_high == other.id_high && self.id_low == other.id_low
    }
}

/// Tables that grow at different times: a hash table doubles when it is full, so one table would at times hold twice the
/// memory it needs, and while it grows three times. The share of ids that a table takes grows by 2^(1/SHARDS) from one
/// to the next, so that their fill levels are spread evenly at all times.
const SHARDS: usize = 64;

/// Arrivals that are looked up together.
const LOOK_AHEAD: usize = 32;

/// The remembered ids.
pub(super) struct KnownIds {
    keys: (u64, u64),
    shards: Vec<HashTable<Known>>,
    /// What lies before this event time has been let go.
    forgotten: i64,
}

impl Default for KnownIds {
    fn default() -> Self {
        let random = RandomState::new();
        Self {
            keys: (random.hash_one(1), random.hash_one(2)),
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            forgotten: i64::MIN,
        }
    }
}

impl KnownIds {
    /// What would be remembered of the next arrivals.
    ///
    /// Looking them all up before the first is decided lets the memory accesses, which miss every cache, overlap.
    pub(super) fn look_ahead(&self, arrivals: &[Arrival]) -> Vec<Known> {
        let next = arrivals.iter().take(LOOK_AHEAD);
        let entries: Vec<Known> = next.map(|arrival| self.entry_for(&arrival.transaction)).collect();
        let found = entries.iter().filter(|entry| self.find(entry).is_some()).count();
        std::hint::black_box(found);
        entries
    }

    fn entry_for(&self, transaction: &Transaction) -> Known {
        let id = self.fingerprint(&transaction.id);
        let customer = self.fingerprint(&transaction.customer);
        Known {
            id_high: id.0,
            event_time: transaction.event_time,
            id_low: id.1,
            customer: customer.1,
            revision: transaction.revision,
            partition: transaction.source.partition(),
        }
    }

    fn fingerprint(&self, id: &str) -> (u64, u32) {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        hasher.write(id.as_bytes());
        let hash = hasher.finish128();
        (hash.h1, hash.h2 as u32)
    }

    /// What is remembered of the same id.
    pub(super) fn find(&self, entry: &Known) -> Option<&Known> {
        self.shards[shard(entry.id_high)].find(entry.id_high, |known| known.same_id(entry))
    }

    /// Remembers `entry`, in place of what was known of its id.
    pub(super) fn set(&mut self, entry: Known) {
        let shard = &mut self.shards[shard(entry.id_high)];
        let found = shard.entry(entry.id_high, |known| known.same_id(&entry), |known| known.id_high);
        match found {
            hashbrown::hash_table::Entry::Occupied(mut slot) => *slot.get_mut() = entry,
            hashbrown::hash_table::Entry::Vacant(slot) => {
                slot.insert(entry);
            }
        }
    }

    /// Lets go of what lies before an event time, each time that it has moved by `step`.
    pub(super) fn forget(&mut self, before: i64, step: i64) {
        if before.saturating_sub(self.forgotten) < step.max(1) {
            return;
        }
        self.forgotten = before;
        for shard in &mut self.shards {
            shard.retain(|known| known.event_time >= before);
        }
    }
}

/// Floor of SHARDS * log2(1 + u), u in 0..1 from bits of the hash that the tables look at last.
fn shard(hash: u64) -> usize {
    let fraction = ((hash >> 24) & 0xff_ffff) as f32 / (1u64 << 24) as f32;
    (((1.0 + fraction).log2() * SHARDS as f32) as usize).min(SHARDS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_32_bytes() {
        assert_eq!(size_of::<Known>(), 32);
    }

    #[test]
    fn every_hash_has_a_shard_and_all_are_used() {
        let mut used = [0u32; SHARDS];
        for step in 0..1_000_000u64 {
            used[shard(step.wrapping_mul(0x9e37_79b9_7f4a_7c15))] += 1;
        }
        assert!(used.iter().all(|count| *count > 0));
        assert_eq!(shard(u64::MAX), SHARDS - 1);
        let ratio = f64::from(used[SHARDS - 1]) / f64::from(used[0]);
        assert!((1.8..2.2).contains(&ratio), "{ratio}");
    }
}
