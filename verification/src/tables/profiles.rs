//! `gold.customer_profile`: the exact sums, from which rounded columns derive.

use crate::snapshot::{Snapshot, instant, long, text};
use crate::{Comparison, VerificationError, comparison};
use std::collections::BTreeMap;
use streamflow_oracle::ProfileRow;

const TABLE: &str = "gold.customer_profile, from bronze";

pub(super) fn compare(
    snapshot: &mut Snapshot<'_>,
    expected: BTreeMap<String, ProfileRow>,
) -> Result<Comparison, VerificationError> {
    let sql = "SELECT customer_id, transaction_count, (total_amount * 100)::numeric(40, 0)::text, minute_sum, \
             minute_square_sum, first_seen, last_seen, alert_count \
         FROM gold.customer_profile";
    let stored = snapshot.rows(sql, |row| {
        let profile = ProfileRow {
            transactions: row.try_get(1)?,
            cents: long(row, 2, TABLE)?,
            minutes: row.try_get(3)?,
            squared_minutes: row.try_get(4)?,
            first_seen: instant(row, 5)?,
            last_seen: instant(row, 6)?,
            alerts: row.try_get(7)?,
        };
        Ok((text(row, 0)?, profile))
    })?;
    Ok(comparison::equal(TABLE, stored, expected))
}
