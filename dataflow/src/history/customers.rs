//! All customers of a worker, by id and by slot.

use super::customer::Customer;
use crate::model::{Id, id};
use hashbrown::HashTable;

/// Customers stand in blocks that never move, so growing copies nothing and wastes at most one block.
const BLOCK: usize = 1024;

/// Customers by slot, and slots by id.
#[derive(Default)]
pub(super) struct Customers {
    blocks: Vec<Vec<Customer>>,
    slots: HashTable<u32>,
}

impl Customers {
    /// The slot of a customer that is known.
    pub(super) fn find(&self, id: &Id) -> Option<u32> {
        self.slots.find(id::route(id), |slot| self.get(*slot).id == *id).copied()
    }

    /// The slot of a customer, a new one if need be.
    pub(super) fn slot(&mut self, id: &Id) -> u32 {
        let hash = id::route(id);
        if let Some(slot) = self.slots.find(hash, |slot| at(&self.blocks, *slot).id == *id) {
            return *slot;
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let slot = ((self.blocks.len() - 1) * BLOCK) as u32;
        let block = self.blocks.last_mut().map_or(0, |block| {
            block.push(Customer::new(id.clone()));
            block.len() as u32 - 1
        });
        let blocks = &self.blocks;
        self.slots.insert_unique(hash, slot + block, |slot| id::route(&at(blocks, *slot).id));
        slot + block
    }

    pub(super) fn get(&self, slot: u32) -> &Customer {
        at(&self.blocks, slot)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Customer {
        &mut self.blocks[slot as usize / BLOCK][slot as usize % BLOCK]
    }

    /// All slots in use.
    pub(super) fn slots(&self) -> std::ops::Range<u32> {
        let last = self.blocks.last().map_or(0, Vec::len);
        0..(self.blocks.len().saturating_sub(1) * BLOCK + last) as u32
    }
}

fn at(blocks: &[Vec<Customer>], slot: u32) -> &Customer {
    &blocks[slot as usize / BLOCK][slot as usize % BLOCK]
}
