//! `gold.payment_performance`.

use super::view::{Aggregate, Column, Table, Value, sales};
use streamflow_dataflow::views::Sales;
use streamflow_dataflow::views::payment_performance::MethodDay;
use streamflow_model::calendar::day_of_key;
use streamflow_model::timestamp::DAY;

/// The table.
pub static TABLE: Aggregate<MethodDay, Sales> = Aggregate {
    table: Table::new(
        "gold.payment_performance",
        "gold.payment_performance",
        &[
            Column { name: "date_key", value: Value::Day(|key| key.day) },
            Column { name: "payment_method", value: Value::Text(|key| &key.method) },
            Column { name: "currency", value: Value::Text(|key| key.currency.as_str()) },
        ],
        &[
            Column { name: "transaction_count", value: Value::Count(|sales| sales.transactions) },
            Column { name: "total_amount", value: Value::Money(|sales| sales.cents) },
            Column { name: "alert_count", value: Value::Count(|sales| sales.alerts) },
            Column { name: "fraud_rate", value: Value::Rate(|sales| (sales.alerts, sales.transactions)) },
        ],
    ),
    bucket: DAY,
    read: |row| {
        let (day, method) = (day_of_key(row.get()?), row.id()?);
        let key = MethodDay { day, method, currency: row.currency()? };
        Ok((key, sales(row)?))
    },
    expected: "SELECT date_key, coalesce(payment_method, 'unknown'), currency, count(*), sum(amount_cents) / 100, \
             count(*) FILTER (WHERE is_fraud), round(count(*) FILTER (WHERE is_fraud) / count(*)::numeric, 4) \
         FROM {transactions} GROUP BY 1, 2, 3",
};
