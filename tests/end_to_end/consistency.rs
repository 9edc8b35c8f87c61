//! Internal consistency: money that leaves accounts arrives at others, and whoever looks, whenever, sees both
//! sides or neither. Transfers between ten accounts, out of order by up to ten seconds, corrected, voided and
//! copied, at once and when they have long been final, are payments by a customer (from) to a store (to).
//! Readers add up both sides, each time in one snapshot, while the worker is killed; the totals never differ.
//!
//! `STREAMFLOW_TRANSFERS` sets how many, `STREAMFLOW_TRANSFER_RATE` how many a second.

use crate::command::Running;
use crate::exactness::pending;
use crate::parts::Parts;
use chrono::{TimeDelta, Utc};
use postgres::Client;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Producer};

/// After this, and a millisecond for each transfer, the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);
const ACCOUNTS: u32 = 10;
const LATE_MS: i64 = 10_000;
const HORIZON_SECONDS: u64 = 60;
/// So many of the last transfers may be amended, and of the others one of so many, at any age.
const RECENT: usize = 500;
const OLD_OF: u64 = 100;
/// How often one is amended that is final: what precedes it is read for that, and of so few customers it is much.
const FINAL_EVERY: Duration = Duration::from_secs(10);
const MOST_KILLS: u64 = 10;

/// What left and what arrived, in cents, and as of when. All amounts are whole cents.
const SUMS: &str = "SELECT frontier, \
         (SELECT coalesce(sum(total_amount * 100), 0)::int8 FROM gold.customer_profile), \
         (SELECT coalesce(sum(total_amount * 100), 0)::int8 FROM gold.store_performance), \
         (SELECT coalesce(sum(total_amount * 100), 0)::int8 FROM gold.agg_hourly_sales) \
     FROM streamflow.progress";
/// The same, and the sum of all single ones, which takes far longer.
const SUMS_AND_ALL: &str = "SELECT frontier, \
         (SELECT coalesce(sum(total_amount * 100), 0)::int8 FROM gold.customer_profile), \
         (SELECT coalesce(sum(total_amount * 100), 0)::int8 FROM gold.store_performance), \
         (SELECT coalesce(sum(amount * 100), 0)::int8 FROM silver.clean_transactions WHERE NOT voided) \
     FROM streamflow.progress";

/// What is read, and the pause after it at least; where reading takes long, nine times as long, since millions of
/// rows would otherwise take the machine from what is tested.
const READERS: [(&str, Duration); 2] =
    [(SUMS, Duration::from_millis(10)), (SUMS_AND_ALL, Duration::from_secs(1))];

#[test]
fn every_reader_sees_both_sides_of_every_transfer() {
    let setting = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (transfers, rate) =
        (setting("STREAMFLOW_TRANSFERS", 20_000), setting("STREAMFLOW_TRANSFER_RATE", 1_000));
    // Rules for people would alert every payment of so few customers, and each late one would revise them all.
    let rules = json!({"velocity": {"limit": 1_000_000}, "unusual_hour": {"minimum_history": 1_000_000}});
    let more = json!({
        "correction_horizon_seconds": HORIZON_SECONDS, "identity_retention_seconds": HORIZON_SECONDS,
        "rules": rules,
    });
    let parts = Parts::start("consistency", 3, &more);
    let ended = AtomicBool::new(false);
    let (sent, kills, looks) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(&parts, transfers, rate));
        let (parts, ended) = (&parts, &ended);
        let readers = READERS.map(|reader| scope.spawn(move || watch(&mut parts.connect(), reader, ended)));
        // Else a failure here would leave the readers reading.
        let done = Done(ended);
        let mut kills = 0;
        let mut run = parts.run();
        let lives = Duration::from_secs((transfers / rate / MOST_KILLS).max(5));
        while !sender.is_finished() {
            let started = Instant::now();
            while started.elapsed() < lives && !sender.is_finished() {
                sleep(Duration::from_millis(100));
                assert!(run.ended().is_none(), "{}", run.printed());
            }
            run.kill();
            kills += 1;
            run = parts.run();
        }
        let sent = sender.join().unwrap();
        let patience = PATIENCE + Duration::from_millis(transfers);
        parts.wait_for(&mut run, sent.records, patience);
        wait_for_answers(parts, &mut run, patience);
        drop(done);
        let looks = readers.map(|reader| reader.join().unwrap());
        assert!(run.terminate().success());
        (sent, kills, looks)
    });
    for (query, _) in READERS {
        assert_eq!(totals(&mut parts.connect(), query).1, [sent.cents; 3]);
    }
    let [Looks { reads, frontiers }, all] = looks;
    let (amended, old) = (sent.amended, sent.amended_old);
    assert!(frontiers > 5 && all.frontiers > 1 && kills > 1, "{frontiers} frontiers, {kills} kills");
    let long = transfers / rate > 4 * HORIZON_SECONDS;
    assert!(old > 0 || !long, "none was final when it was amended");
    println!(
        "{transfers} transfers, {amended} amended, {old} of them when they were final, {kills} kills: {reads} \
         reads of sums at {frontiers} frontiers, {} of all rows at {}, 0 differences",
        all.reads, all.frontiers
    );
}

