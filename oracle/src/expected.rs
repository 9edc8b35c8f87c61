//! The expected rows of every view, in plain types.

use crate::event::Coordinates;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Every view. Times are microseconds since 1970, days are YYYYMMDD in local time, money is in cents, scores
/// in thousandths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// Each current transaction, voided ones included, by id and its first event: an id that is used again
    /// after it was forgotten names another transaction.
    pub transactions: Vec<TransactionRow>,
    /// The alerts, in the order of `transactions`.
    pub alerts: Vec<AlertRow>,
    /// Bronze: every event that is no dead letter.
    pub received: BTreeMap<Coordinates, ReceivedRow>,
    /// Every event that was not accepted.
    pub dead_letters: BTreeMap<Coordinates, DeadLetterRow>,
    /// Events by topic and account; `read` is an account of its own.
    pub books: BTreeMap<(u16, String), i64>,
    /// Counts behind the data-quality checks by start of the quarter hour of partition time and measure.
    pub quality: BTreeMap<(i64, String), i64>,
    /// Profiles by customer and currency.
    pub profiles: BTreeMap<(String, String), ProfileRow>,
    /// Sales by start of the local hour, store and currency.
    pub hourly: BTreeMap<(i64, String, String), CustomerSalesRow>,
    /// Sales by local day, store and currency.
    pub store_days: BTreeMap<(i32, String, String), SalesRow>,
    /// Payments by local day, method and currency.
    pub payments: BTreeMap<(i32, String, String), SalesRow>,
    /// Fraud by local day.
    pub daily_fraud: BTreeMap<i32, DailyFraudRow>,
    /// Rules by local day, set (`live` or a shadow set's name) and id.
    pub rule_performance: BTreeMap<(i32, String, String), RulePerformanceRow>,
    /// What shadow sets would alert, in order; an id that is used again names another transaction.
    pub shadow_alerts: Vec<ShadowAlertRow>,
    /// Minutes by their start and currency.
    pub minutes: BTreeMap<(i64, String), CustomerSalesRow>,
    /// Minutes of stores by their start, the store and currency.
    pub store_minutes: BTreeMap<(i64, String, String), SalesRow>,
    /// Customers by id, their fields by name.
    pub customers: BTreeMap<String, Map<String, Value>>,
    /// Stores by id, their fields by name.
    pub stores: BTreeMap<String, Map<String, Value>>,
    /// Products by id, their fields by name.
    pub products: BTreeMap<String, Map<String, Value>>,
    /// Every change of the blacklist, in order.
    pub list_versions: Vec<ListVersion>,
    /// Position of each (topic, partition).
    pub progress: BTreeMap<(u16, u16), ProgressRow>,
}

/// A transaction as silver has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionRow {
    /// Its id.
    pub transaction_id: String,
    /// The customer who paid.
    pub customer_id: String,
    /// The store where they paid.
    pub store_id: String,
    /// The product, if given.
    pub product_id: Option<String>,
    /// The payment method, if given.
    pub payment_method: Option<String>,
    /// Amount in cents.
    pub cents: i64,
    /// Currency of the amount.
    pub currency: String,
    /// Latitude and longitude in units of 1e-7 degrees.
    pub place: Option<(i32, i32)>,
    /// Event time.
    pub event_time: i64,
    /// Revision of the current version.
    pub revision: u32,
    /// Withdrawn by its producer.
    pub voided: bool,
    /// Position of the event with the current version.
    pub source: Coordinates,
    /// Combined score.
    pub score: i64,
    /// The score reaches the threshold.
    pub is_fraud: bool,
    /// Each rule that triggered, with the score of its hit.
    pub rules: Vec<(String, i64)>,
}

/// An alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRow {
    /// The transaction.
    pub transaction_id: String,
    /// Its customer.
    pub customer_id: String,
    /// Its store.
    pub store_id: String,
    /// Its amount in cents.
    pub cents: i64,
    /// The amount's currency.
    pub currency: String,
    /// Its event time.
    pub event_time: i64,
    /// Combined score.
    pub score: i64,
    /// The rules that triggered, by id.
    pub rules: Vec<String>,
    /// The evidence by rule id.
    pub details: Value,
}

/// What a shadow set would alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShadowAlertRow {
    /// The set.
    pub rule_set: String,
    /// The transaction.
    pub transaction_id: String,
    /// Its customer.
    pub customer_id: String,
    /// Its store.
    pub store_id: String,
    /// Its amount in cents.
    pub cents: i64,
    /// The amount's currency.
    pub currency: String,
    /// Its event time.
    pub event_time: i64,
    /// Combined score.
    pub score: i64,
    /// Each rule that triggered, with the score of its hit.
    pub rules: Vec<(String, i64)>,
}

/// A row of bronze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRow {
    /// The record's timestamp.
    pub record_time: Option<i64>,
    /// Event time.
    pub event_time: i64,
    /// The schema version that the payload states.
    pub schema_version: u32,
    /// The JSON as received.
    pub payload: Vec<u8>,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// The record's timestamp.
    pub record_time: Option<i64>,
    /// Why it was not accepted.
    pub reason: String,
    /// The payload, cut at 64 KiB.
    pub payload: Option<Vec<u8>>,
    /// The payload's length before the cut.
    pub full_length: u64,
}

/// The profile of a customer with current transactions in a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRow {
    /// Current transactions.
    pub transactions: i64,
    /// Sum of their amounts.
    pub cents: i128,
    /// Sum of their minutes of the local day.
    pub minutes: i64,
    /// Sum of the squares of these minutes.
    pub squared_minutes: i64,
    /// Event time of the first.
    pub first_seen: i64,
    /// Event time of the last.
    pub last_seen: i64,
    /// Those alerted.
    pub alerts: i64,
}

/// Sums over current transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SalesRow {
    /// Their number.
    pub transactions: i64,
    /// Their amounts.
    pub cents: i128,
    /// Those alerted.
    pub alerts: i64,
}

/// Sums over transactions, and their customers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerSalesRow {
    /// The sums.
    pub sales: SalesRow,
    /// Distinct customers.
    pub customers: i64,
}

/// A day over all stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DailyFraudRow {
    /// Current transactions.
    pub transactions: i64,
    /// Those alerted.
    pub alerts: i64,
    /// Sum of the alerts' scores.
    pub score: i64,
    /// The rule in most of the alerts, of several the lowest id.
    pub top_rule: Option<String>,
}

/// A rule on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RulePerformanceRow {
    /// Transactions in which it triggered.
    pub hits: i64,
    /// Alerts in which it took part.
    pub alerts: i64,
    /// Alerts in which no other rule took part.
    pub alone: i64,
    /// Sum of its hits' scores.
    pub score: i64,
}

/// Who can be listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entity {
    /// A customer by id.
    Customer(String),
    /// A store by id.
    Store(String),
}

/// An entry of the blacklist.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListEntry {
    /// First instant in force; `None` is always.
    pub valid_from: Option<i64>,
    /// First instant no longer in force; `None` is never.
    pub expires_at: Option<i64>,
    /// Why it is listed.
    pub reason: Option<String>,
}

/// A change of the blacklist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListVersion {
    /// The listed customer or store.
    pub entity: Entity,
    /// The first event time to which it applies; `None` for all.
    pub applies_from: Option<i64>,
    /// The new entry; `None` removes the entity from the list.
    pub entry: Option<ListEntry>,
}

/// How far a partition has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgressRow {
    /// The offset to read next.
    pub next_offset: u64,
    /// The largest record time read.
    pub partition_time: Option<i64>,
}
