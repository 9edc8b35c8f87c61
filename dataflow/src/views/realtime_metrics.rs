//! `gold.realtime_metrics`, all stores: what happened in each minute?
//!
//! A transaction knows from its history whether it is its customer's first in that minute, so distinct
//! customers are a sum.
//!
//! ```sql
//! SELECT date_trunc('minute', transaction_at), count(*), sum(amount), sum(is_fraud::int), count(DISTINCT customer_key)
//! FROM gold.fact_transactions GROUP BY 1
//! ```

use super::{CustomerSales, Facts, View};
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::timestamp::MINUTE;

/// The view.
pub struct RealtimeMetrics;

/// When a minute began, microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MinuteStart(pub i64);

impl Key for MinuteStart {
    fn closes_at(&self) -> Option<i64> {
        self.0.checked_add(MINUTE)
    }
}

impl View for RealtimeMetrics {
    const NAME: &'static str = "realtime_metrics";
    type Key = MinuteStart;
    type Sum = CustomerSales;

    fn sums<'s>(facts: &Facts<'s>) -> VecCollection<'s, u64, MinuteStart, CustomerSales> {
        facts.sum(Self::NAME, |fact| {
            let customers = fact.scored.first_in_minute.into();
            [(MinuteStart(fact.minute_start), CustomerSales { sales: fact.sales(), customers })]
        })
    }
}
