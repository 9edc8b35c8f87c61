//! `gold.realtime_metrics`, all stores: what happened in each minute, in each currency?
//!
//! A transaction knows from its history whether it is its customer's first in that minute and currency, so
//! distinct customers are a sum. A customer who pays in two currencies counts in both rows, so they cannot
//! be added over currencies.
//!
//! ```sql
//! SELECT date_trunc('minute', transaction_at), currency, count(*), sum(amount), sum(is_fraud::int),
//!        count(DISTINCT customer_key)
//! FROM gold.fact_transactions GROUP BY 1, 2
//! ```

use super::{CustomerSales, Facts, View};
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::Currency;
use streamflow_model::timestamp::MINUTE;

/// The view.
pub struct RealtimeMetrics;

/// A minute, in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Minute {
    /// Start of the minute, microseconds since 1970.
    pub start: i64,
    /// The currency of the amounts.
    pub currency: Currency,
}

impl Key for Minute {
    fn closes_at(&self) -> Option<i64> {
        self.start.checked_add(MINUTE)
    }
}

impl View for RealtimeMetrics {
    const NAME: &'static str = "realtime_metrics";
    type Key = Minute;
    type Sum = CustomerSales;

    fn sums<'s>(facts: &Facts<'s>) -> VecCollection<'s, u64, Minute, CustomerSales> {
        facts.sum(Self::NAME, |fact| {
            let minute = Minute { start: fact.minute_start, currency: fact.scored.transaction.currency };
            let customers = fact.scored.first_in_minute.into();
            [(minute, CustomerSales { sales: fact.sales(), customers })]
        })
    }
}
