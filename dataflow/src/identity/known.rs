//! The remembered ids: 28 bytes each, whatever their length.
//!
//! Ids and customers are kept as a keyed 128-bit hash (SipHash-1-3, the key drawn anew by each process): 96
//! bits identify an id, the rest a customer. Among a hundred million ids two share a fingerprint with a
//! probability of 1e-13.

use crate::admitted_event::AdmittedEvent;
use hashbrown::HashTable;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use streamflow_model::{PartitionId, Transaction};

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
    pub partition: PartitionId,
}

impl Known {
    fn same_id(&self, other: &Self) -> bool {
        self.id_high == other.id_high && self.id_low == other.id_low
    }
}

/// Tables that grow at different times: a hash table doubles when it is full, so one table would at times
/// hold twice the memory it needs, and while it grows three times. The share of ids that a table takes grows
/// by 2^(1/SHARDS) from one to the next, so that their fill levels are spread evenly at all times.
const SHARDS: usize = 64;

/// Events that are looked up together.
const LOOK_AHEAD: usize = 32;

/// The remembered ids: a queue in the order of arrival, and an index from id to position in it.
///
/// The queue is dense and only the index, a sixth of it, has a hash table's slack. A new id is appended, and
/// the oldest is removed without reading any other.
pub(super) struct KnownIds {
    keys: (u64, u64),
    customer_hasher: foldhash::fast::RandomState,
    /// Shard by the bits of an id's hash that the tables use last.
    shard_of: Vec<u8>,
    queue: Queue,
    shards: Vec<HashTable<u32>>,
}

impl Default for KnownIds {
    fn default() -> Self {
        let random = RandomState::new();
        Self {
            keys: (random.hash_one(1), random.hash_one(2)),
            customer_hasher: foldhash::fast::RandomState::default(),
            shard_of: (0..SHARD_SLOTS).map(|slot| shard(slot) as u8).collect(),
            queue: Queue::default(),
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
        }
    }
}

impl KnownIds {
    /// The entries of the next events.
    ///
    /// Looking all of them up before the first is decided lets the memory accesses, which miss every cache,
    /// overlap.
    pub(super) fn look_ahead(&self, events: &[AdmittedEvent]) -> Vec<Known> {
        let next = events.iter().take(LOOK_AHEAD);
        let entries: Vec<Known> = next.map(|event| self.entry_for(&event.transaction)).collect();
        let found = entries.iter().filter(|entry| self.find(entry).is_some()).count();
        std::hint::black_box(found);
        entries
    }

    /// How many ids are remembered.
    pub(super) fn len(&self) -> usize {
        let before = self.queue.blocks.len().saturating_sub(1) * BLOCK;
        before + self.queue.blocks.back().map_or(0, |last| last.entries.len()) - self.queue.gone
    }

    /// Their memory, bytes.
    pub(super) fn bytes(&self) -> usize {
        let index: usize = self.shards.iter().map(HashTable::allocation_size).sum();
        self.queue.blocks.len() * BLOCK * size_of::<Packed>() + index
    }

    /// Remembers a transaction that is not known.
    pub(super) fn remember(&mut self, transaction: &Transaction) {
        self.add(self.entry_for(transaction));
    }

    /// Remembers a transaction's current version.
    pub(super) fn remember_or_replace(&mut self, transaction: &Transaction) {
        let entry = self.entry_for(transaction);
        match self.find(&entry) {
            Some((number, _)) => self.replace(number, entry),
            None => self.add(entry),
        }
    }

