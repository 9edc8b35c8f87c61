//! `gold.realtime_metrics` by store: what happened in each store in each minute?
//!
//! ```sql
//! SELECT date_trunc('minute', transaction_at), store_key, count(*), sum(amount), sum(is_fraud::int)
//! FROM gold.fact_transactions GROUP BY 1, 2
//! ```

use super::{Facts, Sales, View};
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::Id;
use streamflow_model::timestamp::MINUTE;

/// The view.
pub struct RealtimeStoreMetrics;

/// A store's minute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreMinute {
    /// Start of the minute, microseconds since 1970.
    pub minute_start: i64,
    /// The store.
    pub store: Id,
}

impl Key for StoreMinute {
    fn closes_at(&self) -> Option<i64> {
        self.minute_start.checked_add(MINUTE)
    }
}

impl View for RealtimeStoreMetrics {
    const NAME: &'static str = "realtime_store_metrics";
    type Key = StoreMinute;
    type Sum = Sales;

    fn sums<'s>(facts: &Facts<'s>) -> VecCollection<'s, u64, StoreMinute, Sales> {
        facts.sum(Self::NAME, |fact| {
            let store = fact.scored.transaction.store.clone();
            [(StoreMinute { minute_start: fact.minute_start, store }, fact.sales())]
        })
    }
}
