//! Refunds and corrections of any age: after minutes, hours and days, twice, of voids and of what nobody knows,
//! while processes are killed, their number changes and PostgreSQL is away. Every table is what the events give.

use crate::exactness;
use crate::parts::Parts;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::Producer;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(240);

const PAYMENTS: i64 = 6_000;
const CUSTOMERS: i64 = 60;
const DAYS: i64 = 6;
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// An event, and when it is appended, seconds after the begin.
struct Event {
    appended: i64,
    payload: Value,
}

/// Payments over days, each with amendments by chance.
fn events() -> Vec<Event> {
    let mut rng = StdRng::seed_from_u64(13);
    let begin = chrono::Utc::now() - chrono::Duration::days(DAYS + 11);
    let mut events = Vec::new();
    for number in 0..PAYMENTS {
        let at = number * DAYS * DAY / PAYMENTS + rng.random_range(0..MINUTE);
        let time = |seconds: i64| (begin + chrono::Duration::seconds(seconds)).to_rfc3339();
        let amount = if rng.random_bool(0.05) { "900.00" } else { "100.00" };
        let payment = json!({
            "transaction_id": format!("t-{number}"), "customer_id": format!("c-{}", rng.random_range(0..CUSTOMERS)),
            "store_id": format!("s-{}", rng.random_range(0..4)), "payment_method": "pix",
            "amount": amount, "timestamp": time(at), "latitude": -23.5, "longitude": -46.6,
        });
        let known = !rng.random_bool(0.01);
        if known {
            events.push(Event { appended: at, payload: payment.clone() });
        }
        let (mut appended, mut revision) = (at, 0);
        let chance = if known { 0.3 } else { 1.0 };
        while revision < 3 && rng.random_bool(if revision == 0 { chance } else { 0.3 }) {
            let delays = [MINUTE, 5 * MINUTE, 2 * HOUR + MINUTE, DAY, 3 * DAY];
            appended += delays[rng.random_range(0..delays.len())] + rng.random_range(0..MINUTE);
            revision += rng.random_range(1..3);
            let mut payload = payment.clone();
            payload["revision"] = json!(revision);
            payload["voided"] = json!(rng.random_bool(0.5));
            match rng.random_range(0..4) {
                0 => payload["amount"] = json!("1000.00"),
                1 => payload["amount"] = json!("10.00"),
                2 => payload["timestamp"] = json!(time(appended)),
                _ => payload["store_id"] = json!("s-0"),
            }
            events.push(Event { appended, payload });
        }
    }
    // Beyond the last one, so that everything before is final and decided.
    for customer in 0..CUSTOMERS {
        let appended = (DAYS + 10) * DAY + customer;
        let payload = json!({
            "transaction_id": format!("last-{customer}"), "customer_id": format!("c-{customer}"), "store_id": "s-0",
            "amount": "1.00", "timestamp": (begin + chrono::Duration::seconds(appended)).to_rfc3339(),
        });
        events.push(Event { appended, payload });
    }
    events.sort_by_key(|event| event.appended);
    events
}

fn send(producer: &Producer, topic: &str) {
    let begin = chrono::Utc::now() - chrono::Duration::days(DAYS + 11);
    for Event { appended, payload } in events() {
        let time = (begin + chrono::Duration::seconds(appended)).timestamp_millis();
        let key = payload["customer_id"].as_str().unwrap();
        producer.send(topic, key.as_bytes(), Some(payload.to_string().as_bytes()), Some(time)).unwrap();
    }
}

/// Every table against the events, and the database against Kafka, whatever still waits; returns the exit code.
fn check_with_kafka(parts: &Parts) -> Option<i32> {
    let mut verify = parts.command("verify", &["--from-bronze"]);
    let code = verify.wait().code();
    assert_ne!(code, Some(1), "{}", verify.printed());
    code
}

#[test]
fn corrections_and_voids_of_any_age_change_every_table() {
    let more = json!({
        "correction_horizon_seconds": 600, "identity_retention_seconds": 600,
        "pipeline": {"uncommitted_records": 300},
    });
    let mut parts = Parts::start("amendments", 3, &more);
    let topic = parts.topic("transactions");
    parts.fill_with_the_past(&topic, &[("retention.ms", "-1")], |producer| send(producer, &topic));
    let small = ["--set", "kafka.source.batch_records=50"];
    let mut client = parts.connect();
    let begun = Instant::now();

    // Killed in the middle, again and again, with other numbers of workers and once without PostgreSQL.
    for (workers, read) in [("workers=2", 1_000), ("workers=1", 3_000), ("workers=3", 5_000)] {
        let mut run = parts.command("run", &[&small[..], &["--set", workers]].concat());
        while exactness::read(&mut client) < read {
            run.keep_waiting(begun, PATIENCE, "some is committed");
        }
        if read == 3_000 {
            drop(client);
            parts.postgres.restart().unwrap();
            client = parts.connect();
            let before = exactness::read(&mut client);
            while exactness::read(&mut client) == before {
                run.keep_waiting(begun, PATIENCE, "it goes on");
            }
        }
        run.kill();
        // It may have left a transaction of the publisher open, behind which nothing can be checked yet: 2.
        assert!(matches!(check_with_kafka(&parts), Some(0 | 2)));
    }
    let mut run = parts.run();
    parts.wait_for_all(&mut run, PATIENCE);
    while exactness::pending(&mut client) > 0 {
        run.keep_waiting(begun, PATIENCE, "all is decided");
    }
    assert!(run.terminate().success(), "{}", run.printed());

    let amendments = exactness::amendments(&mut client);
    let exactness::Amendments { correcting, voiding, waited } = amendments;
    assert!(correcting > 500 && voiding > 500 && waited > 1_000, "{amendments:?}");
    let rows = exactness::verify(&parts);
    exactness::check_published(&parts);
    assert_eq!(check_with_kafka(&parts), Some(0));
    println!("{amendments:?}: {rows} rows, 0 differences");
}
