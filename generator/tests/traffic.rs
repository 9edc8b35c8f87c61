//! The traffic as a reader of the topic sees it: bytes, order, rates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use serde_json::Value;
use streamflow_generator::{GeneratedEvent, GeneratorSettings, Population, Traffic};

const FIELDS: [&str; 13] = [
    "transaction_id",
    "customer_id",
    "store_id",
    "product_id",
    "amount",
    "currency",
    "payment_method",
    "latitude",
    "longitude",
    "timestamp",
    "schema_version",
    "revision",
    "voided",
];

fn events(settings: GeneratorSettings, count: usize) -> Vec<GeneratedEvent> {
    Traffic::new(settings).unwrap().take(count).collect()
}

/// Event time, microseconds since 1970.
fn event_time(transaction: &Value) -> i64 {
    let timestamp = transaction["timestamp"].as_str().unwrap();
    DateTime::parse_from_rfc3339(timestamp).unwrap().timestamp_micros()
}

#[test]
fn equal_settings_give_equal_events() {
    let first = events(GeneratorSettings::default(), 100_000);
    assert_eq!(first, events(GeneratorSettings::default(), 100_000));
    let other = events(GeneratorSettings { seed: 43, ..GeneratorSettings::default() }, 100);
    assert_ne!(first[..100], other);
}

#[test]
fn only_some_customers_pay_in_foreign_currencies_and_only_if_asked_for() {
    let settings = GeneratorSettings {
        customers: 1_000,
        fraud_episode_rate: 0.0,
        corrected_rate: 0.0,
        malformed_rate: 0.0,
        ..GeneratorSettings::default()
    };
    let json = |event: &GeneratedEvent| serde_json::from_slice::<Value>(&event.payload).unwrap();
    let home = events(settings.clone(), 50_000);
    let mixed = events(GeneratorSettings { foreign_customer_rate: 0.3, ..settings }, 50_000);
    let mut currencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (home, mixed) in home.iter().zip(&mixed) {
        let (mut home, mut mixed) = (json(home), json(mixed));
        let text = |field: &Value| field.as_str().unwrap().to_owned();
        assert_eq!(home["currency"], "BRL");
        currencies.entry(text(&mixed["customer_id"])).or_default().insert(text(&mixed["currency"]));
        if mixed["currency"] == "BRL" {
            assert_eq!(home["amount"], mixed["amount"]);
        }
        for field in ["currency", "amount"] {
            (home[field], mixed[field]) = (Value::Null, Value::Null);
        }
        assert_eq!(home, mixed, "all else is the same");
    }
    let of_two = currencies.values().filter(|currencies| currencies.len() == 2).count();
    assert!(currencies.values().all(|currencies| currencies.len() <= 2));
    let share = of_two as f64 / currencies.len() as f64;
    assert!((0.2..0.4).contains(&share), "{of_two} of {}", currencies.len());
    let all: BTreeSet<&String> = currencies.values().flatten().collect();
    assert_eq!(all.into_iter().collect::<Vec<_>>(), ["ARS", "BRL", "EUR", "JPY", "USD"]);
}

#[test]
fn a_reused_event_holds_the_same() {
    let mut traffic = Traffic::new(GeneratorSettings::default()).unwrap();
    let mut event = GeneratedEvent::default();
    for expected in Traffic::new(GeneratorSettings::default()).unwrap().take(50_000) {
        traffic.next_into(&mut event);
        assert_eq!(event, expected);
    }
}

#[test]
fn due_never_decreases_and_no_payload_breaks_a_line() {
    let settings = GeneratorSettings {
        transactions_per_second: 20.0,
        malformed_rate: 0.05,
        ..GeneratorSettings::default()
    };
    let start = settings.start;
    let mut last = start;
    for event in Traffic::new(settings).unwrap().take(300_000) {
        assert!(event.due >= last);
        assert!(!event.payload.contains(&b'\n'));
        last = event.due;
    }
    assert!(last > start + 3 * 3_600_000_000);
}

#[test]
fn every_sound_payload_has_all_fields_in_form() {
    let settings = GeneratorSettings { malformed_rate: 0.0, ..GeneratorSettings::default() };
    let customers: BTreeSet<String> = keys(Population::new(&settings).unwrap().customers());
    let stores: BTreeSet<String> = keys(Population::new(&settings).unwrap().stores());
    let products: BTreeSet<String> = keys(Population::new(&settings).unwrap().products());
    let mut length = 0;
    for event in events(settings, 100_000) {
        let transaction: Value = serde_json::from_slice(&event.payload).unwrap();
        assert_eq!(transaction.as_object().unwrap().len(), FIELDS.len());
        assert!(FIELDS.iter().all(|field| transaction.get(field).is_some()));
        let text = |field: &str| transaction[field].as_str().unwrap();
        let hex = text("transaction_id").strip_prefix("txn-").unwrap();
        assert!(hex.len() == 16 && hex.bytes().all(|digit| b"0123456789abcdef".contains(&digit)));
        assert!(customers.contains(text("customer_id")) && event.key == text("customer_id").as_bytes());
        assert!(stores.contains(text("store_id")) && products.contains(text("product_id")));
        let (units, cents) = text("amount").split_once('.').unwrap();
        assert!(cents.len() == 2 && units.parse::<u64>().unwrap() * 100 + cents.parse::<u64>().unwrap() > 0);
        assert!(event_time(&transaction) <= event.due && text("timestamp").ends_with("-03:00"));
        assert!(transaction["latitude"].as_f64().unwrap().abs() < 35.0);
        length += event.payload.len() + 1;
    }
    let mean = length as f64 / 100_000.0;
    println!("mean line {mean:.1} bytes");
    assert!((300.0..330.0).contains(&mean), "{mean}");
}

