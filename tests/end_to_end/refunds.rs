//! `streamflow replay` of corrections and voids of any age: it amends what it has written.

use crate::command;
use crate::events::{Line, blacklist, oracle, records_of};
use crate::replay::assert_same;
use crate::results::{Results, assert_equal};
use crate::traffic::{NOW, REFUNDED, Traffic, shuffled};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use streamflow_oracle::RawEvent;

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1440 * MINUTE;

#[test]
fn refunds_of_any_age_give_what_the_oracle_recomputes() {
    let traffic = Traffic::generate_over_days(50_000, &REFUNDED);
    for (name, lines) in
        [("generated", traffic.lines.iter().collect()), ("shuffled", shuffled(&traffic.lines, 11))]
    {
        let file = traffic.write(&format!("{name}-lines.jsonl"), lines.iter().copied());
        let one = traffic.replay(&[&file], &format!("{name}-1"), &["--workers", "1"]);
        let two = traffic.replay(&[&file], &format!("{name}-2"), &["--workers", "2"]);
        assert_same(&one, &two, &[]);
        let mut events = blacklist(&traffic.path("reference").join("blacklist.jsonl"));
        events.extend(records_of(0, lines));
        assert_expected(&one, &events);
    }
}

#[test]
fn amendments_of_amendments_over_months_give_what_the_oracle_recomputes() {
    for (seed, files) in [(1, 1), (2, 1), (3, 2), (4, 3)] {
        let directory = tempfile::tempdir().unwrap();
        let mut shares: Vec<Vec<Line>> = vec![Vec::new(); files];
        for (share, line) in Story::new(seed).lines(20_000, files) {
            shares[share].push(line);
        }
        let paths: Vec<PathBuf> =
            (0..files).map(|file| directory.path().join(format!("{file}.jsonl"))).collect();
        for (path, lines) in paths.iter().zip(&shares) {
            let lines: Vec<&[u8]> = lines.iter().map(|line| &line.bytes[..]).collect();
            std::fs::write(path, lines.join(&b'\n')).unwrap();
        }
        let replay = |workers: &str| {
            let out = directory.path().join(workers);
            let mut arguments =
                vec!["replay", "--now", NOW, "--workers", workers, "--out", out.to_str().unwrap()];
            arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
            command::succeed(&arguments);
            out
        };
        let (one, two) = (replay("1"), replay("2"));
        assert_same(&one, &two, &[]);
        let records = (0..).zip(&shares).flat_map(|(partition, lines)| records_of(partition, lines));
        assert_expected(&one, &records.collect::<Vec<_>>());
    }
}

fn assert_expected(out: &Path, events: &[RawEvent]) {
    let mut compared = Results::read(out).compare(oracle().recompute(events, &[], &[], &BTreeSet::new()));
    // Dead letters are told apart by their offsets, which several files have.
    if events.iter().any(|event| event.topic == 0 && event.partition > 0) {
        compared.retain(|comparison| comparison.table != "dead_letters");
    }
    assert_equal(&compared);
}

/// Few customers' transactions over months, of which many are corrected, voided and restored again and again.
struct Story {
    rng: StdRng,
    /// By number, the current revision, event time and customer of each.
    transactions: Vec<(u32, i64, u32)>,
}

impl Story {
    fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), transactions: Vec::new() }
    }

    /// Lines, each with the file in which it stands: nearly always its customer's.
    fn lines(&mut self, count: usize, files: usize) -> Vec<(usize, Line)> {
        let start = crate::events::instant("2025-11-01T00:00:00Z").unwrap();
        let lines = (0..count as i64).map(|number| {
            let now = start + number * 13 * MINUTE;
            let (customer, line) = self.line(now);
            let astray = self.rng.random_bool(0.02);
            let file = if astray { self.rng.random_range(0..files) } else { customer as usize % files };
            (file, line)
        });
        lines.collect()
    }

    fn line(&mut self, now: i64) -> (u32, Line) {
        let rng = &mut self.rng;
        let number = match rng.random_range(0..100) {
            // One that is known, of any age, or soon will be.
            0..15 => rng.random_range(0..self.transactions.len() + 3),
            15..20 => self.transactions.len().saturating_sub(rng.random_range(0..20)),
            _ => self.transactions.len(),
        };
        let new = number >= self.transactions.len();
        let (revision, time, customer) = if new {
            let late = [0, 0, 0, 30 * MINUTE, 70 * MINUTE];
            let latest = *late.choose(rng).unwrap();
            let time = now - rng.random_range(0..=latest);
            (*[0, 0, 0, 0, 0, 0, 0, 0, 0, 1].choose(rng).unwrap(), time, rng.random_range(0..40))
        } else {
            let (revision, time, customer) = self.transactions[number];
            let moved = [0, 0, 0, MINUTE, 100 * MINUTE, DAY, -MINUTE, -DAY];
            let time = (time + moved.choose(rng).unwrap()).min(now);
            let customer = if rng.random_bool(0.03) { rng.random_range(0..40) } else { customer };
            ((revision + rng.random_range(0..3)).saturating_sub(1), time, customer)
        };
        let voided = !new && rng.random_bool(0.4) || new && revision > 0 && rng.random_bool(0.5);
        if number == self.transactions.len() {
            self.transactions.push((revision, time, customer));
        } else if !new {
            self.transactions[number] = (revision, time, customer);
        }
        let cents = rng.random_range(100..9_000) * if rng.random_bool(0.03) { 30 } else { 1 };
        let mut event = json!({
            "transaction_id": format!("t-{number}"), "customer_id": format!("c-{customer}"),
            "store_id": format!("s-{}", rng.random_range(0..3)), "amount": format!("{}.{:02}", cents / 100, cents % 100),
            "product_id": format!("p-{}", number % 7),
            "payment_method": if number % 3 > 0 { "card" } else { "cash" }, "timestamp": shown(time),
            "revision": revision, "voided": voided,
        });
        if rng.random_bool(0.7) {
            event["latitude"] = json!(f64::from(rng.random_range(-30..-20)) + 0.5);
            event["longitude"] = json!(f64::from(rng.random_range(-50..-40)) - 0.0000001);
        }
        (customer, Line { bytes: event.to_string().into_bytes(), time, customer: None })
    }
}

fn shown(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros).unwrap().to_rfc3339()
}
