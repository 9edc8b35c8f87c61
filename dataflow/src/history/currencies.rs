//! What a customer did, by currency: amounts of different currencies are never added or compared.

use crate::detectors::{EarlierTransaction, MinuteSums, Sums};
use streamflow_model::Currency;

/// The first and the last of some instants; without any, `i64::MAX` and `i64::MIN`.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub first: i64,
    pub last: i64,
}

impl Span {
    pub(super) const EMPTY: Self = Self { first: i64::MAX, last: i64::MIN };

    pub(super) fn include(&mut self, instant: i64) {
        self.first = self.first.min(instant);
        self.last = self.last.max(instant);
    }
}

/// What a customer did in a currency that is not their first one.
pub(super) struct OtherCurrency {
    pub currency: Currency,
    /// Current transactions that are alerted.
    pub alerts: u32,
    /// Sums over all current transactions, folded ones included.
    pub total: Sums,
    /// Event times of the folded ones.
    pub folded: Span,
    /// The folded ones that detectors still look back to, by event time.
    pub recent: Vec<EarlierTransaction>,
}

impl OtherCurrency {
    pub(super) fn new(currency: Currency) -> Self {
        Self { currency, alerts: 0, total: Sums::default(), folded: Span::EMPTY, recent: Vec::new() }
    }
}

/// Sums over some of a customer's transactions. Without other currencies they take no allocation.
pub(super) struct SumsByCurrency {
    pub first: Currency,
    pub sums: Sums,
    pub others: Vec<(Currency, Sums)>,
}

impl SumsByCurrency {
    /// The sums in a currency.
    pub(super) fn of(&self, currency: Currency) -> Sums {
        if currency == self.first {
            return self.sums;
        }
        let other = self.others.iter().find(|(other, _)| *other == currency);
        other.map_or_else(Sums::default, |(_, sums)| *sums)
    }

    /// The minutes of the transactions in any currency.
    pub(super) fn minutes(&self) -> MinuteSums {
        let mut minutes = MinuteSums::from(self.sums);
        self.others.iter().for_each(|(_, sums)| minutes.add(MinuteSums::from(*sums)));
        minutes
    }

    pub(super) fn add(&mut self, currency: Currency, cents: i64, minute: u16) {
        self.sums_mut(currency).add(cents, minute);
    }

    /// Takes out a transaction that was added.
    pub(super) fn remove(&mut self, currency: Currency, cents: i64, minute: u16) {
        self.sums_mut(currency).remove(cents, minute);
    }

    fn sums_mut(&mut self, currency: Currency) -> &mut Sums {
        if currency == self.first {
            return &mut self.sums;
        }
        let position = self.others.iter().position(|(other, _)| *other == currency);
        let position = position.unwrap_or_else(|| {
            self.others.push((currency, Sums::default()));
            self.others.len() - 1
        });
        &mut self.others[position].1
    }
}