fn keys(records: impl Iterator<Item = streamflow_generator::DimensionRecord>) -> BTreeSet<String> {
    records.map(|record| record.key).collect()
}

#[test]
fn disturbances_come_at_their_rates() {
    // Six hours, so that what is emitted later has come out too.
    let settings = GeneratorSettings {
        transactions_per_second: 20.0,
        late_rate: 0.02,
        too_late_rate: 0.01,
        duplicate_rate: 0.02,
        corrected_rate: 0.02,
        voided_rate: 0.02,
        malformed_rate: 0.02,
        ..GeneratorSettings::default()
    };
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut payloads = BTreeSet::new();
    for event in events(settings, 400_000) {
        let parsed: Option<Value> = serde_json::from_slice(&event.payload).ok();
        let kind = match parsed.filter(is_acceptable) {
            None => "malformed",
            Some(_) if event.payload.len() > 65_536 => "malformed",
            Some(transaction) => {
                let late_by = event.due - event_time(&transaction);
                let revised = transaction["revision"] == 1;
                if revised && transaction["voided"] == true {
                    "voided"
                } else if revised {
                    "corrected"
                } else if !payloads.insert(event.payload) {
                    "duplicate"
                } else if late_by > 3_600_000_000 {
                    "too_late"
                } else if late_by > 0 {
                    "late"
                } else {
                    "punctual"
                }
            }
        };
        *seen.entry(kind).or_default() += 1;
    }
    println!("{seen:?}");
    let transactions =
        f64::from(seen.values().sum::<u32>() - seen["duplicate"] - seen["corrected"] - seen["voided"]);
    for (kind, rate) in [
        ("late", 0.02),
        ("duplicate", 0.02),
        ("corrected", 0.02),
        ("voided", 0.02),
        ("malformed", 0.02),
        ("too_late", 0.01),
    ] {
        let share = f64::from(seen[kind]) / transactions;
        // What is still pending at the end is missing, most of all of what comes hours late.
        let tolerance = if kind == "too_late" { 0.35 } else { 0.1 };
        assert!((share / rate - 1.0).abs() < tolerance, "{kind}: {share}");
    }
}

/// Whether a decoder would take it, as far as the generator breaks things.
fn is_acceptable(transaction: &Value) -> bool {
    let present = FIELDS.iter().all(|field| transaction.get(field).is_some());
    let amount = transaction["amount"].as_str().unwrap_or_default();
    let in_cents =
        amount.split_once('.').is_some_and(|(units, cents)| !units.starts_with('-') && cents.len() == 2);
    let timestamp = DateTime::parse_from_rfc3339(transaction["timestamp"].as_str().unwrap_or_default());
    present && in_cents && timestamp.is_ok_and(|time| time.timestamp() < 4_000_000_000)
}

#[test]
fn activity_is_heavy_tailed_but_bounded() {
    let mut counts: BTreeMap<[u8; 17], u32> = BTreeMap::new();
    for event in events(GeneratorSettings::default(), 300_000) {
        *counts.entry(event.key).or_default() += 1;
    }
    let mut counts: Vec<u32> = counts.into_values().collect();
    counts.sort_unstable_by(|left, right| right.cmp(left));
    println!("most active {} of 300000, median {}", counts[0], counts[counts.len() / 2]);
    assert!(counts[0] < 300_000 / 200 + 200, "{}", counts[0]);
    assert!(counts[0] > 5 * counts[counts.len() / 2]);
}

#[test]
fn reference_records_are_complete_and_distinct() {
    let settings = GeneratorSettings::default();
    let population = Population::new(&settings).unwrap();
    let customers: Vec<_> = population.customers().collect();
    let mut risks: BTreeMap<String, u32> = BTreeMap::new();
    for record in &customers {
        let customer: Value = serde_json::from_slice(&record.value).unwrap();
        assert_eq!(customer["customer_id"], record.key.as_str());
        for field in ["name", "email", "city", "state", "registered_at"] {
            assert!(customer[field].is_string(), "{field}");
        }
        *risks.entry(customer["risk_profile"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for (risk, share) in [("low", 0.20), ("normal", 0.70), ("high", 0.08), ("critical", 0.02)] {
        assert!((f64::from(risks[risk]) / 10_000.0 - share).abs() < 0.015, "{risks:?}");
    }
    assert_eq!(keys(customers.into_iter()).len(), 10_000);
    assert_eq!(keys(population.stores()).len(), 200);
    assert_eq!(keys(population.products()).len(), 500);
    for record in population.blacklist() {
        let entry: Value = serde_json::from_slice(&record.value).unwrap();
        let key = format!("{}:{}", entry["entity"].as_str().unwrap(), entry["id"].as_str().unwrap());
        assert_eq!(key, record.key);
    }
}

#[test]
fn the_smallest_settings_work() {
    for customers in [1, 2, 30] {
        let settings = GeneratorSettings {
            customers,
            stores: 1,
            products: 1,
            fraud_episode_rate: 0.1,
            transactions_per_second: 1.0,
            ..GeneratorSettings::default()
        };
        assert_eq!(events(settings, 20_000).len(), 20_000);
    }
}
