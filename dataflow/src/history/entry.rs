//! A transaction within the horizon, packed.

use super::symbols::{Symbol, Symbols};
use crate::model::{Cents, Currency, Id, Place, Source, Transaction};

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
    payment_method: Symbol,
    revision: u32,
    /// How many changes its alert has had.
    pub alert_changes: u32,
    currency: Currency,
    pub voided: bool,
}

const NO_PLACE: Place = Place { latitude: i32::MIN, longitude: i32::MIN };

impl Entry {
    pub(super) fn new(transaction: &Transaction, symbols: &mut Symbols) -> Self {
        Self {
            event_time: transaction.event_time,
            id: transaction.id.clone(),
            cents: transaction.amount.0,
            source: transaction.source,
            place: transaction.place.unwrap_or(NO_PLACE),
            store: symbols.acquire(&transaction.store),
            product: symbols.acquire_optional(transaction.product.as_ref()),
            payment_method: symbols.acquire_optional(transaction.payment_method.as_ref()),
            revision: transaction.revision,
            alert_changes: 0,
            currency: transaction.currency,
            voided: transaction.voided,
        }
    }

    /// Gives the names back.
    pub(super) fn release(&self, symbols: &mut Symbols) {
        symbols.release(self.store);
        symbols.release(self.product);
        symbols.release(self.payment_method);
    }

    pub(super) fn transaction(&self, customer: &Id, symbols: &Symbols) -> Transaction {
        Transaction {
            id: self.id.clone(),
            customer: customer.clone(),
            store: symbols.name(self.store).cloned().unwrap_or_default(),
            product: symbols.name(self.product).cloned(),
            payment_method: symbols.name(self.payment_method).cloned(),
            amount: Cents(self.cents),
            currency: self.currency,
            place: self.place(),
            event_time: self.event_time,
            revision: self.revision,
            voided: self.voided,
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
    fn an_entry_takes_80_bytes() {
        assert_eq!(size_of::<Entry>(), 80);
    }
}
