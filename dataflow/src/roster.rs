//! Members by id and by slot: a table with lookups in batches.
//!
//! Nearly every event names a member that no cache holds. Single lookups wait for memory each time; in a
//! batch each pass prefetches the memory that the next one needs, so the waits overlap.

use hashbrown::HashTable;
use streamflow_model::{Id, id};

/// Members that are looked up together: the first-level cache holds what so many need.
pub const BATCH: usize = 32;

/// Members are in blocks that never move, so growing copies nothing and wastes at most one block.
const BLOCK: usize = 1024;

/// A value that concerns a member of this worker's roster.
#[derive(Clone, Debug)]
pub struct OfMember<T> {
    /// The member's slot.
    pub slot: u32,
    /// The value.
    pub value: T,
}

/// A member of a roster.
pub trait Member {
    /// A new member.
    fn new(id: Id) -> Self;

    /// Its id.
    fn id(&self) -> &Id;

    /// Prefetches the cache lines of the member itself.
    fn touch(&self);
}

/// Members by slot, and slots by id.
pub struct Roster<M> {
    blocks: Vec<Vec<M>>,
    index: HashTable<Indexed>,
}

struct Indexed {
    hash: u32,
    slot: u32,
}

impl<M> Default for Roster<M> {
    fn default() -> Self {
        Self { blocks: Vec::new(), index: HashTable::new() }
    }
}

impl<M: Member> Roster<M> {
    /// The slots of members, in the order of `ids`; unknown ones are added.
    pub fn slots<'a>(&mut self, ids: impl Iterator<Item = &'a Id> + Clone) -> Vec<u32> {
        let hashes: Vec<u32> = ids.clone().map(|id| hash(id)).collect();
        let candidates: Vec<Option<u32>> = hashes.iter().map(|hash| self.candidate(*hash)).collect();
        self.touch(candidates.iter().copied().flatten());
        let found = ids.zip(candidates).zip(hashes);
        found
            .map(|((id, candidate), hash)| match candidate.filter(|slot| self.get(*slot).id() == id) {
                Some(slot) => slot,
                None => self.find_hashed(id, hash).unwrap_or_else(|| self.add(id.clone(), hash)),
            })
            .collect()
    }

    /// The slot of a member; an unknown one is added.
    pub fn slot(&mut self, id: &Id) -> u32 {
        let hash = hash(id);
        self.find_hashed(id, hash).unwrap_or_else(|| self.add(id.clone(), hash))
    }

    /// The slot of a member that is known.
    pub fn find(&self, id: &Id) -> Option<u32> {
        self.find_hashed(id, hash(id))
    }

    /// Prefetches the members themselves.
    pub fn touch(&self, slots: impl Iterator<Item = u32>) {
        slots.for_each(|slot| self.get(slot).touch());
    }

    /// The member at a slot in use.
    pub fn get(&self, slot: u32) -> &M {
        &self.blocks[slot as usize / BLOCK][slot as usize % BLOCK]
    }

    /// The member at a slot in use.
    pub fn get_mut(&mut self, slot: u32) -> &mut M {
        &mut self.blocks[slot as usize / BLOCK][slot as usize % BLOCK]
    }

    /// All slots in use.
    pub fn in_use(&self) -> std::ops::Range<u32> {
        let last = self.blocks.last().map_or(0, Vec::len);
        0..(self.blocks.len().saturating_sub(1) * BLOCK + last) as u32
    }

    /// The members' own memory, bytes.
    pub fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK * size_of::<M>() + self.index.allocation_size()
    }

    /// Some member with this hash; nearly always there is only one.
    fn candidate(&self, hash: u32) -> Option<u32> {
        self.index.find(spread(hash), |indexed| indexed.hash == hash).map(|indexed| indexed.slot)
    }

    fn find_hashed(&self, id: &Id, hash: u32) -> Option<u32> {
        let same = |indexed: &Indexed| indexed.hash == hash && self.get(indexed.slot).id() == id;
        self.index.find(spread(hash), same).map(|indexed| indexed.slot)
    }

    fn add(&mut self, id: Id, hash: u32) -> u32 {
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let slot = self.in_use().end;
        if let Some(block) = self.blocks.last_mut() {
            block.push(M::new(id));
        }
        self.index.insert_unique(spread(hash), Indexed { hash, slot }, |indexed| spread(indexed.hash));
        slot
    }
}

fn hash(id: &str) -> u32 {
    (id::route(id) >> 32) as u32
}

/// The hash in the upper and the lower half: the table uses the lowest bits and the highest seven.
fn spread(hash: u32) -> u64 {
    u64::from(hash) | u64::from(hash) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(Id);

    impl Member for Named {
        fn new(id: Id) -> Self {
            Self(id)
        }

        fn id(&self) -> &Id {
            &self.0
        }

        fn touch(&self) {}
    }

    #[test]
    fn everybody_keeps_the_slot_of_their_first_appearance() {
        let mut roster = Roster::<Named>::default();
        let ids: Vec<Id> = (0..5000).map(|number| Id::from(format!("c-{}", number % 3000))).collect();
        for batch in ids.chunks(BATCH) {
            for (id, slot) in batch.iter().zip(roster.slots(batch.iter())) {
                assert_eq!(roster.get(slot).0, *id);
                assert_eq!((roster.slot(id), roster.find(id)), (slot, Some(slot)));
            }
        }
        assert_eq!(roster.in_use(), 0..3000);
        assert_eq!(roster.find(&"nobody".into()), None);
    }

    #[test]
    fn members_with_the_same_hash_have_different_slots() {
        let mut roster = Roster::<Named>::default();
        let ids = [Id::from("a"), Id::from("b")];
        let first = roster.add(ids[0].clone(), 7);
        let second = roster.add(ids[1].clone(), 7);
        assert_eq!(
            [roster.find_hashed(&ids[0], 7), roster.find_hashed(&ids[1], 7)],
            [Some(first), Some(second)]
        );
        assert_eq!(roster.find_hashed(&"c".into(), 7), None);
    }
}
