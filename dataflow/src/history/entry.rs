//! The current version of a transaction within the horizon, packed.

use super::symbols::{Symbol, Symbols};
use crate::resume::RestoredTransaction;
use streamflow_model::{Cents, Currency, Id, Place, Source, Transaction};

/// Values shared by the entries of a worker: each store and each combination of details once.
#[derive(Default)]
pub(super) struct Shared {
    pub stores: Symbols<Id>,
    details: Symbols<Details>,
}

/// Fields with few values: there are far fewer combinations than transactions.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Details {
    product: Option<Id>,
    payment_method: Option<Id>,
    currency: Currency,
    revision: u32,
    /// The upper bits of how many changes the alert has had.
    many_alert_changes: u32,
}

/// A version in its customer's history, everything but the customer: one cache line.
#[repr(C, align(64))]
pub(super) struct Entry {
    pub event_time: i64,
    pub id: Id,
    packed: PackedState,
    source: Source,
    /// `NO_PLACE` for none.
    place: Place,
    pub store: Symbol,
    details: Symbol,
}

/// In one word: from the lowest bit on, whether it is voided, whether a detector hit it, the low 15 bits of
/// how many changes its alert has had, and its amount in cents: 47 bits hold the twelve digits and two
/// decimals that an amount may have.
#[derive(Clone, Copy)]
struct PackedState(u64);

impl PackedState {
    const VOIDED: u64 = 1;
    const HIT: u64 = 1 << 1;
    /// One change of the alert.
    const CHANGE: u64 = 1 << 2;
    const CHANGES: u64 = ((1 << CHANGES_BITS) - 1) * Self::CHANGE;
    /// One cent.
    const CENT: u64 = 1 << (2 + CHANGES_BITS);

    fn new(amount: Cents, voided: bool) -> Self {
        Self((amount.0 as u64 * Self::CENT) | if voided { Self::VOIDED } else { 0 })
    }

    fn changes(self) -> u32 {
        ((self.0 & Self::CHANGES) / Self::CHANGE) as u32
    }

    fn set_changes(&mut self, changes: u32) {
        self.0 = self.0 & !Self::CHANGES | (u64::from(changes) * Self::CHANGE) & Self::CHANGES;
    }
}

/// The bits above them are in the details: nearly no alert has more than a few changes.
const CHANGES_BITS: u32 = 15;

const NO_PLACE: Place = Place { latitude: i32::MIN, longitude: i32::MIN };

impl Entry {
    pub(super) fn new(transaction: &Transaction, shared: &mut Shared) -> Self {
        let details = Details {
            product: transaction.product.clone(),
            payment_method: transaction.payment_method.clone(),
            currency: transaction.currency,
            revision: transaction.revision,
            many_alert_changes: 0,
        };
        Self {
            event_time: transaction.event_time,
            id: transaction.id.clone(),
            source: transaction.source,
            place: transaction.place.unwrap_or(NO_PLACE),
            store: shared.stores.acquire(&transaction.store),
            details: shared.details.acquire(&details),
            packed: PackedState::new(transaction.amount, transaction.voided),
        }
    }

    /// The entry of a restored transaction.
    pub(super) fn restore(restored: &RestoredTransaction, shared: &mut Shared) -> Self {
        let mut entry = Self::new(&restored.transaction, shared);
        entry.set_hit(restored.hit);
        entry.set_alert_changes(restored.alert_changes, shared);
        entry
    }

    /// The entry of a version whose alert has had so many changes.
    pub(super) fn amending(transaction: &Transaction, alert_changes: u32, shared: &mut Shared) -> Self {
        let mut entry = Self::new(transaction, shared);
        entry.set_alert_changes(alert_changes, shared);
        entry
    }

    pub(super) fn voided(&self) -> bool {
        self.packed.0 & PackedState::VOIDED != 0
    }

    /// Whether a rule triggered, or a shadow set would alert, when it was last evaluated.
    pub(super) fn hit(&self) -> bool {
        self.packed.0 & PackedState::HIT != 0
    }

    pub(super) fn set_hit(&mut self, hit: bool) {
        self.packed.0 = self.packed.0 & !PackedState::HIT | if hit { PackedState::HIT } else { 0 };
    }

    /// Counts a change of its alert and returns the change's number, from 1.
    pub(super) fn count_alert_change(&mut self, shared: &mut Shared) -> u32 {
        let changes = self.alert_changes(shared).saturating_add(1);
        self.set_alert_changes(changes, shared);
        changes
    }

    /// Number of changes of its alert.
    pub(super) fn alert_changes(&self, shared: &Shared) -> u32 {
        shared.details.value(self.details).many_alert_changes << CHANGES_BITS | self.packed.changes()
    }

    fn set_alert_changes(&mut self, changes: u32, shared: &mut Shared) {
        self.packed.set_changes(changes);
        let details = shared.details.value(self.details);
        let many_alert_changes = changes >> CHANGES_BITS;
        if details.many_alert_changes != many_alert_changes {
            let details = shared.details.acquire(&Details { many_alert_changes, ..details.clone() });
            shared.details.release(std::mem::replace(&mut self.details, details));
        }
    }

    /// Copies the number of alert changes from the version that it replaces.
    pub(super) fn continue_alert_of(&mut self, replaced: &Self, shared: &mut Shared) {
        self.set_alert_changes(replaced.alert_changes(shared), shared);
    }

    /// The amount in cents.
    pub(super) fn cents(&self) -> i64 {
        (self.packed.0 / PackedState::CENT) as i64
    }

    /// The currency of the amount.
    pub(super) fn currency(&self, shared: &Shared) -> Currency {
        shared.details.value(self.details).currency
    }

    /// How it is paid, if that is said.
    pub(super) fn payment_method<'a>(&self, shared: &'a Shared) -> Option<&'a str> {
        shared.details.value(self.details).payment_method.as_deref()
    }

    /// Releases the shared values.
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

    /// Histories are sorted by this key.
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
    fn the_largest_amount_and_the_flags_do_not_overlap() {
        let mut packed = PackedState::new(Cents(99_999_999_999_999), true);
        packed.set_changes(u32::MAX);
        assert_eq!((packed.0 / PackedState::CENT, packed.changes()), (99_999_999_999_999, (1 << 15) - 1));
        packed.set_changes(5);
        assert_eq!((packed.changes(), packed.0 % PackedState::CHANGE), (5, PackedState::VOIDED));
    }

    #[test]
    fn any_number_of_changes_is_counted() {
        let mut shared = Shared::default();
        let mut entry = Entry::new(&transaction(), &mut shared);
        for number in [1 << 15, (1 << 15) - 1, 7 << 15, 3] {
            entry.set_alert_changes(number - 1, &mut shared);
            assert_eq!(entry.count_alert_change(&mut shared), number);
            let mut next = Entry::new(&transaction(), &mut shared);
            next.continue_alert_of(&entry, &mut shared);
            entry.release(&mut shared);
            assert_eq!(next.alert_changes(&shared), number);
            entry = next;
        }
        assert_eq!(entry.transaction(&"c".into(), &shared), transaction());
    }

    fn transaction() -> Transaction {
        Transaction {
            id: "t".into(),
            customer: "c".into(),
            store: "s".into(),
            product: Some("p".into()),
            payment_method: None,
            amount: Cents(99_999_999_999_900),
            currency: Currency::BRL,
            place: None,
            event_time: 7,
            revision: 3,
            voided: false,
            source: Source::new(streamflow_model::PartitionId::new(0, 1).unwrap(), 5),
        }
    }
}
