//! Names that many transactions share - stores, products, payment methods - kept once each.

use crate::model::Id;
use hashbrown::HashTable;

/// A name's number within one [`Symbols`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol(u32);

impl Symbol {
    /// No name.
    pub(super) const NONE: Self = Self(u32::MAX);
}

struct Slot {
    name: Id,
    uses: u32,
}

/// Names by number, counted: a name that nothing uses any more is let go, so odd names cannot pile up.
#[derive(Default)]
pub(super) struct Symbols {
    slots: Vec<Slot>,
    free: Vec<u32>,
    numbers: HashTable<u32>,
}

impl Symbols {
    /// The number of `name`, used once more.
    pub(super) fn acquire(&mut self, name: &Id) -> Symbol {
        let hash = hash(name);
        if let Some(number) = self.numbers.find(hash, |number| self.slots[*number as usize].name == *name) {
            self.slots[*number as usize].uses += 1;
            return Symbol(*number);
        }
        let slot = Slot { name: name.clone(), uses: 1 };
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
        let slots = &self.slots;
        self.numbers.insert_unique(hash, number, |number| self::hash(&slots[*number as usize].name));
        Symbol(number)
    }

    /// As [`Symbols::acquire`], for a name that may be absent.
    pub(super) fn acquire_optional(&mut self, name: Option<&Id>) -> Symbol {
        name.map_or(Symbol::NONE, |name| self.acquire(name))
    }

    /// One use less.
    pub(super) fn release(&mut self, symbol: Symbol) {
        let Some(slot) = self.slots.get_mut(symbol.0 as usize) else { return };
        slot.uses -= 1;
        if slot.uses == 0 {
            let name = std::mem::take(&mut slot.name);
            if let Ok(entry) = self.numbers.find_entry(hash(&name), |number| *number == symbol.0) {
                entry.remove();
            }
            self.free.push(symbol.0);
        }
    }

    /// The name; `None` for [`Symbol::NONE`].
    pub(super) fn name(&self, symbol: Symbol) -> Option<&Id> {
        self.slots.get(symbol.0 as usize).map(|slot| &slot.name)
    }

    /// The number of a name that is in use.
    pub(super) fn find(&self, name: &Id) -> Option<Symbol> {
        self.numbers
            .find(hash(name), |number| self.slots[*number as usize].name == *name)
            .copied()
            .map(Symbol)
    }
}

fn hash(name: &Id) -> u64 {
    crate::model::id::route(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_while_it_is_used_and_its_number_is_used_again() {
        let mut symbols = Symbols::default();
        let (a, b) = (Id::from("a"), Id::from("b"));
        let first = symbols.acquire(&a);
        assert_eq!(symbols.acquire(&a), first);
        symbols.release(first);
        assert_eq!(symbols.name(first), Some(&a));
        symbols.release(first);
        assert_eq!(symbols.find(&a), None);
        assert_eq!(symbols.acquire(&b), first);
        assert_eq!(symbols.name(first), Some(&b));
        symbols.release(Symbol::NONE);
        assert_eq!(symbols.name(Symbol::NONE), None);
    }
}
