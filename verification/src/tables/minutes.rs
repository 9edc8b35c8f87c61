//! `gold.realtime_metrics`: the minutes of the last day.

use super::aggregates::sales;
use crate::progress::State;
use crate::snapshot::{Snapshot, instant, text};
use crate::{Comparison, VerificationError, comparison};
use std::collections::BTreeMap;
use streamflow_oracle::{CustomerSalesRow, SalesRow};

const OVERALL: &str = "gold.realtime_metrics, from bronze";
const STORES: &str = "gold.realtime_metrics (stores), from bronze";
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The first minute that is kept: 24 hours behind the watermark.
fn first_minute(state: &State) -> i64 {
    let watermark = state.watermark.unwrap_or(i64::MIN);
    watermark.saturating_sub(watermark.rem_euclid(MINUTE)).saturating_sub(DAY)
}

pub(super) fn compare_overall(
    snapshot: &mut Snapshot<'_>,
    state: &State,
    mut expected: BTreeMap<i64, CustomerSalesRow>,
) -> Result<Comparison, VerificationError> {
    let sql = "SELECT window_start, distinct_customers, transaction_count, \
             (total_amount * 100)::numeric(40, 0)::text, alert_count \
         FROM gold.realtime_metrics WHERE store_key IS NULL";
    let stored = snapshot.rows(sql, |row| {
        let customers: Option<i64> = row.try_get(1)?;
        let minute =
            CustomerSalesRow { sales: sales(row, 2, OVERALL)?, customers: customers.unwrap_or_default() };
        Ok((instant(row, 0)?, minute))
    })?;
    expected.retain(|start, _| *start >= first_minute(state));
    Ok(comparison::equal(OVERALL, stored, expected))
}

pub(super) fn compare_stores(
    snapshot: &mut Snapshot<'_>,
    state: &State,
    mut expected: BTreeMap<(i64, String), SalesRow>,
) -> Result<Comparison, VerificationError> {
    let sql = "SELECT window_start, store_id, transaction_count, (total_amount * 100)::numeric(40, 0)::text, \
             alert_count \
         FROM gold.realtime_metrics LEFT JOIN gold.dim_store USING (store_key) WHERE store_key IS NOT NULL";
    let stored = snapshot.rows(sql, |row| Ok(((instant(row, 0)?, text(row, 1)?), sales(row, 2, STORES)?)))?;
    expected.retain(|(start, _), _| *start >= first_minute(state));
    Ok(comparison::equal(STORES, stored, expected))
}
