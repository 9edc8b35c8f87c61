//! The files of a replay, compared with what the oracle expects.

use crate::events::instant;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use streamflow_oracle::{AlertRow, Expected, TransactionRow};
use streamflow_verification::comparison::{alike, equal};
use streamflow_verification::{Comparison, evidence};

/// Empty where nothing waits, and where nothing was skipped.
const MAY_BE_EMPTY: [&str; 3] =
    ["streamflow.pending_events", "streamflow.skipped_offsets", "gold.shadow_alerts, from bronze"];

/// Fails with a sample of what differs.
pub fn assert_equal(comparisons: &[Comparison]) {
    let differing: Vec<_> = comparisons.iter().filter(|comparison| comparison.differing > 0).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    let is_empty =
        |comparison: &&Comparison| comparison.rows == 0 && !MAY_BE_EMPTY.contains(&comparison.table.as_str());
    let empty: Vec<_> = comparisons.iter().filter(is_empty).collect();
    assert!(empty.is_empty(), "nothing to compare: {empty:#?}");
}

/// The lines of a file of results.
pub fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Current transactions of two replays, but for the places at which their events stood.
pub fn transactions_but_sources(stored: &Path, expected: &Path) -> Comparison {
    let rows = |out: &Path| {
        lines(&out.join("silver/clean_transactions.jsonl")).into_iter().map(|mut row| {
            let fields = row.as_object_mut().unwrap();
            fields.retain(|name, _| !name.starts_with("source_"));
            (row["transaction_id"].to_string(), row)
        })
    };
    equal("silver/clean_transactions", rows(stored), rows(expected))
}

/// A dimension: ids by key.
type Keys = BTreeMap<u64, Value>;

/// The directory of a replay, with its dimensions.
pub struct Results {
    out: PathBuf,
    customers: Keys,
    stores: Keys,
    products: Keys,
}

impl Results {
    /// Reads the dimensions.
    pub fn read(out: &Path) -> Self {
        let keys = |name: &str| -> Keys {
            let rows = lines(&out.join(format!("gold/dim_{name}.jsonl"))).into_iter();
            let key = |row: &Value| row[format!("{name}_key")].as_u64().unwrap();
            rows.map(|row| (key(&row), row[format!("{name}_id")].clone())).collect()
        };
        Self {
            customers: keys("customer"),
            stores: keys("store"),
            products: keys("product"),
            out: out.to_owned(),
        }
    }

    /// Compares all files with what the oracle expects.
    pub fn compare(&self, expected: Expected) -> Vec<Comparison> {
        let day = |row: &TransactionRow| date_key(row.event_time);
        let facts = expected.transactions.iter().filter(|row| !row.voided).map(|row| fact(row, day(row)));
        vec![
            self.rows("silver/clean_transactions", expected.transactions.iter().map(transaction)),
            self.rows("gold/fact_transactions", facts),
            self.rows("gold/agg_hourly_sales", views(&expected, &["agg_hourly_sales"])),
            self.rows("gold/store_performance", views(&expected, &["store_performance"])),
            self.rows("gold/payment_performance", views(&expected, &["payment_performance"])),
            self.rows("gold/agg_daily_fraud", views(&expected, &["agg_daily_fraud"])),
            self.rows("gold/rule_performance", views(&expected, &["rule_performance"])),
            self.rows("gold/realtime_metrics", self.kept_windows(&expected)),
            self.rows("gold/customer_profile", views(&expected, &["customer_profile"])),
            self.books(&expected),
            self.dead_letters(&expected),
            self.standing_alerts(),
            self.alerts(expected.alerts),
        ]
    }

    /// The windows from the first stored one on: older ones are dropped in time.
    fn kept_windows(&self, expected: &Expected) -> Vec<Value> {
        let start = |row: &Value| row["window_start"].as_str().map(str::to_owned);
        let stored = lines(&self.out.join("gold/realtime_metrics.jsonl"));
        let first = stored.iter().map(start).min();
        let mut windows = views(expected, &["realtime_metrics", "realtime_store_metrics"]);
        windows.retain(|row| Some(start(row)) >= first);
        windows
    }

