//! `gold.realtime_metrics`, the rows of single stores.

use super::view::{Aggregate, Column, Table, Value, sales};
use streamflow_dataflow::views::Sales;
use streamflow_dataflow::views::realtime_store_metrics::StoreMinute;
use streamflow_model::timestamp::MINUTE;

/// The table.
pub static TABLE: Aggregate<StoreMinute, Sales> = Aggregate {
    table: Table::of_windows(
        "gold.realtime_metrics",
        &[
            Column { name: "window_start", value: Value::Instant(|key| key.minute_start) },
            Column { name: "store_key", value: Value::Store(|key| &key.store) },
            Column { name: "currency", value: Value::Text(|key| key.currency.as_str()) },
        ],
        &[
            Column { name: "transaction_count", value: Value::Count(|sales| sales.transactions) },
            Column { name: "total_amount", value: Value::Money(|sales| sales.cents) },
            Column { name: "avg_amount", value: Value::MeanMoney(|sales| (sales.cents, sales.transactions)) },
            Column { name: "alert_count", value: Value::Count(|sales| sales.alerts) },
            Column { name: "distinct_customers", value: Value::Nothing },
            Column { name: "changed_frontier", value: Value::ChangedFrontier },
        ],
        |key| key.minute_start,
    ),
    bucket: MINUTE,
    read: |row| {
        let (minute_start, store) = (row.instant()?, row.id()?);
        let key = StoreMinute { minute_start, store, currency: row.currency()? };
        Ok((key, sales(row)?))
    },
    expected: "SELECT date_trunc('minute', transaction_at), store_key, currency, count(*), \
             sum(amount_cents) / 100, round(avg(amount_cents) / 100, 2), count(*) FILTER (WHERE is_fraud), NULL::integer \
         FROM {transactions} \
         WHERE transaction_at >= coalesce( \
             (SELECT date_trunc('minute', watermark) - interval '24 hours' FROM streamflow.progress), '-infinity') \
         GROUP BY 1, 2, 3",
};
