//! A transaction within the horizon, packed.

use super::symbols::{Symbol, Symbols};
use crate::model::{Cents, Currency, Id, Place, Source, Transaction};

/// What the transactions of a worker share: each store, each product and each combination of details once.
#[derive(Default)]
pub(super) struct Shared {
    pub stores: Symbols<Id>,
    products: Symbols<Option<Id>>,
    details: Symbols<Details>,
}

/// What tells few transactions apart: there is but a handful of combinations.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Details {
    payment_method: Option<Id>,
    currency: Currency,
    revision: u32,
}

/// A transaction as its customer's history holds it: everything but the customer.
pub(super) struct Entry {
    pub event_time: i64,
    pub id: Id,
    pub cents: i64,
    source: Source,
    /// `NO_PLACE` stands for none.
    place: Place,
    pub store: Symbol,
    product: Symbol,
    details: Symbol,
    standing: Standing,
}

/// In one word, so that an entry fits 72 bytes: whether it is voided, whether a detector hit it, and how many changes its
/// alert has had.
#[derive(Clone, Copy, Default)]
struct Standing(u32);

impl Standing {
    const VOIDED: u32 = 1;
    const HIT: u32 = 2;
    /// One change of the alert.
    const CHANGE: u32 = 4;
}

const NO_PLACE: Place = Place { latitude: i32::MIN, longitude: i32::MIN };

impl Entry {
    pub(super) fn new(transaction: &Transaction, shared: &mut Shared) -> Self {
        let details = Details {
            payment_method: transaction.payment_method.clone(),
            currency: transaction.currency,
            revision: transaction.revision,
        };
        Self {
            event_time: transaction.event_time,
            id: transaction.id.clone(),
            cents: transaction.amount.0,
            source: transaction.source,
            place: transaction.place.unwrap_or(NO_PLACE),
            store: shared.stores.acquire(&transaction.store),
            product: shared.products.acquire(&transaction.product),
            details: shared.details.acquire(&details),
            standing: Standing(if transaction.voided { Standing::VOIDED } else { 0 }),
        }
    }

    pub(super) fn voided(&self) -> bool {
        self.standing.0 & Standing::VOIDED != 0
    }

    /// Whether some detector triggered when it was last judged.
    pub(super) fn hit(&self) -> bool {
        self.standing.0 & Standing::HIT != 0
    }

    pub(super) fn set_hit(&mut self, hit: bool) {
        self.standing.0 = self.standing.0 & !Standing::HIT | if hit { Standing::HIT } else { 0 };
    }

    /// Counts a change of its alert and returns its number, from 1.
    pub(super) fn count_alert_change(&mut self) -> u32 {
        self.standing.0 += Standing::CHANGE;
        self.standing.0 / Standing::CHANGE
    }

    /// Takes over the count of the version that it replaces.
    pub(super) fn continue_alert_of(&mut self, replaced: &Self) {
        let flags = self.standing.0 % Standing::CHANGE;
        self.standing.0 = replaced.standing.0 / Standing::CHANGE * Standing::CHANGE + flags;
    }

    /// Gives the shared values back.
    pub(super) fn release(&self, shared: &mut Shared) {
        shared.stores.release(self.store);
        shared.products.release(self.product);
        shared.details.release(self.details);
    }

    pub(super) fn transaction(&self, customer: &Id, shared: &Shared) -> Transaction {
        let details = shared.details.value(self.details);
        Transaction {
            id: self.id.clone(),
            customer: customer.clone(),
            store: shared.stores.value(self.store).clone(),
            product: shared.products.value(self.product).clone(),
            payment_method: details.payment_method.clone(),
            amount: Cents(self.cents),
            currency: details.currency,
            place: self.place(),
            event_time: self.event_time,
            revision: details.revision,
            voided: self.voided(),
            source: self.source,
        }
    }

    pub(super) fn place(&self) -> Option<Place> {
        (self.place != NO_PLACE).then_some(self.place)
    }

    /// The order of a history.
    pub(super) fn key(&self) -> (i64, &str) {
        (self.event_time, &self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_72_bytes() {
        assert_eq!(size_of::<Entry>(), 72);
    }
}
