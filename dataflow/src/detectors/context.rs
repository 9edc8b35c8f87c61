//! The context of a transaction: its customer's earlier transactions, as sums and one by one.

use serde::{Deserialize, Serialize};
use streamflow_model::{Currency, Entity, Id, ListEntry, Place, Transaction};

/// Exact sums over transactions in one currency: an abelian group, so that what is added can be taken out
/// again.
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

    /// Adds all transactions of other sums.
    pub fn add_all(&mut self, other: &Self) {
        self.count += other.count;
        self.cents += other.cents;
        self.minutes += other.minutes;
        self.squared_minutes += other.squared_minutes;
    }

    /// Takes out all transactions of other sums.
    pub fn remove_all(&mut self, other: &Self) {
        self.count -= other.count;
        self.cents -= other.cents;
        self.minutes -= other.minutes;
        self.squared_minutes -= other.squared_minutes;
    }
}

/// Exact sums over the minutes of transactions in any currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinuteSums {
    /// Number of transactions.
    pub count: u64,
    /// Sum of minutes of the local day.
    pub minutes: u64,
    /// Sum of squared minutes of the local day.
    pub squared_minutes: u64,
}

impl From<Sums> for MinuteSums {
    fn from(Sums { count, minutes, squared_minutes, .. }: Sums) -> Self {
        Self { count, minutes, squared_minutes }
    }
}

impl MinuteSums {
    /// Adds other transactions.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.minutes += other.minutes;
        self.squared_minutes += other.squared_minutes;
    }

    /// count * sum of squares - (sum)^2: the variance's numerator, exact and never negative.
    pub fn spread(&self) -> i128 {
        let sum = i128::from(self.minutes);
        i128::from(self.count) * i128::from(self.squared_minutes) - sum * sum
    }
}

/// An earlier transaction, as detectors see single ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EarlierTransaction {
    /// Its event time, microseconds since 1970.
    pub event_time: i64,
    /// Its amount in cents.
    pub cents: i64,
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

/// The customer's earlier current transactions one by one. A detector asks no farther back than its
/// [`LookBack`](crate::detectors::LookBack); nothing is computed before it asks.
pub trait Recent {
    /// How many have an event time above `start`, in any currency.
    fn count_after(&self, start: i64) -> u64;

    /// Those in the transaction's currency with an event time above `start`, the newest first; those of one
    /// instant are in no order.
    fn newest_first(&self, start: i64) -> Box<dyn Iterator<Item = EarlierTransaction> + '_>;

    /// The latest one with a place, for a transaction that has a place itself; one with an event time below
    /// `start` may be left out.
    fn latest_place(&self, start: i64) -> Option<PreviousPlace<'_>>;
}

/// Fields of the transaction that few rules ask for.
pub trait Details {
    /// Its store.
    fn store(&self) -> &str;

    /// The currency of its amount.
    fn currency(&self) -> &Currency;

    /// How it is paid, if that is said.
    fn payment_method(&self) -> Option<&str>;
}

impl Details for Transaction {
    fn store(&self) -> &str {
        &self.store
    }

    fn currency(&self) -> &Currency {
        &self.currency
    }

    fn payment_method(&self) -> Option<&str> {
        self.payment_method.as_deref()
    }
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
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The transaction's amount in cents.
    pub amount: i64,
    /// The transaction's event time, microseconds since 1970.
    pub event_time: i64,
    /// Further fields of the transaction.
    pub details: &'a dyn Details,
    /// The transaction's place.
    pub place: Option<Place>,
    /// The transaction's minute of the local day.
    pub minute: u16,
    /// Sums over all earlier transactions in the transaction's currency.
    pub earlier: Sums,
    /// Sums over all earlier transactions, in any currency.
    pub earlier_minutes: MinuteSums,
    /// The latest earlier transactions one by one.
    pub recent: &'a dyn Recent,
    /// The customer's list entry in force, else the store's.
    pub listing: Option<Listing<'a>>,
}
