//! `gold.agg_hourly_sales`.

use super::view::{Aggregate, Column, Table, Value, sales};
use streamflow_dataflow::views::CustomerSales;
use streamflow_dataflow::views::agg_hourly_sales::StoreHour;
use streamflow_model::timestamp::HOUR;

/// The table.
pub static TABLE: Aggregate<StoreHour, CustomerSales> = Aggregate {
    table: Table::new(
        "gold.agg_hourly_sales",
        "gold.agg_hourly_sales",
        &[
            Column { name: "hour_timestamp", value: Value::Instant(|key| key.hour_start) },
            Column { name: "store_key", value: Value::Store(|key| &key.store) },
            Column { name: "currency", value: Value::Text(|key| key.currency.as_str()) },
        ],
        &[
            Column { name: "transaction_count", value: Value::Count(|hour| hour.sales.transactions) },
            Column { name: "total_amount", value: Value::Money(|hour| hour.sales.cents) },
            Column {
                name: "avg_amount",
                value: Value::MeanMoney(|hour| (hour.sales.cents, hour.sales.transactions)),
            },
            Column { name: "fraud_count", value: Value::Count(|hour| hour.sales.alerts) },
            Column { name: "distinct_customers", value: Value::Count(|hour| hour.customers) },
        ],
    ),
    bucket: HOUR,
    read: |row| {
        let key = StoreHour { hour_start: row.instant()?, store: row.id()?, currency: row.currency()? };
        Ok((key, CustomerSales { sales: sales(row)?, customers: row.get()? }))
    },
    expected: "SELECT date_trunc('hour', transaction_at, (SELECT streamflow.time_zone())), store_key, currency, \
             count(*), sum(amount_cents) / 100, round(avg(amount_cents) / 100, 2), count(*) FILTER (WHERE is_fraud), count(DISTINCT customer_key) \
         FROM {transactions} GROUP BY 1, 2, 3",
};
