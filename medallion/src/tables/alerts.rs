//! Alert changes: the outbox `bronze.raw_fraud_alerts`, the current alerts `gold.fact_fraud_alerts`, and
//! `gold.fraud_alert_history`.

use super::history;
use super::rule_ids::rule_ids;
use crate::changes::{At, Changes, Evidence};
use crate::encoding::{Columns, Fields, micros};
use crate::keys::Dimensions;
use crate::output::Output;
use crate::topics::Topics;
use postgres::types::Type;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use streamflow_connectors::postgres::{CopyRows, PostgresError};
use streamflow_dataflow::alerts::{AlertChange, ChangeKind};
use streamflow_model::calendar::date_key;
use streamflow_model::timestamp::Rfc3339;
use streamflow_model::{Calendar, Cents, Id};

const FACTS: &str = "gold.fact_fraud_alerts";

/// The columns of a current alert; the time is that of the change.
const COLUMNS: [Type; 13] = [
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::INT4,
    Type::INT4,
    Type::INT2,
    Type::TEXT,
    Type::TEXT,
    Type::NUMERIC,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
];

const RAISE: &str = "INSERT INTO gold.fact_fraud_alerts (alert_id, transaction_id, date_key, customer_key, \
     store_key, fraud_score, rules_triggered, rule_details, transaction_amount, currency, transaction_at, \
     detected_at, revised_at) \
     SELECT alert_id, transaction_id, date_key, customer_key, store_key, score * 0.001, \
         string_to_array(rules, ','), details::json, amount, currency, transaction_at, detected_at, revised_at \
     FROM unnest($1::text[], $2::text[], $3::int4[], $4::int4[], $5::int4[], $6::int2[], $7::text[], \
         $8::text[], $9::numeric[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[]) \
         AS n (alert_id, transaction_id, date_key, customer_key, store_key, score, rules, details, amount, \
         currency, transaction_at, detected_at, revised_at) \
     ON CONFLICT (transaction_id) DO UPDATE SET date_key = excluded.date_key, \
         customer_key = excluded.customer_key, store_key = excluded.store_key, \
         fraud_score = excluded.fraud_score, rules_triggered = excluded.rules_triggered, \
         rule_details = excluded.rule_details, transaction_amount = excluded.transaction_amount, \
         currency = excluded.currency, \
         transaction_at = excluded.transaction_at, detected_at = excluded.detected_at, \
         revised_at = excluded.revised_at";

/// Keeps the time at which the alert was raised.
const REVISE: &str = "UPDATE gold.fact_fraud_alerts AS f SET date_key = n.date_key, \
     customer_key = n.customer_key, store_key = n.store_key, fraud_score = n.score * 0.001, \
     rules_triggered = string_to_array(n.rules, ','), rule_details = n.details::json, \
     transaction_amount = n.amount, currency = n.currency, transaction_at = n.transaction_at, revised_at = n.revised_at \
     FROM unnest($1::text[], $2::text[], $3::int4[], $4::int4[], $5::int4[], $6::int2[], $7::text[], \
         $8::text[], $9::numeric[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[]) \
         AS n (alert_id, transaction_id, date_key, customer_key, store_key, score, rules, details, amount, \
         currency, transaction_at, detected_at, revised_at) \
     WHERE f.transaction_id = n.transaction_id";

/// Updates the evidence, which can change without a change of the alert.
const RESTATE: &str = "UPDATE gold.fact_fraud_alerts AS f SET rule_details = n.details::json \
     FROM unnest($1::text[], $2::text[]) AS n (transaction_id, details) \
     WHERE f.transaction_id = n.transaction_id";

const WITHDRAW: &str = "DELETE FROM gold.fact_fraud_alerts WHERE transaction_id = ANY ($1::text[])";

/// Writes alert changes.
pub(crate) struct Alerts<'a> {
    pub(crate) topics: &'a Topics,
    pub(crate) calendar: &'a Calendar,
    pub(crate) dimensions: &'a mut Dimensions,
    /// The frontier of the commit, ms since 1970.
    pub(crate) frontier: u64,
    /// Number of the last row in the outbox.
    pub(crate) last_number: i64,
}