/// Waits until no correction or void waits to be decided any more.
fn wait_for_answers(parts: &Parts, run: &mut Running, patience: Duration) {
    let (mut client, begun) = (parts.connect(), Instant::now());
    while pending(&mut client) > 0 {
        run.keep_waiting(begun, patience, "all are answered");
    }
}

/// What was sent.
#[derive(Default)]
struct Sent {
    /// Copies, corrections and voids included.
    records: u64,
    /// What all transfers add up to in the end.
    cents: i64,
    /// Corrections and voids.
    amended: u64,
    /// Those among them of transfers that were final.
    amended_old: u64,
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

fn watch(client: &mut Client, (query, pause): (&str, Duration), ended: &AtomicBool) -> Looks {
    let (mut looks, mut last) = (Looks { reads: 0, frontiers: 0 }, 0);
    while !ended.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let (frontier, totals) = totals(client, query);
        assert_eq!(totals, [totals[0]; 3], "at frontier {frontier}");
        looks.reads += 1;
        looks.frontiers += u64::from(frontier != last && totals[0] > 0);
        last = frontier;
        sleep(pause.max(begun.elapsed() * 9));
    }
    looks
}

fn totals(client: &mut Client, query: &str) -> (i64, [i64; 3]) {
    let row = client.query_one(query, &[]).unwrap();
    (row.get(0), [row.get(1), row.get(2), row.get(3)])
}

/// Sends the transfers.
fn send(parts: &Parts, transfers: u64, rate: u64) -> Sent {
    let mut dice = StdRng::seed_from_u64(13);
    let producer = Producer::open(&KafkaSettings::plaintext(parts.kafka.brokers())).unwrap();
    let topic = parts.topic("transactions");
    let records = Cell::new(0);
    let tell = |event: &Value| {
        records.set(records.get() + 1);
        let key = event["customer_id"].as_str().unwrap().as_bytes();
        producer.send(&topic, key, Some(event.to_string().as_bytes()), None).unwrap();
    };
    let (mut recent, mut old) = (VecDeque::new(), VecDeque::new());
    let (begun, mut sent, mut final_amended) = (Instant::now(), Sent::default(), Instant::now());
    for number in 0..transfers {
        sleep(Duration::from_micros(number * 1_000_000 / rate).saturating_sub(begun.elapsed()));
        let now = Utc::now();
        let at = now - TimeDelta::milliseconds(dice.random_range(0..LATE_MS));
        let event = json!({
            "transaction_id": format!("transfer-{number}"), "customer_id": account(&mut dice),
            "store_id": account(&mut dice), "amount": "1.00", "timestamp": at.to_rfc3339(), "revision": 0,
        });
        tell(&event);
        sent.cents += 100;
        recent.push_back((at, event));
        if recent.len() > RECENT {
            old.extend(recent.pop_front().filter(|_| number % OLD_OF == 0));
        }
        let known = if dice.random_range(0..20) == 0 && !old.is_empty() { &mut old } else { &mut recent };
        let chosen = dice.random_range(0..known.len());
        // A known one once more: as it is, with another amount and store, or withdrawn.
        let (at, event) = &mut known[chosen];
        let age = (now - *at).num_milliseconds();
        // Those in between may be final or not.
        let horizon = HORIZON_SECONDS as i64 * 1000;
        let is_final = age > 2 * horizon;
        if age > horizon - LATE_MS && (!is_final || final_amended.elapsed() < FINAL_EVERY) {
            continue;
        }
        let amends = match dice.random_range(0..50) {
            0 => {
                tell(event);
                continue;
            }
            1 => Amends::Corrects,
            2 => Amends::Voids,
            _ => continue,
        };
        sent.amended += 1;
        if is_final {
            final_amended = Instant::now();
            sent.amended_old += 1;
        }
        event["revision"] = json!(event["revision"].as_u64().unwrap() + 1);
        sent.cents -= cents_of(event);
        match amends {
            Amends::Corrects => {
                let cents = dice.random_range(1..500);
                event["store_id"] = json!(account(&mut dice));
                event["amount"] = json!(format!("{}.{:02}", cents / 100, cents % 100));
                sent.cents += cents;
                tell(event);
            }
            Amends::Voids => {
                event["voided"] = json!(true);
                tell(event);
                known.remove(chosen);
            }
        }
    }
    producer.flush(PATIENCE).unwrap();
    Sent { records: records.get(), ..sent }
}

enum Amends {
    Corrects,
    Voids,
}

fn account(dice: &mut StdRng) -> String {
    format!("account-{}", dice.random_range(0..ACCOUNTS))
}

fn cents_of(event: &Value) -> i64 {
    event["amount"].as_str().unwrap().replace('.', "").parse().unwrap()
}
