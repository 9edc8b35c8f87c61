//! `gold.fact_fraud_alerts`.

use crate::comparison::{self, Comparison};
use crate::error::{VerificationError, unreadable};
use crate::evidence;
use crate::snapshot::{Snapshot, instant, text};
use postgres::Row;
use streamflow_oracle::AlertRow;

const TABLE: &str = "gold.fact_fraud_alerts, from bronze";

const STORED: &str = "SELECT transaction_id, customer_id, store_id, (transaction_amount * 100)::int8, currency, transaction_at, \
         (fraud_score * 1000)::int8, rules_triggered, rule_details::text \
     FROM gold.fact_fraud_alerts \
     LEFT JOIN gold.dim_customer USING (customer_key) \
     LEFT JOIN gold.dim_store USING (store_key)";

pub(super) fn compare(
    snapshot: &mut Snapshot<'_>,
    expected: Vec<AlertRow>,
) -> Result<Comparison, VerificationError> {
    let stored: Vec<_> = snapshot.rows(STORED, &[], read)?;
    let by_id = |row: AlertRow| (row.transaction_id.clone(), row);
    Ok(comparison::alike(
        TABLE,
        stored.into_iter().map(by_id),
        expected.into_iter().map(by_id),
        evidence::alike,
    ))
}

fn read(row: &Row) -> Result<AlertRow, VerificationError> {
    Ok(AlertRow {
        transaction_id: text(row, 0)?,
        customer_id: text(row, 1)?,
        store_id: text(row, 2)?,
        cents: row.try_get(3)?,
        currency: text(row, 4)?,
        event_time: instant(row, 5)?,
        score: row.try_get(6)?,
        rules: row.try_get(7)?,
        details: serde_json::from_str(row.try_get(8)?).map_err(|error| unreadable(TABLE, &error))?,
    })
}
