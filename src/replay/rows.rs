//! The results as lines of JSON: columns named as in SQL, money and scores as text, times in RFC 3339.

use super::line::{self, Line};
use serde::Serialize;
use serde_json::Value;
use streamflow_dataflow::alerts::{Alert, AlertChange};
use streamflow_dataflow::detectors::MinuteSums;
use streamflow_dataflow::score::Settled;
use streamflow_dataflow::views::customer_profile::Profile;
use streamflow_model::money::{Decimals, divide_rounded};
use streamflow_model::timestamp::Rfc3339;
use streamflow_model::{Currency, Source};

/// Money, or an average of it, to the cent.
pub fn money(cents: i128) -> String {
    Decimals::<2>(cents).to_string()
}

/// An instant.
pub fn instant(micros: i64) -> String {
    Rfc3339(micros).to_string()
}

/// A line of `alerts.jsonl`.
#[derive(Serialize)]
pub struct AlertRow<'a> {
    transaction_id: &'a str,
    customer_id: &'a str,
    fraud_score: String,
    rules_triggered: Vec<String>,
    rule_details: Value,
}

impl<'a> AlertRow<'a> {
    /// The row of a current alert.
    pub fn new(alert: &'a Alert) -> Self {
        Self {
            transaction_id: &alert.transaction,
            customer_id: &alert.customer,
            fraud_score: alert.score.to_string(),
            rules_triggered: alert.rules().map(|rule| rule.to_string()).collect(),
            rule_details: alert.rule_details(),
        }
    }
}

/// A line of `alert_changes.jsonl`: what goes out on the alert topic, but for the clock.
#[derive(Serialize)]
pub struct AlertChangeRow<'a> {
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
    source: SourceRow<'a>,
}

/// Where an event stood.
#[derive(Serialize)]
pub struct SourceRow<'a> {
    topic: &'a str,
    partition: u16,
    offset: u64,
}

impl<'a> SourceRow<'a> {
    /// The coordinates of an event of the file `topic`.
    pub fn new(topic: &'a str, source: Source) -> Self {
        Self { topic, partition: source.partition().partition(), offset: source.offset() }
    }
}

impl<'a> AlertChangeRow<'a> {
    /// The row of a change whose event came from the file `topic`.
    pub fn new(change: &'a AlertChange, topic: &'a str) -> Self {
        let alert = &change.alert;
        Self {
            alert_id: alert.id(),
            sequence: change.sequence,
            change: change.kind.as_str(),
            cause: change.cause.as_str(),
            transaction_id: &alert.transaction,
            customer_id: &alert.customer,
            store_id: &alert.store,
            fraud_score: alert.score.to_string(),
            rules_triggered: alert.rules().map(|rule| rule.to_string()).collect(),
            rule_details: alert.rule_details(),
            transaction_amount: money(i128::from(alert.amount)),
            currency: alert.currency.as_str(),
            transaction_at: instant(alert.event_time),
            source: SourceRow::new(topic, alert.source),
        }
    }
}

/// A line of `dead_letters.jsonl`. The payload stands as text where it is UTF-8, else in base64.
#[derive(Serialize)]
pub struct DeadLetterRow<'a> {
    /// Where it stood.
    #[serde(flatten)]
    pub source: SourceRow<'a>,
    /// Why it is here.
    pub reason: &'static str,
    /// What exactly is wrong.
    pub message: &'a str,
    /// The payload as text.
    pub payload: Option<&'a str>,
    /// The payload in base64.
    pub payload_base64: Option<String>,
    /// The payload was cut.
    pub truncated: bool,
    /// Its length before the cut, bytes.
    pub full_length: u64,
}

