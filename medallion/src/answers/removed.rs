//! Transactions that maintenance has removed, of which sums are left.

use crate::copy_out::impossible;
use crate::encoding::Instant;
use postgres::Transaction as Snapshot;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::detectors::Sums;

const FIRST_KEPT: &str =
    "SELECT kept_from FROM streamflow.retention WHERE table_name = 'silver.transactions'";

const SUMS: &str = "SELECT r.currency = $2, r.transaction_count, r.amount_cents::text, r.minute_sum, r.minute_square_sum \
     FROM streamflow.removed_transactions AS r JOIN gold.dim_customer AS c USING (customer_key) \
     WHERE c.customer_id = $1";

/// The event time from which all transactions are there, microseconds since 1970; `i64::MIN` where none was removed.
pub(super) fn first_kept(snapshot: &mut Snapshot<'_>) -> Result<i64, PostgresError> {
    let row = snapshot.query_opt(FIRST_KEPT, &[])?;
    let first = row.map(|row| row.try_get(0)).transpose()?;
    Ok(first.map_or(i64::MIN, |Instant(first)| first))
}

/// Sums over removed transactions of a customer in one currency.
pub struct Removed {
    /// The currency is the one that was asked for.
    pub in_currency: bool,
    /// Over all of them.
    pub sums: Sums,
}

/// What was removed of a customer, by currency.
///
/// # Errors
/// Those of the server and the connection; [`PostgresError::Fenced`] for rows that no pipeline wrote.
pub fn removed(
    snapshot: &mut Snapshot<'_>,
    customer: &str,
    currency: &str,
) -> Result<Vec<Removed>, PostgresError> {
    let rows = snapshot.query(SUMS, &[&customer, &currency])?;
    let removed = rows.iter().map(|row| {
        let cents: &str = row.try_get(2)?;
        let sums = Sums {
            count: count(row.try_get(1)?)?,
            cents: cents.parse().map_err(|_| impossible(format!("{cents} cents")))?,
            minutes: count(row.try_get(3)?)?,
            squared_minutes: count(row.try_get(4)?)?,
        };
        Ok(Removed { in_currency: row.try_get(0)?, sums })
    });
    removed.collect()
}

fn count(number: i64) -> Result<u64, PostgresError> {
    u64::try_from(number).map_err(|_| impossible(format!("a sum of {number}")))
}
