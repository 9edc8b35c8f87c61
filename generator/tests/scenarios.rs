//! Each labelled episode, checked against its detector's condition recomputed from the payloads alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use serde_json::Value;
use streamflow_generator::{GeneratorSettings, Label, Pattern, Traffic};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

#[derive(Clone, Debug)]
struct Seen {
    id: String,
    store: String,
    at: i64,
    amount: f64,
    currency: String,
    latitude: f64,
    longitude: f64,
    revision: u64,
    voided: bool,
}

struct Run {
    /// By customer, in the order (event time, transaction_id): the final versions.
    customers: BTreeMap<String, Vec<Seen>>,
    labels: Vec<Label>,
    blacklist: BTreeMap<String, Value>,
    end: i64,
}

fn run(settings: GeneratorSettings, count: usize) -> Run {
    let mut traffic = Traffic::new(settings).unwrap();
    let blacklist = traffic
        .population()
        .blacklist()
        .map(|record| (record.key, serde_json::from_slice(&record.value).unwrap()))
        .collect();
    let mut standing: BTreeMap<(String, String), Seen> = BTreeMap::new();
    let (mut labels, mut end) = (Vec::new(), 0);
    for event in traffic.by_ref().take(count) {
        end = event.due;
        let (customer, seen) = read(&event.payload);
        labels.extend(event.label);
        let revised =
            standing.get(&(customer.clone(), seen.id.clone())).is_none_or(|old| seen.revision > old.revision);
        if event.due - seen.at <= HOUR && revised {
            standing.insert((customer, seen.id.clone()), seen);
        }
    }
    let mut customers: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    for ((customer, _), seen) in standing {
        if !seen.voided {
            customers.entry(customer).or_default().push(seen);
        }
    }
    for history in customers.values_mut() {
        history.sort_by(|left, right| (left.at, &left.id).cmp(&(right.at, &right.id)));
    }
    Run { customers, labels, blacklist, end }
}

fn read(payload: &[u8]) -> (String, Seen) {
    let json: Value = serde_json::from_slice(payload).unwrap();
    let text = |field: &str| json[field].as_str().unwrap().to_owned();
    let seen = Seen {
        id: text("transaction_id"),
        store: text("store_id"),
        at: DateTime::parse_from_rfc3339(&text("timestamp")).unwrap().timestamp_micros(),
        amount: text("amount").parse().unwrap(),
        currency: text("currency"),
        latitude: json["latitude"].as_f64().unwrap(),
        longitude: json["longitude"].as_f64().unwrap(),
        revision: json["revision"].as_u64().unwrap(),
        voided: json["voided"].as_bool().unwrap(),
    };
    (text("customer_id"), seen)
}

