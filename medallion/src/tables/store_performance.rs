//! `gold.store_performance`.

use super::view::{Aggregate, Column, Table, Value, sales};
use streamflow_dataflow::views::Sales;
use streamflow_dataflow::views::store_performance::StoreDay;
use streamflow_model::calendar::day_of_key;
use streamflow_model::timestamp::DAY;

/// The table.
pub static TABLE: Aggregate<StoreDay, Sales> = Aggregate {
    table: Table::new(
        "gold.store_performance",
        "gold.store_performance",
        &[
            Column { name: "date_key", value: Value::Day(|key| key.day) },
            Column { name: "store_key", value: Value::Store(|key| &key.store) },
            Column { name: "currency", value: Value::Text(|key| key.currency.as_str()) },
        ],
        &[
            Column { name: "transaction_count", value: Value::Count(|sales| sales.transactions) },
            Column { name: "total_amount", value: Value::Money(|sales| sales.cents) },
            Column { name: "avg_ticket", value: Value::MeanMoney(|sales| (sales.cents, sales.transactions)) },
            Column { name: "alert_count", value: Value::Count(|sales| sales.alerts) },
            Column { name: "fraud_rate", value: Value::Rate(|sales| (sales.alerts, sales.transactions)) },
        ],
    ),
    bucket: DAY,
    read: |row| {
        let (day, store) = (day_of_key(row.get()?), row.id()?);
        let key = StoreDay { day, store, currency: row.currency()? };
        Ok((key, sales(row)?))
    },
    expected: "SELECT date_key, store_key, currency, count(*), sum(amount_cents) / 100, \
             round(avg(amount_cents) / 100, 2), count(*) FILTER (WHERE is_fraud), \
             round(count(*) FILTER (WHERE is_fraud) / count(*)::numeric, 4) \
         FROM {transactions} GROUP BY 1, 2, 3",
};
