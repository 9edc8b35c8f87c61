//! `silver.clean_transactions`.

use super::events::topic;
use crate::comparison::{self, Comparison};
use crate::error::VerificationError;
use crate::snapshot::{Snapshot, instant, narrow, text};
use postgres::Row;
use streamflow_medallion::Topics;
use streamflow_oracle::{Coordinates, TransactionRow};

const TABLE: &str = "silver.clean_transactions, from bronze";

/// The view, with the scores of hits, which it does not show.
const STORED: &str = "SELECT v.transaction_id, v.customer_id, v.store_id, v.product_id, v.payment_method, \
         (v.amount * 100)::int8, v.currency, v.latitude, v.longitude, v.transaction_at, v.revision, v.voided, \
         v.source_topic, v.source_partition::int8, v.source_offset, (v.fraud_score * 1000)::int8, v.is_fraud, \
         v.rules_triggered, \
         ARRAY(SELECT hit.value::int2 FROM jsonb_each(t.rule_scores) AS hit ORDER BY hit.key COLLATE \"C\") \
     FROM silver.clean_transactions AS v JOIN silver.transactions AS t USING (transaction_id)";

pub(super) fn compare(
    snapshot: &mut Snapshot<'_>,
    topics: &Topics,
    expected: Vec<TransactionRow>,
) -> Result<Comparison, VerificationError> {
    let stored: Vec<_> = snapshot.rows(STORED, &[], |row| read(row, topics))?;
    let by_id = |row: TransactionRow| (row.transaction_id.clone(), row);
    Ok(comparison::equal(TABLE, stored.into_iter().map(by_id), expected.into_iter().map(by_id)))
}

fn read(row: &Row, topics: &Topics) -> Result<TransactionRow, VerificationError> {
    let place: (Option<f64>, Option<f64>) = (row.try_get(7)?, row.try_get(8)?);
    let rules: Vec<String> = row.try_get(17)?;
    let scores: Vec<i16> = row.try_get(18)?;
    Ok(TransactionRow {
        transaction_id: text(row, 0)?,
        customer_id: text(row, 1)?,
        store_id: text(row, 2)?,
        product_id: row.try_get(3)?,
        payment_method: row.try_get(4)?,
        cents: row.try_get(5)?,
        currency: text(row, 6)?,
        place: place.0.zip(place.1).map(|(latitude, longitude)| (units(latitude), units(longitude))),
        event_time: instant(row, 9)?,
        revision: narrow(row, 10, TABLE)?,
        voided: row.try_get(11)?,
        source: Coordinates {
            topic: topic(topics, &text(row, 12)?, TABLE)?,
            partition: narrow(row, 13, TABLE)?,
            offset: narrow(row, 14, TABLE)?,
        },
        score: row.try_get(15)?,
        is_fraud: row.try_get(16)?,
        rules: rules.into_iter().zip(scores.into_iter().map(i64::from)).collect(),
    })
}

/// Degrees in units of 1e-7 degrees.
fn units(degrees: f64) -> i32 {
    (degrees * 1e7).round() as i32
}
