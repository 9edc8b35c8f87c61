//! `gold.payment_performance`: what was paid by each method on each day, and how much of it was alerted?
//!
//! ```sql
//! SELECT payment_method, date_key, currency, count(*), sum(amount), sum(is_fraud::int)
//! FROM gold.fact_transactions GROUP BY 1, 2, 3
//! ```

use super::sales::day_end;
use super::{Facts, Sales, View};
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::{Currency, Id};

/// The view.
pub struct PaymentPerformance;

/// A payment method's local day, in one currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MethodDay {
    /// The day, days since 1970-01-01.
    pub day: i32,
    /// How it was paid; [`UNKNOWN`] where that is absent.
    pub method: Id,
    /// The currency of the amounts.
    pub currency: Currency,
}

/// The method of transactions that do not name one.
pub const UNKNOWN: &str = "unknown";

impl Key for MethodDay {
    fn closes_at(&self) -> Option<i64> {
        day_end(self.day)
    }
}

impl View for PaymentPerformance {
    const NAME: &'static str = "payment_performance";
    type Key = MethodDay;
    type Sum = Sales;

    fn sums<'s>(facts: &Facts<'s>) -> VecCollection<'s, u64, MethodDay, Sales> {
        facts.sum(Self::NAME, |fact| {
            let transaction = &fact.scored.transaction;
            let method = transaction.payment_method.clone().unwrap_or_else(|| UNKNOWN.into());
            [(MethodDay { day: fact.day, method, currency: transaction.currency }, fact.sales())]
        })
    }
}