impl Alerts<'_> {
    /// Writes the changes of all alerts and returns the number of the last one.
    pub(crate) fn write(
        mut self,
        output: &mut Output<'_, '_>,
        changes: &Changes,
    ) -> Result<i64, PostgresError> {
        let mut ordered: Vec<_> = changes.alerts.iter().collect();
        ordered.sort_by_key(|change| (change.time, change.value.sequence));
        self.append(output, &ordered)?;
        let mut by_alert: BTreeMap<&Id, Vec<&At<AlertChange>>> = BTreeMap::new();
        for change in &ordered {
            by_alert.entry(&change.value.alert.transaction).or_default().push(change);
        }
        self.write_current(output, &by_alert, &changes.evidence)?;
        restate(output, &by_alert, &changes.evidence)?;
        history::write(output, by_alert.values().map(Vec::as_slice))?;
        Ok(self.last_number + ordered.len() as i64)
    }

    fn append(&self, output: &mut Output<'_, '_>, changes: &[&At<AlertChange>]) -> Result<(), PostgresError> {
        let mut rows = CopyRows::new(10);
        for (number, change) in (self.last_number + 1..).zip(changes) {
            let AlertChange { sequence, kind, cause, alert } = &change.value;
            let payload = serde_json::to_string(&self.message(change))
                .map_err(|error| PostgresError::Rows(error.to_string()))?;
            rows.begin();
            rows.int8(number);
            rows.text(&alert.id());
            rows.int8(i64::from(*sequence));
            rows.text(kind.as_str());
            rows.text(cause.as_str());
            rows.text(&alert.transaction);
            rows.text(&alert.customer);
            rows.numeric(i128::from(alert.score.thousandths()), 3);
            rows.instant(micros(change.time));
            rows.text(&payload);
        }
        output.copy(
            "bronze.raw_fraud_alerts",
            "COPY bronze.raw_fraud_alerts (number, alert_id, sequence, change, cause, transaction_id, \
             customer_id, fraud_score, detected_at, payload) FROM STDIN (FORMAT binary)",
            &rows,
        )
    }

    fn write_current(
        &mut self,
        output: &mut Output<'_, '_>,
        by_alert: &BTreeMap<&Id, Vec<&At<AlertChange>>>,
        evidence: &Evidence,
    ) -> Result<(), PostgresError> {
        let mut raised = Columns::new(&COLUMNS);
        let mut revised = Columns::new(&COLUMNS);
        let mut withdrawn = Columns::new(&[Type::TEXT]);
        for (transaction, changes) in by_alert {
            let Some(last) = changes.last() else { continue };
            let raise = changes.iter().rev().find(|change| change.value.kind == ChangeKind::Raised);
            match (last.value.kind, raise) {
                (ChangeKind::Withdrawn, _) => {
                    withdrawn.begin();
                    withdrawn.text(transaction);
                }
                (_, Some(raise)) => self.push(&mut raised, last, raise.time, evidence),
                (_, None) => self.push(&mut revised, last, last.time, evidence),
            }
        }
        output.write(FACTS, RAISE, &raised)?;
        output.write(FACTS, REVISE, &revised)?;
        output.write(FACTS, WITHDRAW, &withdrawn)
    }

    fn push(&mut self, row: &mut Columns, last: &At<AlertChange>, raised_at: u64, evidence: &Evidence) {
        let alert = &last.value.alert;
        row.begin();
        row.text(&alert.id());
        row.text(&alert.transaction);
        row.int4(date_key(self.calendar.day(alert.event_time)));
        row.int4(self.dimensions.customers.of(&alert.customer));
        row.int4(self.dimensions.stores.of(&alert.store));
        row.int2(alert.score.thousandths() as i16);
        row.text(&rule_ids(alert));
        // Evidence of before the last change has the number of an earlier one.
        let since = evidence.get(&alert.transaction);
        let since =
            since.filter(|later| later.value.sequence == last.value.sequence && later.time >= last.time);
        let details = since.map_or_else(|| alert.rule_details(), |later| later.value.rule_details());
        row.text(&details.to_string());
        row.money(i128::from(alert.amount));
        row.text(alert.currency.as_str());
        row.instant(alert.event_time);
        row.instant(micros(raised_at));
        let revised = last.value.kind == ChangeKind::Revised;
        row.nullable(revised.then(|| micros(last.time)), Fields::instant);
    }

    fn message<'b>(&'b self, change: &'b At<AlertChange>) -> Message<'b> {
        let AlertChange { sequence, kind, cause, alert } = &change.value;
        let partition = alert.source.partition();
        Message {
            alert_id: alert.id(),
            sequence: *sequence,
            change: kind.as_str(),
            cause: cause.as_str(),
            transaction_id: &alert.transaction,
            customer_id: &alert.customer,
            store_id: &alert.store,
            fraud_score: alert.score.to_string(),
            rules_triggered: alert.rules().map(|rule| rule.to_string()).collect(),
            rule_details: alert.rule_details(),
            transaction_amount: Cents(alert.amount).to_string(),
            currency: alert.currency.as_str(),
            transaction_at: Rfc3339(alert.event_time).to_string(),
            detected_at: Rfc3339(micros(change.time)).to_string(),
            frontier: self.frontier,
            source: Source {
                topic: self.topics.name(partition.topic()),
                partition: partition.partition(),
                offset: alert.source.offset(),
            },
        }
    }
}

/// Updates the evidence of otherwise unchanged alerts.
fn restate(
    output: &mut Output<'_, '_>,
    by_alert: &BTreeMap<&Id, Vec<&At<AlertChange>>>,
    evidence: &Evidence,
) -> Result<(), PostgresError> {
    let mut details = Columns::new(&[Type::TEXT, Type::TEXT]);
    for (transaction, evidence) in evidence.iter().filter(|(id, _)| !by_alert.contains_key(id)) {
        details.begin();
        details.text(transaction);
        details.text(&evidence.value.rule_details().to_string());
    }
    output.write(FACTS, RESTATE, &details)
}

/// An alert change as it goes to Kafka.
#[derive(Serialize)]
struct Message<'a> {
    alert_id: String,
    sequence: u32,
    change: &'static str,
    cause: &'static str,
    transaction_id: &'a str,
    customer_id: &'a str,
    store_id: &'a str,
    fraud_score: String,
    rules_triggered: Vec<String>,
    rule_details: Value,
    transaction_amount: String,
    currency: &'a str,
    transaction_at: String,
    detected_at: String,
    /// The committed frontier from which PostgreSQL shows the change, ms since 1970.
    frontier: u64,
    source: Source<'a>,
}

#[derive(Serialize)]
struct Source<'a> {
    topic: &'a str,
    partition: u16,
    offset: u64,
}