/// Writes the line of `silver/clean_transactions.jsonl` of a transaction whose event came from the file
/// `topic`.
pub fn write_clean_transaction(buffer: &mut Vec<u8>, settled: &Settled, topic: &str) {
    let Settled { transaction, verdict, .. } = settled;
    let mut line = Line(buffer);
    line.literal(br#"{"transaction_id":""#);
    line.text(&transaction.id);
    line.literal(br#"","customer_id":""#);
    line.text(&transaction.customer);
    line.literal(br#"","store_id":""#);
    line.text(&transaction.store);
    line.literal(br#"","product_id":"#);
    line.optional_text(transaction.product.as_deref());
    line.literal(br#","amount":""#);
    line.decimal::<2>(i128::from(transaction.amount.0));
    line.literal(br#"","currency":""#);
    line.text(transaction.currency.as_str());
    line.literal(br#"","payment_method":"#);
    line.optional_text(transaction.payment_method.as_deref());
    line.literal(br#","latitude":"#);
    line.degrees(transaction.place.map(|place| place.latitude));
    line.literal(br#","longitude":"#);
    line.degrees(transaction.place.map(|place| place.longitude));
    line.literal(br#","transaction_at":""#);
    line.literal(&line::instant(transaction.event_time));
    line.literal(br#"","fraud_score":""#);
    line.decimal::<3>(i128::from(verdict.score.thousandths()));
    line.literal(br#"","rules_triggered":["#);
    line.codes(verdict.hits.iter().map(|hit| hit.rule));
    line.literal(br#"],"is_fraud":"#);
    line.truth(verdict.alert);
    line.literal(br#","voided":"#);
    line.truth(transaction.voided);
    line.literal(br#","revision":"#);
    line.number(u64::from(transaction.revision));
    line.literal(br#","source_topic":""#);
    line.text(topic);
    line.literal(br#"","source_partition":"#);
    line.number(u64::from(transaction.source.partition().partition()));
    line.literal(br#","source_offset":"#);
    line.number(transaction.source.offset());
    line.literal(b"}\n");
}

/// The surrogate keys of a fact.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Keys {
    /// The local day, YYYYMMDD.
    pub date_key: i32,
    /// Key of the customer.
    pub customer_key: u64,
    /// Key of the store.
    pub store_key: u64,
    /// Key of the product; null where none was told.
    pub product_key: Option<u64>,
}

/// Writes the line of `gold/fact_transactions.jsonl` of a current transaction.
pub fn write_fact(buffer: &mut Vec<u8>, settled: &Settled, keys: Keys) {
    let Settled { transaction, verdict, .. } = settled;
    let mut line = Line(buffer);
    line.literal(br#"{"transaction_id":""#);
    line.text(&transaction.id);
    line.literal(br#"","date_key":"#);
    line.number(keys.date_key as u64);
    line.literal(br#","customer_key":"#);
    line.number(keys.customer_key);
    line.literal(br#","store_key":"#);
    line.number(keys.store_key);
    line.literal(br#","product_key":"#);
    line.optional_number(keys.product_key);
    line.literal(br#","amount":""#);
    line.decimal::<2>(i128::from(transaction.amount.0));
    line.literal(br#"","fraud_score":""#);
    line.decimal::<3>(i128::from(verdict.score.thousandths()));
    line.literal(br#"","is_fraud":"#);
    line.truth(verdict.alert);
    line.literal(br#","transaction_at":""#);
    line.literal(&line::instant(transaction.event_time));
    line.literal(br#"","currency":""#);
    line.text(transaction.currency.as_str());
    line.literal(br#"","payment_method":"#);
    line.optional_text(transaction.payment_method.as_deref());
    line.literal(b"}\n");
}

/// A line of `gold/fact_fraud_alerts.jsonl`.
#[derive(Serialize)]
pub struct FraudAlertRow<'a> {
    alert_id: String,
    transaction_id: &'a str,
    #[serde(flatten)]
    keys: Keys,
    fraud_score: String,
    rules_triggered: Vec<String>,
    rule_details: Value,
    transaction_amount: String,
    currency: &'a str,
    transaction_at: String,
}

impl<'a> FraudAlertRow<'a> {
    /// The row of a current alert.
    pub fn new(alert: &'a Alert, keys: Keys) -> Self {
        Self {
            alert_id: alert.id(),
            transaction_id: &alert.transaction,
            keys,
            fraud_score: alert.score.to_string(),
            rules_triggered: alert.rules().map(|rule| rule.to_string()).collect(),
            rule_details: alert.rule_details(),
            transaction_amount: money(i128::from(alert.amount)),
            currency: alert.currency.as_str(),
            transaction_at: instant(alert.event_time),
        }
    }
}

/// A line of `gold/customer_profile.jsonl`.
#[derive(Serialize)]
pub struct CustomerProfileRow<'a> {
    customer_key: u64,
    customer_id: &'a str,
    currency: &'a str,
    transaction_count: u64,
    total_amount: String,
    avg_amount: String,
    first_seen: String,
    last_seen: String,
    hour_mean: String,
    hour_std: Option<String>,
    alert_count: u64,
    minute_sum: u64,
    minute_square_sum: u64,
}

impl<'a> CustomerProfileRow<'a> {
    /// The row of a customer in a currency.
    pub fn new(customer_id: &'a str, customer_key: u64, currency: &'a Currency, profile: &Profile) -> Self {
        let sums = &profile.sums;
        let count = i128::from(sums.count);
        Self {
            customer_key,
            customer_id,
            currency: currency.as_str(),
            transaction_count: sums.count,
            total_amount: money(sums.cents),
            avg_amount: money(divide_rounded(sums.cents, count)),
            first_seen: instant(profile.first_seen),
            last_seen: instant(profile.last_seen),
            hour_mean: money(divide_rounded(i128::from(sums.minutes) * 100, count * 60)),
            hour_std: (sums.count > 1).then(|| {
                let variance = MinuteSums::from(*sums).spread() as f64 / (count * (count - 1)) as f64;
                money((variance.sqrt() / 60.0 * 100.0).round() as i128)
            }),
            alert_count: profile.alerts,
            minute_sum: sums.minutes,
            minute_square_sum: sums.squared_minutes,
        }
    }
}
