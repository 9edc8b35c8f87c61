//! The recomputation for a few keys and days, chosen at random: cheap on a large database.
//!
//! Customers are chosen by key, and of their transactions some; their hours, days and minutes are compared whole.

use super::check::Check;
use super::recomputation;
use anyhow::Result;
use chrono::{DateTime, Utc};
use postgres::Transaction;
use postgres::types::ToSql;
use streamflow_medallion::recompute::Comparison;

/// What was chosen.
struct Chosen {
    customers: Vec<i32>,
    days: Vec<i32>,
    times: Vec<DateTime<Utc>>,
}

/// What a query is restricted to: its `$1`.
#[derive(Clone, Copy)]
enum By {
    Customers,
    Days,
    Times,
}

/// A table's rows and their recomputation, with the same columns.
struct Query {
    table: &'static str,
    by: By,
    stored: &'static str,
    expected: &'static str,
}

/// Keys are dense: a random number is one, but for the last ones.
const CUSTOMERS: &str = "SELECT customer_key FROM gold.dim_customer WHERE customer_key IN ( \
         SELECT 1 + floor(random() * (SELECT max(customer_key) FROM gold.dim_customer))::int4 \
         FROM generate_series(1, $1::int4))";

const TRANSACTIONS: &str = "SELECT transaction_at, date_key FROM silver.transactions \
     WHERE customer_key = ANY ($1) ORDER BY random() LIMIT $2";

const QUERIES: [Query; 7] = [
    Query {
        table: "gold.customer_profile",
        by: By::Customers,
        stored: "SELECT customer_key, transaction_count, total_amount, minute_sum, minute_square_sum, first_seen, \
                 last_seen, alert_count FROM gold.customer_profile WHERE customer_key = ANY ($1)",
        expected: "SELECT customer_key, count(*), sum(amount_cents) / 100, sum(minute)::int8, \
                 sum(minute * minute)::int8, min(transaction_at), max(transaction_at), \
                 count(*) FILTER (WHERE is_fraud) \
             FROM silver.transactions CROSS JOIN LATERAL ( \
                 SELECT transaction_at AT TIME ZONE (SELECT streamflow.time_zone()) AS local) AS l \
             CROSS JOIN LATERAL (SELECT (extract(hour FROM local) * 60 + extract(minute FROM local))::int8 \
                 AS minute) AS m \
             WHERE customer_key = ANY ($1) AND NOT voided GROUP BY 1",
    },
    Query {
        table: "gold.fact_fraud_alerts",
        by: By::Customers,
        stored: "SELECT transaction_id, alert_id, date_key, customer_key, store_key, fraud_score, rules_triggered, \
                 transaction_amount, transaction_at FROM gold.fact_fraud_alerts WHERE customer_key = ANY ($1)",
        expected: "SELECT transaction_id, 'alert-' || transaction_id, date_key, customer_key, store_key, \
                 score_thousandths / 1000.0, \
                 streamflow.rules_triggered(fr_001, fr_002, fr_003, fr_004, fr_005), amount_cents / 100.0, \
                 transaction_at \
             FROM silver.transactions WHERE customer_key = ANY ($1) AND is_fraud AND NOT voided",
    },
    Query {
        table: "gold.agg_hourly_sales",
        by: By::Times,
        stored: "SELECT hour_timestamp, store_key, transaction_count, total_amount, avg_amount, fraud_count \
             FROM gold.agg_hourly_sales WHERE hour_timestamp IN ( \
                 SELECT date_trunc('hour', time, streamflow.time_zone()) FROM unnest($1::timestamptz[]) AS time)",
        expected: "SELECT start, store_key, count(*), sum(amount_cents) / 100, round(avg(amount_cents) / 100, 2), \
                 count(*) FILTER (WHERE is_fraud) \
             FROM (SELECT DISTINCT date_trunc('hour', time, streamflow.time_zone()) AS start \
                   FROM unnest($1::timestamptz[]) AS time) AS hours \
             JOIN silver.transactions ON transaction_at >= start AND transaction_at < start + interval '1 hour' \
             WHERE NOT voided GROUP BY 1, 2",
    },
    Query {
        table: "gold.store_performance",
        by: By::Days,
        stored: "SELECT date_key, store_key, transaction_count, total_amount, avg_ticket, alert_count, fraud_rate \
             FROM gold.store_performance WHERE date_key = ANY ($1)",
        expected: "SELECT date_key, store_key, count(*), sum(amount_cents) / 100, \
                 round(avg(amount_cents) / 100, 2), count(*) FILTER (WHERE is_fraud), \
                 round(count(*) FILTER (WHERE is_fraud) / count(*)::numeric, 4) \
             FROM silver.transactions WHERE date_key = ANY ($1) AND NOT voided GROUP BY 1, 2",
    },
    Query {
        table: "gold.agg_daily_fraud",
        by: By::Days,
        stored: "SELECT date_key, total_txns, total_alerts, fraud_rate, avg_score \
             FROM gold.agg_daily_fraud WHERE date_key = ANY ($1)",
        expected: "SELECT date_key, count(*), count(*) FILTER (WHERE is_fraud), \
                 round(count(*) FILTER (WHERE is_fraud) / count(*)::numeric, 4), \
                 round(avg(score_thousandths) FILTER (WHERE is_fraud) / 1000, 3) \
             FROM silver.transactions WHERE date_key = ANY ($1) AND NOT voided GROUP BY 1",
    },
    Query {
        table: "gold.rule_performance",
        by: By::Days,
        stored: "SELECT date_key, rule_id, hits, alerts, alerts_alone, avg_score \
             FROM gold.rule_performance WHERE date_key = ANY ($1)",
        expected: "SELECT date_key, rule, count(*), count(*) FILTER (WHERE is_fraud), \
                 count(*) FILTER (WHERE is_fraud AND num_nonnulls(fr_001, fr_002, fr_003, fr_004, fr_005) = 1), \
                 round(avg(score) / 1000, 3) \
             FROM silver.transactions CROSS JOIN LATERAL (VALUES ('FR-001', fr_001), ('FR-002', fr_002), \
                 ('FR-003', fr_003), ('FR-004', fr_004), ('FR-005', fr_005)) AS hit (rule, score) \
             WHERE date_key = ANY ($1) AND NOT voided AND score IS NOT NULL GROUP BY 1, 2",
    },
    Query {
        table: "gold.realtime_metrics",
        by: By::Times,
        stored: "SELECT window_start, store_key, transaction_count, total_amount, avg_amount, alert_count, \
                 distinct_customers \
             FROM gold.realtime_metrics \
             WHERE window_start IN (SELECT date_trunc('minute', time) FROM unnest($1::timestamptz[]) AS time)",
        expected: "SELECT start, store_key, count(*), sum(amount_cents) / 100, round(avg(amount_cents) / 100, 2), \
                 count(*) FILTER (WHERE is_fraud), \
                 CASE WHEN grouping(store_key) = 1 THEN count(DISTINCT customer_key) END \
             FROM (SELECT DISTINCT date_trunc('minute', time) AS start FROM unnest($1::timestamptz[]) AS time) AS minutes \
             JOIN silver.transactions ON transaction_at >= start AND transaction_at < start + interval '1 minute' \
             WHERE NOT voided AND start >= coalesce( \
                 (SELECT date_trunc('minute', watermark) - interval '24 hours' FROM streamflow.progress), \
                 '-infinity') \
             GROUP BY GROUPING SETS ((1, 2), (1))",
    },
];

