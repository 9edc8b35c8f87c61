//! `gold.customer_profile`: what did each customer do so far, in each currency? History maintains it, so it
//! emits the rows.

use crate::detectors::Sums;
use serde::{Deserialize, Serialize};
use streamflow_model::{Currency, Id};

/// A customer, in one currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProfileKey {
    /// The customer.
    pub customer: Id,
    /// The currency of the amounts.
    pub currency: Currency,
}

/// Sums of a customer in a currency. One without current transactions has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Profile {
    /// Sums over all current transactions.
    pub sums: Sums,
    /// Event time of the first one, microseconds since 1970.
    pub first_seen: i64,
    /// Event time of the last one, microseconds since 1970.
    pub last_seen: i64,
    /// Those alerted.
    pub alerts: u64,
}
