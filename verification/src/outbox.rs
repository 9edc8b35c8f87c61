//! Folds the alert changes and compares the result with the current alerts.

use crate::error::unreadable;
use crate::snapshot::{Snapshot, instant, instant_or_null, text};
use crate::{Comparison, VerificationError, comparison};
use postgres::Row;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

const TABLE: &str = "bronze.raw_fraud_alerts";

/// A row of the outbox.
struct Change {
    number: i64,
    sequence: i64,
    kind: String,
    transaction_id: String,
    detected_at: i64,
    payload: Payload,
}

/// The alert in a payload, without the evidence.
#[derive(Deserialize)]
struct Payload {
    alert_id: String,
    customer_id: String,
    store_id: String,
    fraud_score: String,
    rules_triggered: Vec<String>,
    transaction_amount: String,
    transaction_at: String,
}

/// The number of a change among those of all alerts and among those of its own.
#[derive(Debug, PartialEq)]
struct Step {
    transaction_id: String,
    sequence: i64,
    kind: String,
}

/// A current alert, without the evidence: it can change without a change of the alert.
#[derive(Clone, Debug, PartialEq)]
struct Alert {
    alert_id: String,
    customer_id: String,
    store_id: String,
    fraud_score: String,
    rules: Vec<String>,
    amount: String,
    transaction_at: Option<i64>,
    detected_at: i64,
    revised_at: Option<i64>,
}

/// An alert with the number of its last change; without an alert it is withdrawn.
struct Folded {
    sequence: i64,
    alert: Option<Alert>,
}

/// Checks that changes are numbered without gaps, overall and by alert, that each follows from the one before, and that together
/// they result in the current alerts.
pub(crate) fn compare(snapshot: &mut Snapshot<'_>) -> Result<Vec<Comparison>, VerificationError> {
    let sql = "SELECT number, sequence, change, transaction_id, detected_at, payload::text \
         FROM bronze.raw_fraud_alerts ORDER BY number";
    let changes = snapshot.rows(sql, |row| {
        Ok(Change {
            number: row.try_get(0)?,
            sequence: row.try_get(1)?,
            kind: row.try_get(2)?,
            transaction_id: row.try_get(3)?,
            detected_at: instant(row, 4)?,
            payload: serde_json::from_str(row.try_get(5)?).map_err(|error| unreadable(TABLE, &error))?,
        })
    })?;
    let mut alerts: BTreeMap<String, Folded> = BTreeMap::new();
    let (mut steps, mut expected) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
    for (number, change) in (1..).zip(&changes) {
        let step = |sequence: i64, kind: &str| Step {
            transaction_id: change.transaction_id.clone(),
            sequence,
            kind: kind.to_owned(),
        };
        steps.push((change.number, step(change.sequence, &change.kind)));
        let (sequence, kind) = apply(&mut alerts, change);
        expected.push((number, step(sequence, kind)));
    }
    let numbered = comparison::equal(TABLE, steps, expected);
    let standing = alerts.into_iter().filter_map(|(id, folded)| Some((id, folded.alert?)));
    let stored = snapshot.rows(CURRENT, |row| Ok((text(row, 0)?, current(row)?)))?;
    Ok(vec![numbered, comparison::equal("gold.fact_fraud_alerts, from the outbox", stored, standing)])
}

/// Applies a change and returns the sequence number and the kind that it had to have.
fn apply<'a>(alerts: &mut BTreeMap<String, Folded>, change: &'a Change) -> (i64, &'a str) {
    let folded = match alerts.entry(change.transaction_id.clone()) {
        Entry::Vacant(vacant) => vacant.insert(Folded { sequence: 0, alert: None }),
        Entry::Occupied(occupied) => occupied.into_mut(),
    };
    folded.sequence += 1;
    let kind = match (&folded.alert, change.kind.as_str()) {
        (None, _) => "raised",
        (Some(_), "raised") => "revised or withdrawn",
        (Some(_), kind) => kind,
    };
    folded.alert = match change.kind.as_str() {
        "withdrawn" => None,
        "raised" => Some(alert(change, change.detected_at, None)),
        _ => {
            let raised_at = folded.alert.as_ref().map_or(change.detected_at, |alert| alert.detected_at);
            Some(alert(change, raised_at, Some(change.detected_at)))
        }
    };
    (folded.sequence, kind)
}

fn alert(change: &Change, detected_at: i64, revised_at: Option<i64>) -> Alert {
    let payload = &change.payload;
    let transaction_at = chrono::DateTime::parse_from_rfc3339(&payload.transaction_at);
    Alert {
        alert_id: payload.alert_id.clone(),
        customer_id: payload.customer_id.clone(),
        store_id: payload.store_id.clone(),
        fraud_score: payload.fraud_score.clone(),
        rules: payload.rules_triggered.clone(),
        amount: payload.transaction_amount.clone(),
        transaction_at: transaction_at.ok().map(|at| at.timestamp_micros()),
        detected_at,
        revised_at,
    }
}

const CURRENT: &str = "SELECT transaction_id, alert_id, customer_id, store_id, fraud_score::text, \
         rules_triggered, transaction_amount::text, transaction_at, \
         detected_at, revised_at \
     FROM gold.fact_fraud_alerts \
     LEFT JOIN gold.dim_customer USING (customer_key) \
     LEFT JOIN gold.dim_store USING (store_key)";

fn current(row: &Row) -> Result<Alert, VerificationError> {
    Ok(Alert {
        alert_id: text(row, 1)?,
        customer_id: text(row, 2)?,
        store_id: text(row, 3)?,
        fraud_score: text(row, 4)?,
        rules: row.try_get(5)?,
        amount: text(row, 6)?,
        transaction_at: Some(instant(row, 7)?),
        detected_at: instant(row, 8)?,
        revised_at: instant_or_null(row, 9)?,
    })
}