/// Compares what belongs to up to `keys` customers and as many days, hours and minutes.
///
/// # Errors
/// What the server or the connection says.
pub fn from_silver(transaction: &mut Transaction<'_>, keys: u32) -> Result<Vec<Check>> {
    let chosen = choose(transaction, i32::try_from(keys)?)?;
    let mut checks = Vec::with_capacity(QUERIES.len());
    for Query { table, by, stored, expected } in QUERIES {
        let restriction: &(dyn ToSql + Sync) = match by {
            By::Customers => &chosen.customers,
            By::Days => &chosen.days,
            By::Times => &chosen.times,
        };
        let row = transaction.query_one(&difference(stored, expected), &[restriction])?;
        let (rows, differing, sample) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        checks.push(recomputation::judge(Comparison { table, rows, differing, sample }));
    }
    Ok(checks)
}

fn choose(transaction: &mut Transaction<'_>, keys: i32) -> Result<Chosen> {
    let mut customers: Vec<i32> = Vec::new();
    for row in transaction.query(CUSTOMERS, &[&keys])? {
        customers.push(row.try_get(0)?);
    }
    let (mut days, mut times) = (Vec::new(), Vec::new());
    for row in transaction.query(TRANSACTIONS, &[&customers, &i64::from(keys)])? {
        times.push(row.try_get(0)?);
        days.push(row.try_get(1)?);
    }
    Ok(Chosen { customers, days, times })
}

/// As [`streamflow_medallion::recompute`] counts it.
fn difference(stored: &str, expected: &str) -> String {
    format!(
        "WITH stored AS MATERIALIZED ({stored}), expected AS MATERIALIZED ({expected}), differing AS ( \
             SELECT 'stored ' || s::text AS line FROM (TABLE stored EXCEPT ALL TABLE expected) AS s \
             UNION ALL SELECT 'expected ' || e::text FROM (TABLE expected EXCEPT ALL TABLE stored) AS e) \
         SELECT (SELECT count(*) FROM stored), count(*), \
             coalesce((array_agg(line ORDER BY split_part(line, '(', 2), line))[1:4], '{{}}') FROM differing"
    )
}