    /// Compares a file whole, ids standing for keys.
    fn rows(&self, name: &'static str, expected: impl IntoIterator<Item = Value>) -> Comparison {
        let key = |row: Value| (row.to_string(), ());
        let stored = lines(&self.out.join(format!("{name}.jsonl"))).into_iter().map(|row| self.with_ids(row));
        equal(name, stored.map(key), expected.into_iter().map(key))
    }

    /// Keys of dimensions become the ids they stand for; what tells where an event stood is left out but for
    /// the offset.
    fn with_ids(&self, mut row: Value) -> Value {
        let fields = row.as_object_mut().unwrap();
        fields.remove("source_topic");
        for (entity, keys) in
            [("customer", &self.customers), ("store", &self.stores), ("product", &self.products)]
        {
            if let Some(key) = fields.remove(&format!("{entity}_key")) {
                let id = key.as_u64().map_or(Value::Null, |key| keys[&key].clone());
                let told = fields.insert(format!("{entity}_id"), id.clone());
                assert!(told.is_none_or(|told| told == id));
            }
        }
        row
    }

    fn alerts(&self, expected: Vec<AlertRow>) -> Comparison {
        let rows = lines(&self.out.join("gold/fact_fraud_alerts.jsonl")).into_iter();
        let stored = rows.map(|row| {
            let row = self.with_ids(row);
            assert_eq!(row["alert_id"], format!("alert-{}", row["transaction_id"].as_str().unwrap()));
            let event_time = instant(row["transaction_at"].as_str().unwrap()).unwrap();
            assert_eq!(row["date_key"], date_key(event_time));
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let alert = AlertRow {
                transaction_id: text("transaction_id"),
                customer_id: text("customer_id"),
                store_id: text("store_id"),
                cents: scaled(&row["transaction_amount"]),
                currency: text("currency"),
                event_time,
                score: scaled(&row["fraud_score"]),
                rules: serde_json::from_value(row["rules_triggered"].clone()).unwrap(),
                details: row["rule_details"].clone(),
            };
            (alert.transaction_id.clone(), alert)
        });
        let expected = expected.into_iter().map(|row| (row.transaction_id.clone(), row));
        alike("gold/fact_fraud_alerts", stored, expected, evidence::alike)
    }

    /// The alerts are what their changes, numbered without gaps, add up to, but for what the rules compared:
    /// that can change without the alert.
    fn standing_alerts(&self) -> Comparison {
        let mut standing: BTreeMap<String, (u64, Option<Value>)> = BTreeMap::new();
        for change in lines(&self.out.join("alert_changes.jsonl")) {
            let told = standing.entry(change["transaction_id"].to_string()).or_default();
            told.0 += 1;
            assert_eq!(change["sequence"], told.0, "{change}");
            let kind = change["change"].as_str().unwrap();
            assert_eq!(kind == "raised", told.1.is_none(), "{change}");
            told.1 = (kind != "withdrawn").then(|| only(&change, &ALERT));
        }
        let current = lines(&self.out.join("alerts.jsonl")).into_iter();
        let current = current.map(|alert| (alert["transaction_id"].to_string(), only(&alert, &ALERT)));
        equal("alerts", current, standing.into_iter().filter_map(|(id, (_, alert))| Some((id, alert?))))
    }

    fn dead_letters(&self, expected: &Expected) -> Comparison {
        let stored = lines(&self.out.join("dead_letters.jsonl")).into_iter().map(|letter| {
            let payload = payload(&letter);
            assert_eq!(letter["truncated"], payload.len() as u64 != letter["full_length"].as_u64().unwrap());
            (
                letter["offset"].as_u64().unwrap(),
                (letter["reason"].clone(), payload, letter["full_length"].clone()),
            )
        });
        let expected = expected.dead_letters.iter().map(|(source, letter)| {
            let payload = letter.payload.clone().unwrap_or_default();
            (source.offset, (json!(letter.reason), payload, json!(letter.full_length)))
        });
        equal("dead_letters", stored, expected)
    }

