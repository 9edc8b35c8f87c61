//! Currencies in which some customers pay beside BRL.

use crate::identity::scatter;

/// A currency other than BRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) code: &'static str,
    /// Units that an ordinary purchase of so many `reais` costs.
    units: u64,
    reais: u64,
}

impl Foreign {
    /// The amount that an ordinary purchase costs in it, of the amount in BRL; both in cents.
    pub(crate) fn cents(self, of_reais: u64) -> u64 {
        (of_reais * self.units / self.reais).max(1)
    }
}

const FOREIGN: [Foreign; 4] = [
    Foreign { code: "USD", units: 1, reais: 5 },
    Foreign { code: "EUR", units: 1, reais: 6 },
    Foreign { code: "ARS", units: 200, reais: 1 },
    Foreign { code: "JPY", units: 30, reais: 1 },
];

/// The currency in which a customer pays beside BRL, where they are of the fraction of those who do. It takes
/// no random numbers from a stream, so that all else stays as it is without foreign currencies.
pub(crate) fn beside_home(number: u64, seed: u64, fraction: f64) -> Option<Foreign> {
    let hash = scatter(number, seed ^ 0xc0de, 64);
    let is_foreign = (hash >> 11) as f64 / ((1_u64 << 53) as f64) < fraction;
    is_foreign.then(|| FOREIGN[(hash % FOREIGN.len() as u64) as usize])
}

/// Whether a customer who pays in two currencies pays abroad at this time, as they do about every second time.
pub(crate) fn is_abroad(number: u64, at: i64) -> bool {
    scatter(at as u64, number, 64).is_multiple_of(2)
}
