//! The aggregates by hour and day: the exact sums, from which rounded columns derive.

use crate::snapshot::{Snapshot, instant, long, text};
use crate::{Comparison, VerificationError, comparison};
use postgres::Row;
use std::collections::BTreeMap;
use streamflow_oracle::{CustomerSalesRow, DailyFraudRow, RulePerformanceRow, SalesRow};

const HOURLY_SALES: &str = "gold.agg_hourly_sales, from bronze";
const STORE_PERFORMANCE: &str = "gold.store_performance, from bronze";

/// Transactions, amount and alerts, from this column on.
pub(super) fn sales(row: &Row, column: usize, table: &'static str) -> Result<SalesRow, VerificationError> {
    Ok(SalesRow {
        transactions: row.try_get(column)?,
        cents: long(row, column + 1, table)?,
        alerts: row.try_get(column + 2)?,
    })
}

pub(super) fn compare_hourly_sales(
    snapshot: &mut Snapshot<'_>,
    expected: BTreeMap<(i64, String), CustomerSalesRow>,
) -> Result<Comparison, VerificationError> {
    let sql = "SELECT hour_timestamp, store_id, transaction_count, (total_amount * 100)::numeric(40, 0)::text, \
             fraud_count, distinct_customers \
         FROM gold.agg_hourly_sales LEFT JOIN gold.dim_store USING (store_key)";
    let stored = snapshot.rows(sql, |row| {
        let hour = CustomerSalesRow { sales: sales(row, 2, HOURLY_SALES)?, customers: row.try_get(5)? };
        Ok(((instant(row, 0)?, text(row, 1)?), hour))
    })?;
    Ok(comparison::equal(HOURLY_SALES, stored, expected))
}

pub(super) fn compare_store_performance(
    snapshot: &mut Snapshot<'_>,
    expected: BTreeMap<(i32, String), SalesRow>,
) -> Result<Comparison, VerificationError> {
    let sql = "SELECT date_key, store_id, transaction_count, (total_amount * 100)::numeric(40, 0)::text, alert_count \
         FROM gold.store_performance LEFT JOIN gold.dim_store USING (store_key)";
    let stored = snapshot
        .rows(sql, |row| Ok(((row.try_get(0)?, text(row, 1)?), sales(row, 2, STORE_PERFORMANCE)?)))?;
    Ok(comparison::equal(STORE_PERFORMANCE, stored, expected))
}

pub(super) fn compare_daily_fraud(
    snapshot: &mut Snapshot<'_>,
    expected: BTreeMap<i32, DailyFraudRow>,
) -> Result<Comparison, VerificationError> {
    let sql =
        "SELECT date_key, total_txns, total_alerts, score_thousandths, top_rule FROM gold.agg_daily_fraud";
    let stored = snapshot.rows(sql, |row| {
        let day = DailyFraudRow {
            transactions: row.try_get(1)?,
            alerts: row.try_get(2)?,
            score: row.try_get(3)?,
            top_rule: row.try_get(4)?,
        };
        Ok((row.try_get(0)?, day))
    })?;
    Ok(comparison::equal("gold.agg_daily_fraud, from bronze", stored, expected))
}

pub(super) fn compare_rule_performance(
    snapshot: &mut Snapshot<'_>,
    expected: BTreeMap<(i32, String), RulePerformanceRow>,
) -> Result<Comparison, VerificationError> {
    let sql =
        "SELECT date_key, rule_id, hits, alerts, alerts_alone, score_thousandths FROM gold.rule_performance";
    let stored = snapshot.rows(sql, |row| {
        let performance = RulePerformanceRow {
            hits: row.try_get(2)?,
            alerts: row.try_get(3)?,
            alone: row.try_get(4)?,
            score: row.try_get(5)?,
        };
        Ok(((row.try_get(0)?, text(row, 1)?), performance))
    })?;
    Ok(comparison::equal("gold.rule_performance, from bronze", stored, expected))
}