    /// What is to be remembered of a transaction.
    pub(super) fn entry_for(&self, transaction: &Transaction) -> Known {
        let id = self.fingerprint(&transaction.id);
        Known {
            id_high: id.0,
            event_time: transaction.event_time,
            id_low: id.1,
            customer: self.customer_hasher.hash_one(transaction.customer.as_str()) as u32,
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

    /// The remembered entry of the same id, with its number.
    pub(super) fn find(&self, entry: &Known) -> Option<(u32, Known)> {
        let same = |number: &u32| self.queue.get(*number).same_id(entry);
        let number = self.shards[self.shard(entry.id_high)].find(entry.id_high, same)?;
        Some((*number, self.queue.get(*number)))
    }

    /// Remembers an id that is not known.
    pub(super) fn add(&mut self, entry: Known) {
        let (hash, shard) = (entry.id_high, self.shard(entry.id_high));
        let number = self.queue.push(entry);
        let queue = &self.queue;
        self.shards[shard].insert_unique(hash, number, |number| queue.hash(*number));
    }

    /// Replaces the entry `number` by `entry`, of the same id.
    pub(super) fn replace(&mut self, number: u32, entry: Known) {
        self.queue.set(number, entry);
    }

    fn shard(&self, hash: u64) -> usize {
        usize::from(self.shard_of[(hash >> 24) as usize % SHARD_SLOTS])
    }

    /// Forgets ids in the order of arrival, up to the first whose event time is not before `before`.
    pub(super) fn forget(&mut self, before: i64) {
        let mut oldest = Vec::with_capacity(LOOK_AHEAD);
        loop {
            while oldest.len() < LOOK_AHEAD
                && let Some((number, known)) =
                    self.queue.front().filter(|(_, known)| known.event_time < before)
            {
                oldest.push((known.id_high, number));
                self.queue.pop();
            }
            if oldest.is_empty() {
                return;
            }
            self.remove(&oldest);
            oldest.clear();
        }
    }

    /// Takes ids out of the index, given by hash and number.
    fn remove(&mut self, ids: &[(u64, u32)]) {
        let find =
            |(hash, number): &(u64, u32)| self.shards[self.shard(*hash)].find(*hash, |found| found == number);
        std::hint::black_box(ids.iter().filter_map(find).count());
        for (hash, number) in ids {
            let shard = self.shard(*hash);
            if let Ok(slot) = self.shards[shard].find_entry(*hash, |found| found == number) {
                slot.remove();
            }
        }
    }
}

/// Entries in blocks that never move, so growing copies nothing and wastes at most one block. Entries have
/// numbers, which wrap around: memory never holds 2^32 of them.
#[derive(Default)]
struct Queue {
    blocks: VecDeque<Block>,
    /// Number of the first block's first entry.
    first: u32,
    /// Entries of the first block that have been removed.
    gone: usize,
    /// Event times too far from their block's, by number.
    far: HashMap<u32, i64>,
}

/// Consecutive entries, with event times relative to the first one's.
struct Block {
    event_time: i64,
    entries: Vec<Packed>,
}

/// A [`Known`] in 28 bytes.
#[derive(Clone, Copy)]
struct Packed {
    id: [u32; 3],
    customer: u32,
    revision: u32,
    event_time: Offset,
    partition: PartitionId,
}

impl Packed {
    /// The upper 64 bits of the id.
    fn hash(&self) -> u64 {
        let [_, middle, high] = self.id;
        u64::from(high) << 32 | u64::from(middle)
    }
}

/// Microseconds in 48 bits with a sign: four years to either side.
#[derive(Clone, Copy, PartialEq)]
struct Offset([u16; 3]);

impl Offset {
    /// For all that do not fit.
    const FAR: Self = Self([0, 0, 1 << 15]);

    fn new(micros: Option<i64>) -> Self {
        let fits = |micros: &i64| micros.unsigned_abs() < 1 << 47;
        let parts = |micros: i64| Self([micros as u16, (micros >> 16) as u16, (micros >> 32) as u16]);
        micros.filter(fits).map_or(Self::FAR, parts)
    }

    /// `None` for one that did not fit.
    fn micros(self) -> Option<i64> {
        let [low, middle, high] = self.0;
        let micros = i64::from(high as i16) << 32 | i64::from(middle) << 16 | i64::from(low);
        (self != Self::FAR).then_some(micros)
    }
}

const BLOCK: usize = 1024;

impl Queue {
    fn get(&self, number: u32) -> Known {
        let (block, index) = self.locate(number);
        let block = &self.blocks[block];
        let packed = block.entries[index];
        let Packed { id: [low, ..], customer, revision, event_time, partition } = packed;
        let event_time = match event_time.micros() {
            Some(offset) => block.event_time + offset,
            None => self.far.get(&number).copied().unwrap_or(block.event_time),
        };
        let id_high = packed.hash();
        Known { id_high, event_time, id_low: low, customer, revision, partition }
    }

    fn hash(&self, number: u32) -> u64 {
        let (block, index) = self.locate(number);
        self.blocks[block].entries[index].hash()
    }

    /// The block of an entry, and its index there.
    fn locate(&self, number: u32) -> (usize, usize) {
        let index = number.wrapping_sub(self.first) as usize;
        (index / BLOCK, index % BLOCK)
    }

    fn set(&mut self, number: u32, entry: Known) {
        let (block, index) = self.locate(number);
        let offset = entry.event_time.checked_sub(self.blocks[block].event_time);
        let packed = self.pack(number, entry, offset);
        self.blocks[block].entries[index] = packed;
    }

    /// Appends an entry and returns its number.
    fn push(&mut self, entry: Known) -> u32 {
        if self.blocks.back().is_none_or(|last| last.entries.len() == BLOCK) {
            let entries = Vec::with_capacity(BLOCK);
            self.blocks.push_back(Block { event_time: entry.event_time, entries });
        }
        let before = (self.blocks.len() - 1) * BLOCK;
        let last = self.blocks.back().map_or(0, |last| last.entries.len());
        let number = self.first.wrapping_add((before + last) as u32);
        let offset = self.blocks.back().and_then(|last| entry.event_time.checked_sub(last.event_time));
        let packed = self.pack(number, entry, offset);
        if let Some(last) = self.blocks.back_mut() {
            last.entries.push(packed);
        }
        number
    }

    fn pack(&mut self, number: u32, entry: Known, offset: Option<i64>) -> Packed {
        let Known { id_high, event_time, id_low, customer, revision, partition } = entry;
        let offset = Offset::new(offset);
        if offset == Offset::FAR {
            self.far.insert(number, event_time);
        }
        let id = [id_low, id_high as u32, (id_high >> 32) as u32];
        Packed { id, customer, revision, event_time: offset, partition }
    }

    /// The oldest entry and its number.
    fn front(&self) -> Option<(u32, Known)> {
        let number = self.first.wrapping_add(self.gone as u32);
        let first = self.blocks.front()?;
        (self.gone < first.entries.len()).then(|| (number, self.get(number)))
    }

    fn pop(&mut self) {
        if !self.far.is_empty() {
            self.far.remove(&self.first.wrapping_add(self.gone as u32));
        }
        self.gone += 1;
        if self.gone == BLOCK {
            self.blocks.pop_front();
            self.first = self.first.wrapping_add(BLOCK as u32);
            self.gone = 0;
        }
    }
}

const SHARD_SLOTS: usize = 1 << 12;

/// Floor of SHARDS * log2(1 + u), for u = slot / SHARD_SLOTS.
fn shard(slot: usize) -> usize {
    let fraction = slot as f64 / SHARD_SLOTS as f64;
    (((1.0 + fraction).log2() * SHARDS as f64) as usize).min(SHARDS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_28_bytes() {
        assert_eq!(size_of::<Packed>(), 28);
    }

    fn known(id: u64, event_time: i64) -> Known {
        let partition = PartitionId::new(0, 0).unwrap();
        Known { id_high: id << 24, event_time, id_low: 7, customer: 1, revision: 0, partition }
    }

    #[test]
    fn the_oldest_are_forgotten_in_the_order_of_arrival() {
        let mut ids = KnownIds::default();
        ids.queue.first = u32::MAX - 2000;
        let count = 5 * BLOCK as u64;
        for id in 0..count {
            ids.add(known(id, id as i64));
        }
        assert_eq!(ids.len() as u64, count);
        assert!(ids.bytes() > ids.len() * size_of::<Packed>());
        let (number, _) = ids.find(&known(3000, 0)).unwrap();
        ids.replace(number, known(3000, 1_000_000));
        for forgotten in [0, 1, 999, 1024, 3000] {
            ids.forget(forgotten);
            let expected = |id| id as i64 >= forgotten || id == 3000;
            assert!((0..count).all(|id| ids.find(&known(id, 0)).is_some() == expected(id)), "{forgotten}");
        }
        // Ids that arrived after one that is kept are kept too.
        ids.forget(4000);
        assert!(ids.find(&known(3001, 0)).is_some());
        ids.forget(i64::MAX);
        assert!(ids.queue.front().is_none() && ids.shards.iter().all(HashTable::is_empty));
        assert_eq!(ids.len(), 0);
        ids.add(known(1, 1));
        assert_eq!(ids.find(&known(1, 0)).unwrap().1.event_time, 1);
    }

    #[test]
    fn any_event_time_is_remembered_exactly() {
        let mut ids = KnownIds::default();
        let limit = (1 << 47) - 1;
        let times = [0, 1, -1, 1 << 32, -(1 << 32), limit, -limit, limit + 1, -limit - 1, i64::MAX, i64::MIN];
        for (id, event_time) in times.into_iter().enumerate() {
            ids.add(known(id as u64, event_time));
        }
        for (id, event_time) in times.into_iter().enumerate() {
            assert_eq!(ids.find(&known(id as u64, 0)).unwrap().1, known(id as u64, event_time));
        }
        let (number, _) = ids.find(&known(1, 0)).unwrap();
        ids.replace(number, known(1, i64::MIN));
        assert_eq!(ids.find(&known(1, 0)).unwrap().1.event_time, i64::MIN);
        (0..times.len()).for_each(|_| ids.queue.pop());
        assert!(ids.queue.far.is_empty());
    }

    #[test]
    fn every_slot_has_a_shard_and_all_are_used() {
        let mut used = [0u32; SHARDS];
        (0..SHARD_SLOTS).for_each(|slot| used[shard(slot)] += 1);
        assert!(used.iter().all(|count| *count > 0));
        let ratio = f64::from(used[SHARDS - 1]) / f64::from(used[0]);
        assert!((1.8..2.2).contains(&ratio), "{ratio}");
    }
}
