//! What does one customer cost who has very many transactions, some of them late?
//! `cargo bench -p streamflow-dataflow --bench hot_customer`
//!
//! The same events, a tenth of them late by up to the horizon of an hour, through the whole graph on one worker:
//! spread over many customers, and all of one; within a month, in which a late event changes little, within a
//! day, and within one hour, in which it changes the scores of sixty others. Medians of alternating rounds.

#![allow(clippy::unwrap_used)]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;
use streamflow_dataflow::decode::Event;
use streamflow_dataflow::dimensions::Role;
use streamflow_dataflow::graph::{Wanted, build};
use streamflow_dataflow::inputs::Inputs;
use streamflow_dataflow::resume::Resume;
use streamflow_dataflow::settings::Settings;
use streamflow_model::{PartitionId, Record, Source};

const EVENTS: u64 = 100_000;
const EPOCH: u64 = 2048;
const ROUNDS: usize = 3;
/// Seconds since 1970.
const START: i64 = 1_769_943_600;
/// Milliseconds.
const HOUR: i64 = 3_600_000;

/// Events of so many customers within so many hours.
fn events(customers: u64, hours: i64, late_percent: u32) -> Vec<Record> {
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let event = |number: u64| {
        let now = (number as i64 * hours * HOUR) / EVENTS as i64;
        let late = dice.random_range(0..100) < late_percent;
        let at = if late { dice.random_range((now - HOUR).max(0)..=now) } else { now };
        let customer = dice.random_range(0..customers);
        // Nearly log-normal: some 100.00, one of 150 above 400.00.
        let normal: f64 = (0..12).map(|_| dice.random::<f64>()).sum::<f64>() - 6.0;
        let cents = (10_000.0 * (normal / 2.0).exp()) as i64;
        let timestamp = chrono::DateTime::from_timestamp_millis(START * 1000 + at).unwrap().to_rfc3339();
        let payload = format!(
            r#"{{"transaction_id":"txn-{number:016x}","customer_id":"cust-{customer}","store_id":"store-{}","amount":"{}.{:02}","timestamp":"{timestamp}"}}"#,
            number % 200,
            cents / 100,
            cents % 100,
        );
        Record {
            source: Source::new(PartitionId::FIRST, number),
            appended_at: Some((START * 1000 + now) * 1000),
            key: None,
            full_length: payload.len() as u64,
            payload: Some(payload.into_bytes().into()),
        }
    };
    (0..EVENTS).map(event).collect()
}

/// Events a second.
fn round(events: &[Record]) -> f64 {
    let events = events.to_vec();
    let started = Instant::now();
    timely::execute_directly(move |worker| {
        let mut handles = worker.dataflow(|scope| {
            let (handles, _restored, inputs) = Inputs::new(scope);
            let roles = [Role::Transactions];
            build(&Settings::default(), &roles, Wanted::default(), &Resume::default(), inputs);
            handles
        });
        for (number, event) in (0..).zip(events) {
            handles.transactions.send(Event::from(event));
            if number % EPOCH == EPOCH - 1 {
                handles.advance_to(number / EPOCH + 1);
                worker.step();
            }
        }
    });
    EVENTS as f64 / started.elapsed().as_secs_f64()
}

fn main() {
    let spans = [("a month", 720), ("a day", 24), ("an hour", 1)];
    let customers = [("5,000 customers", 5000), ("one customer", 1)];
    let mut cases = Vec::new();
    for (span, hours) in spans {
        for (of, customers) in customers {
            cases.push((format!("{of} in {span}, 10 % late"), events(customers, hours, 10)));
        }
    }
    cases.push(("one customer in an hour, none late".to_owned(), events(1, 1, 0)));
    let mut speeds = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for ((_, events), speeds) in cases.iter().zip(&mut speeds) {
            speeds.push(round(events));
        }
    }
    for ((name, _), speeds) in cases.iter().zip(&mut speeds) {
        speeds.sort_by(f64::total_cmp);
        println!("{name:<38} {:>8.0} events/s (median of {ROUNDS})", speeds[ROUNDS / 2]);
    }
}
