//! Reads the sums of customers, by currency.

use super::{Hydration, Share};
use crate::copy_out::{self, CENTS, Fields, literal};
use postgres::Transaction as Snapshot;
use postgres::types::Type;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::detectors::Sums;
use streamflow_dataflow::resume::RestoredCustomer;
use streamflow_dataflow::views::customer_profile::Profile;

const TYPES: [Type; 10] = [
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::TEXT,
    Type::INT8,
];

impl Hydration<'_> {
    /// Each worker reads a stretch of keys.
    pub(super) fn customers(
        &self,
        snapshot: &mut Snapshot<'_>,
        share: Share,
        give: &mut dyn FnMut(RestoredCustomer),
    ) -> Result<(), PostgresError> {
        let last: i32 = snapshot
            .query_one("SELECT coalesce(max(customer_key), 0) FROM gold.customer_totals", &[])?
            .try_get(0)?;
        let (from, to) = share.of_range(0, i64::from(last) + 1);
        let query = format!(
            "SELECT c.customer_id, t.currency, t.first_seen, t.last_seen, t.transaction_count, t.minute_sum, \
                 t.minute_square_sum, t.alert_count, {CENTS}, {} \
             FROM gold.customer_totals AS t JOIN gold.dim_customer AS c USING (customer_key) \
             WHERE t.customer_key >= {from} AND t.customer_key < {to}",
            last_folded(&literal(self.folded_before))
        );
        copy_out::rows(snapshot, &query, &TYPES, customer, give)
    }
}

/// Only of customers and currencies with transactions on both sides of the line it has to be looked for: among those that
/// are there, and those that maintenance has removed.
fn last_folded(line: &str) -> String {
    format!(
        "CASE WHEN t.last_seen < {line} THEN t.last_seen WHEN t.first_seen < {line} THEN \
             greatest((SELECT s.transaction_at FROM silver.transactions AS s \
              WHERE s.customer_key = t.customer_key AND s.currency = t.currency AND s.transaction_at < {line} \
                  AND NOT s.voided \
              ORDER BY s.transaction_at DESC LIMIT 1), \
             (SELECT r.last_seen FROM streamflow.removed_transactions AS r \
              WHERE r.customer_key = t.customer_key AND r.currency = t.currency)) END"
    )
}

fn customer(row: &mut Fields<'_>) -> Result<RestoredCustomer, PostgresError> {
    let (id, currency) = (row.id()?, row.currency()?);
    let (first_seen, last_seen) = (row.instant()?, row.instant()?);
    let (count, minutes, squared_minutes) = (row.count()?, row.count()?, row.count()?);
    let alerts = row.count()?;
    let sums = Sums { count, cents: row.wide()?, minutes, squared_minutes };
    let profile = Profile { sums, first_seen, last_seen, alerts };
    Ok(RestoredCustomer { id, currency, profile, last_folded: row.nullable_instant()? })
}
