//! `gold.store_performance`: what did each store sell on each day, and how much of it was alerted?
//!
//! ```sql
//! SELECT store_key, date_key, count(*), sum(amount), sum(is_fraud::int) FROM gold.fact_transactions GROUP BY 1, 2
//! ```

use super::sales::day_end;
use super::{Facts, Sales, View};
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::Id;

/// The view.
pub struct StorePerformance;

/// A store's local day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreDay {
    /// The day, days since 1970-01-01.
    pub day: i32,
    /// The store.
    pub store: Id,
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
            let store = fact.scored.transaction.store.clone();
            [(StoreDay { day: fact.day, store }, fact.sales())]
        })
    }
}