fn triggered(run: &Run, customer: &str, history: &[Seen], position: usize) -> BTreeSet<Pattern> {
    let (x, earlier) = (&history[position], &history[..position]);
    let mut hits = BTreeSet::new();
    let in_currency: Vec<&Seen> = earlier.iter().filter(|seen| seen.currency == x.currency).collect();
    let mean = in_currency.iter().map(|seen| seen.amount).sum::<f64>() / in_currency.len() as f64;
    if in_currency.len() >= 5 && x.amount > 3.0 * mean {
        hits.insert(Pattern::HighValue);
    }
    if 1 + earlier.iter().filter(|seen| seen.at > x.at - 10 * MINUTE).count() > 5 {
        hits.insert(Pattern::Velocity);
    }
    if earlier.last().is_some_and(|last| x.at - last.at <= HOUR && kilometres(last, x) > 500.0) {
        hits.insert(Pattern::ImpossibleTravel);
    }
    let n = earlier.len() as f64;
    let minute = |seen: &Seen| ((seen.at - 3 * HOUR).rem_euclid(24 * HOUR) / MINUTE) as f64;
    let mean = earlier.iter().map(minute).sum::<f64>() / n;
    let deviation =
        (earlier.iter().map(|seen| (minute(seen) - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    if earlier.len() >= 5 && deviation > 1e-9 && (minute(x) - mean).abs() / deviation > 2.0 {
        hits.insert(Pattern::UnusualHour);
    }
    let keys = [format!("customer:{customer}"), format!("store:{}", x.store)];
    if keys.iter().any(|key| run.blacklist.get(key).is_some_and(|entry| holds(entry, x.at))) {
        hits.insert(Pattern::Blacklist);
    }
    let small = in_currency.iter().filter(|seen| seen.at > x.at - 30 * MINUTE && seen.amount < 5.0);
    let (count, sum) = small.fold((0.0, 0.0), |(count, sum), seen| (count + 1.0, sum + seen.amount));
    if count >= 3.0 && x.amount >= 10.0 * sum / count {
        hits.insert(Pattern::CardTesting);
    }
    hits
}

fn holds(entry: &Value, at: i64) -> bool {
    let time = |field: &str| {
        let text = entry.get(field)?.as_str().unwrap();
        Some(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    };
    time("valid_from").is_none_or(|from| from <= at) && time("expires_at").is_none_or(|end| at < end)
}

fn kilometres(here: &Seen, there: &Seen) -> f64 {
    let (a, b) = (here.latitude.to_radians(), there.latitude.to_radians());
    let across = (there.longitude - here.longitude).to_radians();
    let chord = ((b - a) / 2.0).sin().powi(2) + a.cos() * b.cos() * (across / 2.0).sin().powi(2);
    2.0 * 6371.0 * chord.sqrt().asin()
}

/// Checks every episode that lies wholly in the run; returns the episodes by pattern, and the share of
/// the unlabelled transactions that trigger something.
fn check(run: &Run) -> (BTreeMap<Pattern, usize>, f64) {
    let by_id: BTreeMap<&str, &Label> =
        run.labels.iter().map(|label| (label.transaction_id.as_str(), label)).collect();
    assert_eq!(by_id.len(), run.labels.len(), "a label is given once");
    let mut first_at: BTreeMap<u64, (Pattern, i64)> = BTreeMap::new();
    let mut hit: BTreeSet<u64> = BTreeSet::new();
    let (mut ordinary, mut alarming) = (0.0, 0.0);
    for (customer, history) in &run.customers {
        for (position, seen) in history.iter().enumerate() {
            let hits = triggered(run, customer, history, position);
            match by_id.get(seen.id.as_str()) {
                Some(label) => {
                    let first = first_at.entry(label.episode).or_insert((label.pattern, seen.at));
                    first.1 = first.1.min(seen.at);
                    if hits.contains(&label.pattern) {
                        hit.insert(label.episode);
                    }
                }
                None => {
                    ordinary += 1.0;
                    alarming += if hits.is_empty() { 0.0 } else { 1.0 };
                }
            }
        }
    }
    let mut episodes = BTreeMap::new();
    for (episode, (pattern, at)) in first_at {
        if at < run.end - 2 * HOUR {
            assert!(hit.contains(&episode), "episode {episode} of {pattern:?} triggers nothing");
            *episodes.entry(pattern).or_default() += 1;
        }
    }
    (episodes, alarming / ordinary)
}

#[test]
fn every_episode_triggers_its_detector_over_two_days() {
    let settings = GeneratorSettings {
        customers: 3_000,
        transactions_per_second: 1.0,
        fraud_episode_rate: 0.005,
        malformed_rate: 0.0,
        corrected_rate: 0.01,
        ..GeneratorSettings::default()
    };
    let patterns = settings.patterns.clone();
    let (episodes, alarming) = check(&run(settings, 180_000));
    println!("{episodes:?}, {:.2} % of ordinary transactions trigger something", 100.0 * alarming);
    assert!(patterns.iter().all(|pattern| episodes[pattern] > 50));
    assert!(alarming < 0.1, "{alarming}");
}

#[test]
fn every_episode_triggers_its_detector_where_customers_pay_in_two_currencies() {
    let settings = GeneratorSettings {
        customers: 3_000,
        transactions_per_second: 1.0,
        fraud_episode_rate: 0.005,
        malformed_rate: 0.0,
        foreign_customer_rate: 0.6,
        patterns: vec![Pattern::HighValue, Pattern::CardTesting, Pattern::UnusualHour],
        ..GeneratorSettings::default()
    };
    let patterns = settings.patterns.clone();
    let run = run(settings, 150_000);
    let labelled: BTreeSet<&str> = run.labels.iter().map(|label| label.transaction_id.as_str()).collect();
    let all = run.customers.values().flatten();
    let fraud = all.filter(|seen| seen.currency != "BRL" && labelled.contains(seen.id.as_str())).count();
    let (episodes, alarming) = check(&run);
    println!("{episodes:?}, {fraud} in foreign currencies, {:.2} % of ordinary ones", 100.0 * alarming);
    assert!(patterns.iter().all(|pattern| episodes[pattern] > 20) && fraud > 50, "{episodes:?} {fraud}");
    assert!(alarming < 0.12, "{alarming}");
}

#[test]
fn every_episode_triggers_its_detector_in_a_young_dense_stream() {
    let settings = GeneratorSettings {
        transactions_per_second: 40.0,
        malformed_rate: 0.0,
        ..GeneratorSettings::default()
    };
    let patterns = settings.patterns.clone();
    let (episodes, alarming) = check(&run(settings, 600_000));
    println!("{episodes:?}, {:.2} % of ordinary transactions trigger something", 100.0 * alarming);
    assert!(patterns.iter().all(|pattern| episodes[pattern] > 5));
}

#[test]
fn cards_are_tested_only_where_it_is_asked_for() {
    let settings = GeneratorSettings {
        transactions_per_second: 20.0,
        malformed_rate: 0.0,
        ..GeneratorSettings::default()
    };
    let usual = run(settings.clone(), 100_000);
    assert!(usual.labels.iter().all(|label| label.pattern != Pattern::CardTesting));
    let (episodes, _) =
        check(&run(GeneratorSettings { patterns: vec![Pattern::CardTesting], ..settings }, 300_000));
    assert!(episodes.len() == 1 && episodes[&Pattern::CardTesting] > 20, "{episodes:?}");
}

#[test]
fn bursts_are_bursts() {
    let run = run(
        GeneratorSettings {
            transactions_per_second: 20.0,
            malformed_rate: 0.0,
            ..GeneratorSettings::default()
        },
        300_000,
    );
    let mut bursts: BTreeMap<u64, usize> = BTreeMap::new();
    for label in run.labels.iter().filter(|label| label.pattern == Pattern::Velocity) {
        *bursts.entry(label.episode).or_default() += 1;
    }
    // The last few may be cut off by the end of the run.
    let whole = bursts.values().filter(|size| (6..=12).contains(*size)).count();
    assert!(whole + 3 >= bursts.len() && whole > 5, "{bursts:?}");
}
