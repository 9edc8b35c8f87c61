//! Sums of sales, and when days are over.

use crate::abelian;
use serde::{Deserialize, Serialize};
use streamflow_model::timestamp::DAY;

/// Sums over transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sales {
    /// Current transactions.
    pub transactions: i64,
    /// Their amounts in cents.
    pub cents: i128,
    /// Those alerted.
    pub alerts: i64,
}
abelian!(Sales { transactions, cents, alerts });

/// Sums over transactions, and their customers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CustomerSales {
    /// The sales.
    pub sales: Sales,
    /// Distinct customers.
    pub customers: i64,
}
abelian!(CustomerSales { sales, customers });

/// An instant at which a local day (days since 1970-01-01) is over in every time zone, microseconds since
/// 1970.
pub(super) fn day_end(day: i32) -> Option<i64> {
    Some((i64::from(day) + 3) * DAY)
}
