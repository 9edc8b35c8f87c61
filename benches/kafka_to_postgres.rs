//! Transactions a second from a real Kafka to committed rows of a real PostgreSQL, all on this machine:
//! `cargo bench --bench kafka_to_postgres -- [transactions a second] [seconds]`.
//!
//! The generator offers a fixed rate of live traffic and shares the machine, as Kafka and PostgreSQL do.
//! Printed are the rates of what was committed, second by second, after a warm-up; a rate below the one
//! offered says that the pipeline falls behind. At the end the worker is killed and started again, and the
//! time to its first commit is printed.
#![allow(clippy::unwrap_used)]

/// Kafka, PostgreSQL, the commands.
#[allow(dead_code)]
mod world;

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::{PrivatePostgres, connect};
use world::{COMMITTED, World};

const WARM_UP: Duration = Duration::from_secs(10);

fn main() {
    // Cargo adds an option of its own.
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let rate = numbers.first().copied().unwrap_or(20_000);
    let seconds = numbers.get(1).copied().unwrap_or(60);

    let world = World::start();
    let worker = world.command("run", &[]);
    let generator = world.command("generate", &["--rate", &rate.to_string(), "--customers", "1000000"]);
    observe(&world.postgres, rate, seconds);
    // Killed in the middle of its work, as is the generator: what is timed is going on, not catching up.
    drop((worker, generator));
    let started = Instant::now();
    let _worker = world.command("run", &[]);
    restarted(&world.postgres, &world.log("run"), started);
}

/// Waits for the first commit after a restart.
fn restarted(postgres: &PrivatePostgres, log: &Path, started: Instant) {
    while !std::fs::read_to_string(log).unwrap().contains("the first commit since the start") {
        sleep(Duration::from_millis(10));
    }
    let seconds = started.elapsed().as_secs_f64();
    let sql =
        "SELECT (SELECT count(*) FROM silver.transactions), (SELECT count(*) FROM gold.customer_totals)";
    let row = connect(&postgres.settings()).unwrap().query_one(sql, &[]).unwrap();
    let (transactions, customers): (i64, i64) = (row.get(0), row.get(1));
    println!(
        "restarted {seconds:.1} s from kill -9 to the first commit; {transactions} transactions, {customers} customers"
    );
}

/// Reads what is committed once a second and prints the rates.
fn observe(postgres: &PrivatePostgres, offered: u64, seconds: u64) {
    let mut client = connect(&postgres.settings()).unwrap();
    let mut committed = || {
        let row = client.query_one(COMMITTED, &[]).unwrap();
        (row.get::<_, i64>(0), row.get::<_, Option<i64>>(1).unwrap_or_default())
    };
    while committed().0 == 0 {
        sleep(Duration::from_millis(100));
    }
    sleep(WARM_UP);
    let (first, started) = (committed().0, Instant::now());
    let mut last = (first, started);
    let mut rates = Vec::new();
    let mut lags = Vec::new();
    for _ in 0..seconds {
        sleep(Duration::from_secs(1));
        let ((events, lag), now) = (committed(), Instant::now());
        rates.push((events - last.0) as f64 / (now - last.1).as_secs_f64());
        lags.push(lag);
        last = (events, now);
    }
    let mean = (last.0 - first) as f64 / (last.1 - started).as_secs_f64();
    rates.sort_by(f64::total_cmp);
    lags.sort_unstable();
    println!("offered   {offered} transactions/s for {seconds} s");
    println!(
        "committed {mean:.0}/s; by second: slowest {:.0}, median {:.0}, fastest {:.0}",
        rates[0],
        rates[rates.len() / 2],
        rates[rates.len() - 1]
    );
    println!(
        "frontier  behind the clock: median {} ms, worst {} ms",
        lags[lags.len() / 2],
        lags[lags.len() - 1]
    );
}
