//! `gold.realtime_metrics`, the rows of all stores together.

use super::view::{Aggregate, Column, Table, Value, sales};
use streamflow_dataflow::views::CustomerSales;
use streamflow_dataflow::views::realtime_metrics::Minute;
use streamflow_model::timestamp::MINUTE;

/// The table.
pub static TABLE: Aggregate<Minute, CustomerSales> = Aggregate {
    table: Table::of_windows(
        "gold.realtime_metrics",
        &[
            Column { name: "window_start", value: Value::Instant(|minute| minute.start) },
            Column { name: "store_key", value: Value::Nothing },
            Column { name: "currency", value: Value::Text(|minute| minute.currency.as_str()) },
        ],
        &[
            Column { name: "transaction_count", value: Value::Count(|minute| minute.sales.transactions) },
            Column { name: "total_amount", value: Value::Money(|minute| minute.sales.cents) },
            Column {
                name: "avg_amount",
                value: Value::MeanMoney(|minute| (minute.sales.cents, minute.sales.transactions)),
            },
            Column { name: "alert_count", value: Value::Count(|minute| minute.sales.alerts) },
            Column { name: "distinct_customers", value: Value::Count(|minute| minute.customers) },
            Column { name: "changed_frontier", value: Value::ChangedFrontier },
        ],
        |minute| minute.start,
    ),
    bucket: MINUTE,
    read: |row| {
        let minute = Minute { start: row.instant()?, currency: row.currency()? };
        Ok((minute, CustomerSales { sales: sales(row)?, customers: row.get()? }))
    },
    expected: "SELECT date_trunc('minute', transaction_at), NULL::integer, currency, count(*), \
             sum(amount_cents) / 100, round(avg(amount_cents) / 100, 2), count(*) FILTER (WHERE is_fraud), count(DISTINCT customer_key) \
         FROM {transactions} \
         WHERE transaction_at >= coalesce( \
             (SELECT date_trunc('minute', watermark) - interval '24 hours' FROM streamflow.progress), '-infinity') \
         GROUP BY 1, 3",
};
