//! `gold.daily_fraud_totals`, and `gold.agg_daily_fraud` over it and `gold.rule_performance`.

use super::view::{Aggregate, Column, Table, Value};
use streamflow_dataflow::views::agg_daily_fraud::{DailyFraud, Day};
use streamflow_model::calendar::day_of_key;
use streamflow_model::timestamp::DAY;

/// The table.
pub static TABLE: Aggregate<Day, DailyFraud> = Aggregate {
    table: Table::new(
        "gold.daily_fraud_totals",
        "gold.agg_daily_fraud",
        &[Column { name: "date_key", value: Value::Day(|day| day.0) }],
        &[
            Column { name: "total_txns", value: Value::Count(|daily| daily.transactions) },
            Column { name: "total_alerts", value: Value::Count(|daily| daily.alerts) },
            Column { name: "fraud_rate", value: Value::Rate(|daily| (daily.alerts, daily.transactions)) },
            Column { name: "top_rule", value: Value::TopRule },
            Column {
                name: "avg_score",
                value: Value::MeanScore(|daily| (daily.score_thousandths, daily.alerts)),
            },
            Column { name: "score_thousandths", value: Value::Exact(|daily| daily.score_thousandths) },
        ],
    ),
    bucket: DAY,
    read: |row| {
        let day = Day(day_of_key(row.get()?));
        Ok((day, DailyFraud { transactions: row.get()?, alerts: row.get()?, score_thousandths: row.get()? }))
    },
    expected: "SELECT date_key, count(*), count(*) FILTER (WHERE is_fraud), \
             round(count(*) FILTER (WHERE is_fraud) / count(*)::numeric, 4), min(top.rule), \
             round(avg(score_thousandths) FILTER (WHERE is_fraud) / 1000, 3), \
             coalesce(sum(score_thousandths) FILTER (WHERE is_fraud), 0)::bigint \
         FROM {transactions} \
         LEFT JOIN (SELECT DISTINCT ON (date_key) date_key, rule \
                    FROM (SELECT date_key, jsonb_object_keys(rule_scores) COLLATE \"C\" AS rule \
                          FROM {transactions} WHERE is_fraud) AS hits \
                    GROUP BY date_key, rule ORDER BY date_key, count(*) DESC, rule) AS top USING (date_key) \
         GROUP BY date_key",
};
