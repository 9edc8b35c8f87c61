//! `gold.shadow_alerts`.

use crate::comparison::{self, Comparison};
use crate::error::{VerificationError, unreadable};
use crate::snapshot::{Snapshot, instant, text};
use postgres::Row;
use std::collections::BTreeMap;
use streamflow_oracle::ShadowAlertRow;

const TABLE: &str = "gold.shadow_alerts, from bronze";

const STORED: &str = "SELECT rule_set, transaction_id, customer_id, store_id, (transaction_amount * 100)::int8, currency, \
         transaction_at, (fraud_score * 1000)::int8, rule_scores::text \
     FROM gold.shadow_alerts \
     LEFT JOIN gold.dim_customer USING (customer_key) \
     LEFT JOIN gold.dim_store USING (store_key)";

pub(super) fn compare(
    snapshot: &mut Snapshot<'_>,
    expected: Vec<ShadowAlertRow>,
) -> Result<Comparison, VerificationError> {
    let stored: Vec<_> = snapshot.rows(STORED, &[], read)?;
    let by_key = |row: ShadowAlertRow| ((row.rule_set.clone(), row.transaction_id.clone()), row);
    Ok(comparison::equal(TABLE, stored.into_iter().map(by_key), expected.into_iter().map(by_key)))
}

fn read(row: &Row) -> Result<ShadowAlertRow, VerificationError> {
    let rules: BTreeMap<String, i64> =
        serde_json::from_str(row.try_get(8)?).map_err(|error| unreadable(TABLE, &error))?;
    Ok(ShadowAlertRow {
        rule_set: text(row, 0)?,
        transaction_id: text(row, 1)?,
        customer_id: text(row, 2)?,
        store_id: text(row, 3)?,
        cents: row.try_get(4)?,
        currency: text(row, 5)?,
        event_time: instant(row, 6)?,
        score: row.try_get(7)?,
        rules: rules.into_iter().collect(),
    })
}
