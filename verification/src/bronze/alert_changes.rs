//! Folds the alert changes and compares the result with the current alerts.

use crate::comparison::{self, Comparison};
use crate::error::{VerificationError, unreadable};
use crate::snapshot::{Snapshot, instant, instant_or_null, rfc3339, text};
use serde::Deserialize;
use std::collections::BTreeMap;
use streamflow_medallion::outbox::{Limits, Numbered, StoredAlertChange};

/// What consumers read of an alert, without the evidence, which can change without a change of the alert.
#[derive(Debug, PartialEq, Deserialize)]
struct Content {
    alert_id: String,
    customer_id: String,
    store_id: String,
    fraud_score: String,
    rules_triggered: Vec<String>,
    transaction_amount: String,
    /// Messages of before currencies were kept apart do not name it.
    currency: Option<String>,
    transaction_at: String,
}

#[derive(Debug, PartialEq)]
struct Alert {
    content: Content,
    detected_at: i64,
    revised_at: Option<i64>,
}

/// An alert with the number of its last change; without an alert it is withdrawn.
#[derive(Default)]
struct Folded {
    sequence: i64,
    alert: Option<Alert>,
}

/// Checks that changes are numbered without gaps, overall and by alert, that each follows from the one
/// before, and that together they result in the current alerts.
pub(super) fn compare(snapshot: &mut Snapshot<'_>) -> Result<Vec<Comparison>, VerificationError> {
    let changes = StoredAlertChange::select(snapshot.transaction(), Limits::NONE, "true", &[])?;
    let mut alerts: BTreeMap<String, Folded> = BTreeMap::new();
    let (mut stored, mut expected) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
    for (number, change) in (1..).zip(&changes) {
        let id = &change.transaction_id;
        let (sequence, kind) = alerts.entry(id.clone()).or_default().apply(change)?;
        stored.push((change.number, (id, change.sequence, change.change.as_str())));
        expected.push((number, (id, sequence, kind)));
    }
    let numbered = comparison::equal(StoredAlertChange::TABLE, stored, expected);
    let current: BTreeMap<String, Alert> = current(snapshot)?.into_iter().collect();
    let folded = alerts.into_iter().filter_map(|(id, folded)| {
        let mut alert = folded.alert?;
        if alert.content.currency.is_none() {
            alert.content.currency = current.get(&id).and_then(|current| current.content.currency.clone());
        }
        Some((id, alert))
    });
    let folded: Vec<_> = folded.collect();
    Ok(vec![numbered, comparison::equal("gold.fact_fraud_alerts, from the outbox", current, folded)])
}

impl Folded {
    /// Applies a change and returns the sequence number and the kind that it had to have.
    fn apply<'a>(&mut self, change: &'a StoredAlertChange) -> Result<(i64, &'a str), VerificationError> {
        let before = self.alert.take();
        let kind = match (&before, change.change.as_str()) {
            (None, _) => "raised",
            (Some(_), "raised") => "revised or withdrawn",
            (Some(_), kind) => kind,
        };
        let (content, changed_at) = (content(&change.payload)?, change.detected_at);
        self.sequence += 1;
        self.alert = match change.change.as_str() {
            "withdrawn" => None,
            "raised" => Some(Alert { content, detected_at: changed_at, revised_at: None }),
            _ => {
                let detected_at = before.map_or(changed_at, |alert| alert.detected_at);
                Some(Alert { content, detected_at, revised_at: Some(changed_at) })
            }
        };
        Ok((self.sequence, kind))
    }
}

fn content(json: &str) -> Result<Content, VerificationError> {
    serde_json::from_str(json).map_err(|error| unreadable(StoredAlertChange::TABLE, &error))
}

/// The current alerts by transaction.
fn current(snapshot: &mut Snapshot<'_>) -> Result<Vec<(String, Alert)>, VerificationError> {
    let sql = format!(
        "SELECT transaction_id, json_build_object('alert_id', alert_id, 'customer_id', coalesce(customer_id, ''), \
             'store_id', coalesce(store_id, ''), 'fraud_score', fraud_score::text, 'rules_triggered', rules_triggered, \
             'transaction_amount', transaction_amount::text, 'currency', currency, 'transaction_at', {})::text, detected_at, revised_at \
         FROM gold.fact_fraud_alerts \
         LEFT JOIN gold.dim_customer USING (customer_key) \
         LEFT JOIN gold.dim_store USING (store_key)",
        rfc3339("transaction_at")
    );
    snapshot.rows(&sql, &[], |row| {
        let content = content(row.try_get(1)?)?;
        let alert = Alert { content, detected_at: instant(row, 2)?, revised_at: instant_or_null(row, 3)? };
        Ok((text(row, 0)?, alert))
    })
}
