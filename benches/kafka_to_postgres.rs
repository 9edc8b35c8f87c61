//! Transactions a second from a real Kafka to committed rows of a real PostgreSQL, all on this machine:
//! `cargo bench --bench kafka_to_postgres -- [transactions a second] [seconds]`.
//!
//! The generator offers a fixed rate of live traffic and shares the machine, as Kafka and PostgreSQL do. Printed are the rates of
//! what was committed, second by second, after a warm-up; a rate below the one offered says that the pipeline falls behind.
//! At the end the worker is killed and started again, and the time to its first commit is printed.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect};
use streamflow_test_support::KafkaServer;

const BINARY: &str = env!("CARGO_BIN_EXE_streamflow");
const WARM_UP: Duration = Duration::from_secs(10);
const PARTITIONS: i32 = 3;

const TRANSACTIONS: &str = "transactions.raw";
const REFERENCE: [&str; 4] =
    ["reference.customers", "reference.stores", "reference.products", "fraud.blacklist"];

const COMMITTED: &str = "SELECT coalesce(sum(account.value::bigint), 0)::bigint, \
     (extract(epoch FROM clock_timestamp()) * 1000 - max(frontier))::bigint \
     FROM streamflow.progress, jsonb_each_text(books -> 'transactions.raw') AS account WHERE account.key = 'read'";

fn main() {
    // Cargo adds an option of its own.
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let rate = numbers.first().copied().unwrap_or(20_000);
    let seconds = numbers.get(1).copied().unwrap_or(60);

    let directory = tempfile::tempdir().unwrap();
    let kafka = KafkaServer::start().unwrap();
    kafka.create_topic(TRANSACTIONS, PARTITIONS, &[("message.timestamp.type", "LogAppendTime")]).unwrap();
    for topic in REFERENCE {
        kafka.create_topic(topic, 1, &[("cleanup.policy", "compact")]).unwrap();
    }
    let postgres =
        PrivatePostgres::start(&PrivateOptions { durable: true, ..PrivateOptions::default() }).unwrap();
    let config = directory.path().join("streamflow.yaml");
    std::fs::write(&config, configuration(&kafka, &postgres)).unwrap();
    let config = config.to_str().unwrap();
    let migrated = Command::new(BINARY).args(["migrate", "--config", config]).status().unwrap();
    assert!(migrated.success());

    let run = ["run", "--config", config];
    let worker = Process::start(&run, &directory.path().join("run.log"));
    let offered = rate.to_string();
    let generator = ["generate", "--config", config, "--rate", &offered, "--customers", "1000000"];
    let generator = Process::start(&generator, &directory.path().join("generate.log"));
    observe(&postgres, rate, seconds);
    // Killed in the middle of its work, as is the generator: what is timed is going on, not catching up.
    drop((worker, generator));
    let log = directory.path().join("restart.log");
    let started = Instant::now();
    let _worker = Process::start(&run, &log);
    restarted(&postgres, &log, started);
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

fn configuration(kafka: &KafkaServer, postgres: &PrivatePostgres) -> String {
    let settings = postgres.settings();
    format!(
        "kafka:\n  brokers: ['{}']\npostgres:\n  hosts: ['{}']\n  port: {}\n  database: {}\n  user: {}\n",
        kafka.brokers(),
        settings.hosts[0],
        settings.port,
        settings.database,
        settings.user
    )
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

/// A command that ends with the bench.
struct Process(Child);

impl Process {
    fn start(arguments: &[&str], log: &Path) -> Self {
        let log = File::create(log).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", BINARY]).args(arguments);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
