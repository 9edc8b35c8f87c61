//! Values that many transactions share, such as stores, kept once each.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash};

/// A value's number within one [`Symbols`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol(u32);

struct Slot<T> {
    value: T,
    uses: u32,
}

/// Reference-counted values by number: an unused value is removed, so rare ones cannot accumulate.
pub(super) struct Symbols<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl<T> Default for Symbols<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            numbers: HashTable::new(),
            hasher: RandomState::default(),
        }
    }
}

impl<T: Hash + Eq + Clone> Symbols<T> {
    /// The number of `value`; counts one use more.
    pub(super) fn acquire(&mut self, value: &T) -> Symbol {
        let hash = self.hasher.hash_one(value);
        if let Some(number) = self.numbers.find(hash, |number| self.slots[*number as usize].value == *value) {
            self.slots[*number as usize].uses += 1;
            return Symbol(*number);
        }
        let slot = Slot { value: value.clone(), uses: 1 };
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = slot;
                number
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.numbers.insert_unique(hash, number, |number| hasher.hash_one(&slots[*number as usize].value));
        Symbol(number)
    }

    /// Counts one use less.
    pub(super) fn release(&mut self, symbol: Symbol) {
        let slot = &mut self.slots[symbol.0 as usize];
        slot.uses -= 1;
        if slot.uses == 0 {
            let hash = self.hasher.hash_one(&slot.value);
            if let Ok(entry) = self.numbers.find_entry(hash, |number| *number == symbol.0) {
                entry.remove();
            }
            self.free.push(symbol.0);
        }
    }

    /// The value of a symbol that is in use.
    pub(super) fn value(&self, symbol: Symbol) -> &T {
        &self.slots[symbol.0 as usize].value
    }

    /// The number of a value that is in use.
    pub(super) fn find(&self, value: &T) -> Option<Symbol> {
        let hash = self.hasher.hash_one(value);
        let number = self.numbers.find(hash, |number| self.slots[*number as usize].value == *value);
        number.copied().map(Symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_while_it_is_used_and_its_number_is_used_again() {
        let mut symbols = Symbols::default();
        let first = symbols.acquire(&"a");
        assert_eq!(symbols.acquire(&"a"), first);
        symbols.release(first);
        assert_eq!(symbols.value(first), &"a");
        symbols.release(first);
        assert_eq!(symbols.find(&"a"), None);
        assert_eq!(symbols.acquire(&"b"), first);
        assert_eq!(symbols.value(first), &"b");
        assert_eq!(symbols.find(&"b"), Some(first));
    }
}
