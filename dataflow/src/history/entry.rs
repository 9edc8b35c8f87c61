//! A transaction within the horizon, packed.

use super::symbols::{Symbol, Symbols};
use crate::model::{Cents, Currency, Id, Place, Source, Transaction};

/// What the transactions of a worker share: each store and each combination of details once.
#[derive(Default)]
pub(super) struct Shared {
    pub stores: Symbols<Id>,
    details: Symbols<Details>,
}

/// What tells few transactions apart: there are far fewer combinations than transactions.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Details {
    product: Option<Id>,
    payment_method: Option<Id>,
    currency: Currency,
    revision: u32,
}

/// A transaction as its customer's history holds it, everything but the customer: one cache line.
#[repr(C, align(64))]
pub(super) struct Entry {
    pub event_time: i64,
    pub id: Id,
    standing: Standing,
    source: Source,
    /// `NO_PLACE` stands for none.
    place: Place,
    pub store: Symbol,
    details: Symbol,
}

/// In one word: from the lowest bit on, whether it is voided, whether a detector hit it, how many changes its alert has had (22
/// bits), and its amount in cents (40 bits, which hold the twelve digits that an amount may have).
#[derive(Clone, Copy)]
struct Standing(u64);

impl Standing {
    const VOIDED: u64 = 1;
    const HIT: u64 = 1 << 1;
    const CHANGES: u64 = ((1 << 22) - 1) << 2;
    /// One change of the alert.
    const CHANGE: u64 = 1 << 2;
    /// One cent.
    const CENT: u64 = 1 << 24;

    fn new(amount: Cents, voided: bool) -> Self {
        Self((amount.0 as u64 * Self::CENT) | if voided { Self::VOIDED } else { 0 })
    }

    fn changes(self) -> u64 {
        (self.0 & Self::CHANGES) / Self::CHANGE
    }

    fn set_changes(&mut self, changes: u64) {
        // After four million changes the last number stays.
        let field = (changes * Self::CHANGE).min(Self::CHANGES);
        self.0 = self.0 & !Self::CHANGES | field;
    }
}

const NO_PLACE: Place = Place { latitude: i32::MIN, longitude: i32::MIN };

impl Entry {
    pub(super) fn new(transaction: &Transaction, shared: &mut Shared) -> Self {
        let details = Details {
            product: transaction.product.clone(),
            payment_method: transaction.payment_method.clone(),
            currency: transaction.currency,
            revision: transaction.revision,
        };
        Self {
            event_time: transaction.event_time,
            id: transaction.id.clone(),
            source: transaction.source,
            place: transaction.place.unwrap_or(NO_PLACE),
            store: shared.stores.acquire(&transaction.store),
            details: shared.details.acquire(&details),
            standing: Standing::new(transaction.amount, transaction.voided),
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
        self.standing.set_changes(self.standing.changes() + 1);
        self.alert_changes()
    }

    /// How many changes its alert has had.
    pub(super) fn alert_changes(&self) -> u32 {
        self.standing.changes() as u32
    }

    /// Takes over the count of the version that it replaces.
    pub(super) fn continue_alert_of(&mut self, replaced: &Self) {
        self.standing.set_changes(replaced.standing.changes());
    }

    /// The amount in cents.
    pub(super) fn cents(&self) -> i64 {
        (self.standing.0 / Standing::CENT) as i64
    }

    /// Gives the shared values back.
    pub(super) fn release(&self, shared: &mut Shared) {
        shared.stores.release(self.store);
        shared.details.release(self.details);
    }

    pub(super) fn transaction(&self, customer: &Id, shared: &Shared) -> Transaction {
        let details = shared.details.value(self.details);
        Transaction {
            id: self.id.clone(),
            customer: customer.clone(),
            store: shared.stores.value(self.store).clone(),
            product: details.product.clone(),
            payment_method: details.payment_method.clone(),
            amount: Cents(self.cents()),
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
    fn an_entry_takes_64_bytes() {
        assert_eq!(size_of::<Entry>(), 64);
    }

    #[test]
    fn the_largest_amount_and_all_that_is_said_of_it_stay_apart() {
        let mut standing = Standing::new(Cents(999_999_999_999), true);
        standing.set_changes(u64::from(u32::MAX));
        assert_eq!((standing.0 / Standing::CENT, standing.changes()), (999_999_999_999, (1 << 22) - 1));
        standing.set_changes(5);
        assert_eq!((standing.changes(), standing.0 % Standing::CHANGE), (5, Standing::VOIDED));
    }
}
