//! `gold.store_performance`: what did each store sell on each day in each currency, and how much of it was
//! alerted?
//!
//! ```sql
//! SELECT store_key, date_key, currency, count(*), sum(amount), sum(is_fraud::int)
//! FROM gold.fact_transactions GROUP BY 1, 2, 3
//! ```

use super::sales::day_end;
use super::{Facts, Sales, View};
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::{Currency, Id};

/// The view.
pub struct StorePerformance;

/// A store's local day, in one currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreDay {
    /// The day, days since 1970-01-01.
    pub day: i32,
    /// The store.
    pub store: Id,
    /// The currency of the amounts.
    pub currency: Currency,
}

impl Key for StoreDay {
    fn closes_at(&self) -> Option<i64> {
        day_end(self.day)
    }
}

impl View for StorePerformance {
    const NAME: &'static str = "store_performance";
    type Key = StoreDay;
    type Sum = Sales;

    fn sums<'s>(facts: &Facts<'s>) -> VecCollection<'s, u64, StoreDay, Sales> {
        facts.sum(Self::NAME, |fact| {
            let transaction = &fact.scored.transaction;
            let (store, currency) = (transaction.store.clone(), transaction.currency);
            [(StoreDay { day: fact.day, store, currency }, fact.sales())]
        })
    }
}
