//! A burst of refunds beside live traffic:
//! `cargo bench --bench refunds -- [refunds] [refunds a second] [live transactions a second]`.
//!
//! Payments of three days ago are read first. Then live traffic runs at a fixed rate, and after a while each
//! of those payments is voided. Printed is how long it took from the timestamp of a record to the commit of
//! its effects, before, during and after the burst, and how long it took until every refund was decided.
#![allow(clippy::unwrap_used)]

/// Kafka, PostgreSQL, the commands.
#[allow(dead_code)]
mod world;

use postgres::Client;
use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Producer};
use streamflow_connectors::postgres::connect;
use world::{COMMITTED, TRANSACTIONS, World, ask, free_port};

/// How long is measured without refunds.
const CALM: Duration = Duration::from_secs(40);

const CUSTOMERS: i64 = 20_000;

const SENT_WITHIN: Duration = Duration::from_secs(120);

fn main() {
    // Cargo adds an option of its own.
    let numbers: Vec<i64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let refunds = numbers.first().copied().unwrap_or(100_000);
    let rate = numbers.get(1).copied().unwrap_or(5_000);
    let live = numbers.get(2).copied().unwrap_or(2_000);

    let world = World::start();
    let payments = Payments::begin(refunds);
    payments.pay(&world);
    let port = free_port();
    let listen = format!("metrics.listen=127.0.0.1:{port}");
    let worker = world.command("run", &["--set", &listen]);
    let mut client = connect(&world.postgres.settings()).unwrap();
    while client.query_one(COMMITTED, &[]).unwrap().get::<_, i64>(0) < refunds {
        sleep(Duration::from_millis(100));
    }
    let _generator = world.command("generate", &["--rate", &live.to_string(), "--customers", "1000000"]);
    sleep(CALM);
    let mut latencies = Latencies::read(port);
    let mut phase = |name: &str| {
        let now = Latencies::read(port);
        let (records, [p50, p99]) = now.since(&latencies);
        println!("{name}: {records:>7} records, from record time to commit p50 {p50:.0} ms, p99 {p99:.0} ms");
        latencies = now;
    };
    sleep(CALM);
    phase("before");
    let begun = Instant::now();
    payments.void(&world, rate);
    let sent = begun.elapsed().as_secs_f64();
    let mut most = 0;
    let (decided, still) = loop {
        let waiting = waiting(&mut client);
        most = most.max(waiting);
        let decided = voided(&mut client);
        if decided == refunds {
            break (begun.elapsed().as_secs_f64(), waiting);
        }
        sleep(Duration::from_millis(200));
    };
    phase("during");
    sleep(CALM);
    phase("after ");
    println!(
        "{refunds} refunds sent in {sent:.1} s, decided after {decided:.1} s ({still} others wait); at most {most} waited; \
         {live} live transactions a second; peak memory {} MiB",
        worker.peak_memory()
    );
}

/// Payments of three days ago, a hundred a second.
struct Payments {
    count: i64,
    begin: chrono::DateTime<chrono::Utc>,
}

impl Payments {
    fn begin(count: i64) -> Self {
        Self { count, begin: chrono::Utc::now() - chrono::Duration::days(3) }
    }

    fn event(&self, number: i64, more: &str) -> (String, String, i64) {
        let time = self.begin + chrono::Duration::milliseconds(10 * number);
        let customer = format!("c-{}", number % CUSTOMERS);
        let event = format!(
            r#"{{"transaction_id":"t-{number}","customer_id":"{customer}","store_id":"s-{}","amount":"100.00","timestamp":"{}"{more}}}"#,
            number % 50,
            time.to_rfc3339()
        );
        (customer, event, time.timestamp_millis())
    }

    /// Sends all, each with the time at which it was paid as its record's.
    fn pay(&self, world: &World) {
        let clock = |of| {
            world
                .kafka
                .configure_topic(TRANSACTIONS, &[("message.timestamp.type", of), ("retention.ms", "-1")])
        };
        clock("CreateTime").unwrap();
        let producer = Producer::open(&KafkaSettings::plaintext(world.kafka.brokers())).unwrap();
        for number in 0..self.count {
            let (customer, event, time) = self.event(number, "");
            producer.send(TRANSACTIONS, customer.as_bytes(), Some(event.as_bytes()), Some(time)).unwrap();
        }
        producer.flush(SENT_WITHIN).unwrap();
        clock("LogAppendTime").unwrap();
    }

    /// Sends a void of each, so many a second.
    fn void(&self, world: &World, rate: i64) {
        let producer = Producer::open(&KafkaSettings::plaintext(world.kafka.brokers())).unwrap();
        let begun = Instant::now();
        for number in 0..self.count {
            let due = Duration::from_secs_f64(number as f64 / rate as f64);
            if let Some(early) = due.checked_sub(begun.elapsed()).filter(|early| early.as_millis() >= 5) {
                sleep(early);
            }
            let (customer, event, _) = self.event(number, r#","revision":1,"voided":true"#);
            producer.send(TRANSACTIONS, customer.as_bytes(), Some(event.as_bytes()), None).unwrap();
        }
        producer.flush(SENT_WITHIN).unwrap();
    }
}

fn waiting(client: &mut Client) -> i64 {
    client.query_one("SELECT count(*) FROM streamflow.pending_events", &[]).unwrap().get(0)
}

/// The payments that are voided in silver.
fn voided(client: &mut Client) -> i64 {
    let sql =
        "SELECT count(*) FROM silver.transactions WHERE voided AND transaction_at < now() - interval '1 day'";
    client.query_one(sql, &[]).unwrap().get(0)
}

/// `streamflow_event_to_commit_seconds`: upper bounds, seconds, and how many records took at most so long.
struct Latencies(Vec<(f64, f64)>);

impl Latencies {
    fn read(port: u16) -> Self {
        let metrics = ask(port, "/metrics");
        let bucket = |line: &str| {
            let rest = line.strip_prefix("streamflow_event_to_commit_seconds_bucket{")?;
            let (labels, count) = rest.split_once("} ")?;
            let bound = labels.split("le=\"").nth(1)?.split('"').next()?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count.trim().parse().ok()?))
        };
        let buckets: Vec<_> = metrics.lines().filter_map(bucket).collect();
        assert!(buckets.len() > 1, "no histogram of latencies in {metrics}");
        Self(buckets)
    }

    /// How many records there were since an earlier reading, and their median and 99th percentile, ms.
    fn since(&self, earlier: &Self) -> (f64, [f64; 2]) {
        let counts = self.0.iter().zip(&earlier.0).map(|((bound, now), (_, before))| (*bound, now - before));
        let counts: Vec<(f64, f64)> = counts.collect();
        let all = counts.last().map_or(0.0, |(_, count)| *count);
        let percentile = |share: f64| {
            let (mut lower, mut below) = (0.0, 0.0);
            for (bound, count) in &counts {
                if *count >= share * all && *count > below {
                    // As Prometheus interpolates.
                    let within = (share * all - below) / (count - below);
                    return 1000.0 * if bound.is_finite() { lower + within * (bound - lower) } else { lower };
                }
                (lower, below) = (*bound, *count);
            }
            f64::NAN
        };
        (all, [percentile(0.5), percentile(0.99)])
    }
}
