//! `gold.realtime_metrics` by store: what happened in each store in each minute, in each currency?
//!
//! ```sql
//! SELECT date_trunc('minute', transaction_at), store_key, currency, count(*), sum(amount), sum(is_fraud::int)
//! FROM gold.fact_transactions GROUP BY 1, 2, 3
//! ```

use super::{Facts, Sales, View};
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::timestamp::MINUTE;
use streamflow_model::{Currency, Id};

/// The view.
pub struct RealtimeStoreMetrics;

/// A store's minute, in one currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreMinute {
    /// Start of the minute, microseconds since 1970.
    pub minute_start: i64,
    /// The store.
    pub store: Id,
    /// The currency of the amounts.
    pub currency: Currency,
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
            let transaction = &fact.scored.transaction;
            let (store, currency) = (transaction.store.clone(), transaction.currency);
            [(StoreMinute { minute_start: fact.minute_start, store, currency }, fact.sales())]
        })
    }
}
