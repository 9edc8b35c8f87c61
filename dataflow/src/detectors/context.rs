//! What a detector may look at beside the transaction itself: the customer's earlier transactions, summed up.

use serde::{Deserialize, Serialize};
use streamflow_model::{Entity, Id, ListEntry, Place};

/// Exact sums over transactions: an abelian group, so that what is added can be taken out again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sums {
    /// Number of transactions.
    pub count: u64,
    /// Sum of amounts in cents.
    pub cents: i128,
    /// Sum of minutes of the local day.
    pub minutes: u64,
    /// Sum of squared minutes of the local day.
    pub squared_minutes: u64,
}

impl Sums {
    /// Adds a transaction.
    pub fn add(&mut self, cents: i64, minute: u16) {
        self.count += 1;
        self.cents += i128::from(cents);
        self.minutes += u64::from(minute);
        self.squared_minutes += u64::from(minute) * u64::from(minute);
    }

    /// Takes out a transaction that was added.
    pub fn remove(&mut self, cents: i64, minute: u16) {
        self.count -= 1;
        self.cents -= i128::from(cents);
        self.minutes -= u64::from(minute);
        self.squared_minutes -= u64::from(minute) * u64::from(minute);
    }

    /// count * sum of squares - (sum)^2 of the minutes: the variance's numerator, exact and never negative.
    pub fn minute_spread(&self) -> i128 {
        let sum = i128::from(self.minutes);
        i128::from(self.count) * i128::from(self.squared_minutes) - sum * sum
    }
}

/// The latest earlier transaction with a place.
#[derive(Clone, Copy, Debug)]
pub struct PreviousPlace<'a> {
    /// Its event time, microseconds since 1970.
    pub event_time: i64,
    /// Its place.
    pub place: Place,
    /// Its id.
    pub transaction: &'a Id,
}

/// A list entry in force at the transaction's event time.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// Who is listed.
    pub entity: &'a Entity,
    /// The entry.
    pub entry: &'a ListEntry,
}

/// The context of one transaction: what its customer did before it, and whether it is listed.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The transaction's amount in cents.
    pub amount: i64,
    /// The transaction's event time, microseconds since 1970.
    pub event_time: i64,
    /// The transaction's place.
    pub place: Option<Place>,
    /// The transaction's minute of the local day.
    pub minute: u16,
    /// Sums over the earlier transactions.
    pub earlier: Sums,
    /// Transactions in the velocity window that ends with this one, this one included.
    pub in_window: u64,
    /// The latest earlier transaction with a place.
    pub previous_place: Option<PreviousPlace<'a>>,
    /// The customer's list entry in force, else the store's.
    pub listing: Option<Listing<'a>>,
}
