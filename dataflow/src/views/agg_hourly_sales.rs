//! `gold.agg_hourly_sales`: what did each store sell in each hour, and to how many customers?
//!
//! ```sql
//! SELECT date_trunc('hour', transaction_at), store_key, count(*), sum(amount), sum(is_fraud::int),
//!        count(DISTINCT customer_key)
//! FROM gold.fact_transactions GROUP BY 1, 2
//! ```

use super::{CustomerSales, Facts, HourlyGroup, Sales, View};
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::Id;
use streamflow_model::timestamp::HOUR;

/// The view.
pub struct AggHourlySales;

/// A store's local hour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreHour {
    /// Start of the hour, microseconds since 1970.
    pub hour_start: i64,
    /// The store.
    pub store: Id,
}

impl Key for StoreHour {
    fn closes_at(&self) -> Option<i64> {
        self.hour_start.checked_add(HOUR)
    }
}

impl View for AggHourlySales {
    const NAME: &'static str = "agg_hourly_sales";
    type Key = StoreHour;
    type Sum = CustomerSales;

    fn sums<'s>(facts: &Facts<'s>) -> VecCollection<'s, u64, StoreHour, CustomerSales> {
        let sales = facts.sum(Self::NAME, |fact| {
            let hour =
                StoreHour { hour_start: fact.hour_start, store: fact.scored.transaction.store.clone() };
            [(hour, CustomerSales { sales: fact.sales(), customers: 0 })]
        });
        let customers = facts.hourly_customers(Self::NAME, |transaction| &transaction.store);
        sales.concat(customers.explode(|HourlyGroup { hour_start, group: store }| {
            [(StoreHour { hour_start, store }, CustomerSales { sales: Sales::default(), customers: 1 })]
        }))
    }
}