    fn books(&self, expected: &Expected) -> Comparison {
        let books: Value =
            serde_json::from_slice(&std::fs::read(self.out.join("books.json")).unwrap()).unwrap();
        let transactions = &books["transactions"];
        let accounts =
            ["accounts", "dead_letters"].map(|part| transactions[part].as_object().unwrap().clone());
        let stored =
            accounts.into_iter().flatten().chain([("read".to_owned(), transactions["read"].clone())]);
        let expected = expected.books.iter().filter(|((topic, _), _)| *topic == 0);
        let expected = expected.map(|((_, account), events)| (account.clone(), json!(events)));
        equal("books", stored.filter(|(_, events)| *events != 0), expected)
    }
}

const ALERT: [&str; 4] = ["transaction_id", "customer_id", "fraud_score", "rules_triggered"];

fn only(row: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), row[*name].clone())).collect::<Map<_, _>>().into()
}

/// The bytes of a dead letter.
pub fn payload(letter: &Value) -> Vec<u8> {
    use base64::Engine;
    match (letter["payload"].as_str(), letter["payload_base64"].as_str()) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(text)) => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
        both => panic!("{both:?}"),
    }
}

fn object(mut row: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more}") };
    row.as_object_mut().unwrap().extend(more);
    row
}

/// A decimal as a whole number of its last digit.
fn scaled(decimal: &Value) -> i64 {
    decimal.as_str().unwrap().replace('.', "").parse().unwrap()
}

fn decimal(value: i128, places: u32) -> String {
    let scale = 10i128.pow(places);
    format!("{}.{:0width$}", value / scale, value % scale, width = places as usize)
}

fn time(instant: i64) -> String {
    let at = chrono::DateTime::from_timestamp_micros(instant).unwrap();
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn date_key(instant: i64) -> i32 {
    let at = chrono::DateTime::from_timestamp_micros(instant).unwrap();
    at.with_timezone(&chrono_tz::America::Sao_Paulo).format("%Y%m%d").to_string().parse().unwrap()
}

fn transaction(row: &TransactionRow) -> Value {
    let degrees = |units: i32| f64::from(units) / 1e7;
    json!({
        "transaction_id": row.transaction_id, "customer_id": row.customer_id, "store_id": row.store_id,
        "product_id": row.product_id, "amount": decimal(row.cents.into(), 2), "currency": row.currency,
        "payment_method": row.payment_method, "latitude": row.place.map(|place| degrees(place.0)),
        "longitude": row.place.map(|place| degrees(place.1)), "transaction_at": time(row.event_time),
        "fraud_score": decimal(row.score.into(), 3), "is_fraud": row.is_fraud, "voided": row.voided,
        "rules_triggered": row.rules.iter().map(|(rule, _)| rule).collect::<Vec<_>>(),
        "revision": row.revision, "source_partition": row.source.partition, "source_offset": row.source.offset,
    })
}

fn fact(row: &TransactionRow, date_key: i32) -> Value {
    let names = [
        "transaction_id",
        "customer_id",
        "store_id",
        "product_id",
        "amount",
        "currency",
        "payment_method",
        "transaction_at",
        "fraud_score",
        "is_fraud",
    ];
    object(only(&transaction(row), &names), json!({"date_key": date_key}))
}

/// The rows of views that share a file, without the exact sums behind rounded columns.
fn views(expected: &Expected, names: &[&str]) -> Vec<Value> {
    let mut rows: Vec<Value> = names.iter().flat_map(|name| expected.rows(name).unwrap()).collect();
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("score_thousandths");
    }
    rows
}
