//! Internal consistency: money that leaves accounts arrives at others, and whoever looks, whenever, sees both
//! sides or neither. Transfers between ten accounts, out of order by up to ten seconds, corrected, voided and
//! copied, are payments by a customer (from) to a store (to). Readers add up both sides, each time in one
//! snapshot, while the worker is killed; the totals never differ.
//!
//! `STREAMFLOW_TRANSFERS` sets how many, `STREAMFLOW_TRANSFER_RATE` how many a second.

use crate::parts::Parts;
use postgres::Client;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Producer};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);
const ACCOUNTS: u32 = 10;
const LATE_MS: i64 = 10_000;
const READERS: usize = 2;

/// What left and what arrived, in cents, by four tables, and as of when. All amounts are whole cents.
const TOTALS: &str = "SELECT frontier, \
         (SELECT coalesce(sum(total_amount * 100), 0)::int8 FROM gold.customer_profile), \
         (SELECT coalesce(sum(total_amount * 100), 0)::int8 FROM gold.store_performance), \
         (SELECT coalesce(sum(total_amount * 100), 0)::int8 FROM gold.agg_hourly_sales), \
         (SELECT coalesce(sum(amount * 100), 0)::int8 FROM silver.clean_transactions WHERE NOT voided) \
     FROM streamflow.progress";

#[test]
fn every_reader_sees_both_sides_of_every_transfer() {
    let setting = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (transfers, rate) =
        (setting("STREAMFLOW_TRANSFERS", 20_000), setting("STREAMFLOW_TRANSFER_RATE", 1_000));
    let more = json!({"correction_horizon_seconds": 60, "identity_retention_seconds": 60});
    let parts = Parts::start("consistency", 3, &more);
    let ended = AtomicBool::new(false);
    let (expected, kills, looks) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(&parts, transfers, rate));
        let readers: Vec<_> =
            (0..READERS).map(|_| scope.spawn(|| watch(&mut parts.connect(), &ended))).collect();
        // Else a failure here would leave the readers reading.
        let done = Done(&ended);
        let mut kills = 0;
        let mut run = parts.run();
        while !sender.is_finished() {
            sleep(Duration::from_secs(5));
            assert!(run.ended().is_none(), "{}", run.printed());
            run.kill();
            kills += 1;
            run = parts.run();
        }
        let expected = sender.join().unwrap();
        parts.wait_for_all(&mut run, PATIENCE);
        drop(done);
        let looks: Vec<Looks> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        assert!(run.terminate().success());
        (expected, kills, looks)
    });
    let total = totals(&mut parts.connect());
    assert_eq!(total.1, [expected; 4]);
    let reads: u64 = looks.iter().map(|looks| looks.reads).sum();
    let frontiers = looks.iter().map(|looks| looks.frontiers).max().unwrap_or(0);
    assert!(frontiers > 5 && kills > 1, "{frontiers} frontiers, {kills} kills");
    println!("{transfers} transfers, {kills} kills: {reads} reads at {frontiers} frontiers, 0 differences");
}

/// Ends the readers when dropped.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a reader has seen.
struct Looks {
    reads: u64,
    /// Different ones, with money moved.
    frontiers: u64,
}

fn watch(client: &mut Client, ended: &AtomicBool) -> Looks {
    let (mut looks, mut last) = (Looks { reads: 0, frontiers: 0 }, 0);
    while !ended.load(Ordering::Relaxed) {
        let (frontier, totals) = totals(client);
        assert_eq!(totals, [totals[0]; 4], "at frontier {frontier}");
        looks.reads += 1;
        looks.frontiers += u64::from(frontier != last && totals[0] > 0);
        last = frontier;
    }
    looks
}

fn totals(client: &mut Client) -> (i64, [i64; 4]) {
    let row = client.query_one(TOTALS, &[]).unwrap();
    (row.get(0), [row.get(1), row.get(2), row.get(3), row.get(4)])
}

/// Sends the transfers and returns what all of them add up to in the end, cents.
fn send(parts: &Parts, transfers: u64, rate: u64) -> i64 {
    let mut dice = StdRng::seed_from_u64(13);
    let producer = Producer::open(&KafkaSettings::plaintext(parts.kafka.brokers())).unwrap();
    let topic = parts.topic("transactions");
    let tell = |event: &Value| {
        let key = event["customer_id"].as_str().unwrap().as_bytes();
        producer.send(&topic, key, Some(event.to_string().as_bytes()), None).unwrap();
    };
    let mut recent: BTreeMap<u64, Value> = BTreeMap::new();
    let (begun, mut expected) = (Instant::now(), 0);
    for number in 0..transfers {
        sleep(Duration::from_micros(number * 1_000_000 / rate).saturating_sub(begun.elapsed()));
        let at = chrono::Utc::now() - chrono::Duration::milliseconds(dice.random_range(0..LATE_MS));
        let (from, to) = (dice.random_range(0..ACCOUNTS), dice.random_range(0..ACCOUNTS));
        let event = json!({
            "transaction_id": format!("transfer-{number}"), "customer_id": format!("account-{from}"),
            "store_id": format!("account-{to}"), "amount": "1.00", "timestamp": at.to_rfc3339(), "revision": 0,
        });
        tell(&event);
        expected += 100;
        recent.insert(number, event);
        if recent.len() > 500 {
            recent.pop_first();
        }
        // A recent one once more: as it is, with another amount and store, or withdrawn.
        let known = *recent.keys().nth(dice.random_range(0..recent.len())).unwrap();
        match dice.random_range(0..50) {
            0 => tell(&recent[&known]),
            1 => {
                let event = recent.get_mut(&known).unwrap();
                event["revision"] = json!(event["revision"].as_u64().unwrap() + 1);
                event["store_id"] = json!(format!("account-{}", dice.random_range(0..ACCOUNTS)));
                let cents = dice.random_range(1..500);
                expected += cents - cents_of(event);
                event["amount"] = json!(format!("{}.{:02}", cents / 100, cents % 100));
                tell(event);
            }
            2 => {
                let mut event = recent.remove(&known).unwrap();
                event["revision"] = json!(event["revision"].as_u64().unwrap() + 1);
                event["voided"] = json!(true);
                expected -= cents_of(&event);
                tell(&event);
            }
            _ => {}
        }
    }
    producer.flush(PATIENCE).unwrap();
    expected
}

fn cents_of(event: &Value) -> i64 {
    event["amount"].as_str().unwrap().replace('.', "").parse().unwrap()
}
