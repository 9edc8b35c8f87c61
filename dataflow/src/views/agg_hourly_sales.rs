//! `gold.agg_hourly_sales`: what did each store sell in each hour and currency, and to how many
//! customers?
//!
//! A customer who pays in two currencies counts in both rows, so distinct customers cannot be added over
//! currencies.
//!
//! ```sql
//! SELECT date_trunc('hour', transaction_at), store_key, currency, count(*), sum(amount), sum(is_fraud::int),
//!        count(DISTINCT customer_key)
//! FROM gold.fact_transactions GROUP BY 1, 2, 3
//! ```

use super::{CustomerSales, Facts, HourlyGroup, Sales, View};
use crate::operators::sums::Key;
use differential_dataflow::VecCollection;
use serde::{Deserialize, Serialize};
use streamflow_model::timestamp::HOUR;
use streamflow_model::{Currency, Id, Transaction};

/// The view.
pub struct AggHourlySales;

/// A store's local hour, in one currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreHour {
    /// Start of the hour, microseconds since 1970.
    pub hour_start: i64,
    /// The store.
    pub store: Id,
    /// The currency of the amounts.
    pub currency: Currency,
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
            let (store, currency) = store_and_currency(&fact.scored.transaction);
            let hour = StoreHour { hour_start: fact.hour_start, store, currency };
            [(hour, CustomerSales { sales: fact.sales(), customers: 0 })]
        });
        let customers = facts.hourly_customers(Self::NAME, store_and_currency);
        sales.concat(customers.explode(|HourlyGroup { hour_start, group: (store, currency) }| {
            let hour = StoreHour { hour_start, store, currency };
            [(hour, CustomerSales { sales: Sales::default(), customers: 1 })]
        }))
    }
}

fn store_and_currency(transaction: &Transaction) -> (Id, Currency) {
    (transaction.store.clone(), transaction.currency)
}
