//! `streamflow bench` on a real Kafka and PostgreSQL: figures that count, and those that do not.

use crate::command::{self, Running};
use postgres::Client;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::{PostgresSettings, PrivateOptions, PrivatePostgres, connect};
use streamflow_test_support::KafkaServer;
use tempfile::TempDir;

const RATE: u32 = 200;

/// On a busy machine everything takes its time.
const PATIENCE: Duration = Duration::from_secs(300);

fn report(directory: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(directory.join("report.json")).unwrap()).unwrap()
}

fn void(report: &Value) -> String {
    report["runs"][0]["void"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn servers_of_its_own_give_figures_of_checked_results() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().to_str().unwrap();
    let arguments = ["bench", "late", "--rate", "200", "--warm-up", "3s", "--duration", "12s", "--out", path];
    let output = command::output(&arguments);
    let printed = String::from_utf8(output.stdout).unwrap();
    let report = report(out.path());
    // On a busy machine the generator may fall behind, and the run says so; no result is ever wrong.
    let void = void(&report);
    assert!(void.is_empty() || void.starts_with("the generator fell behind"), "{void}");
    assert_eq!(output.status.code(), Some(if void.is_empty() { 0 } else { 3 }));
    assert!(report["settings"]["broker"].as_str().unwrap().starts_with("Apache Kafka"), "{report}");
    assert_eq!(report["settings"]["fsync"], "on");
    let run = &report["runs"][0];
    assert_eq!((run["scenario"].as_str(), run["offered"].as_f64()), (Some("late"), Some(200.0)));
    // Each event of the twelve seconds is committed, and none of the warm-up counts.
    assert_eq!(run["latencies"]["commit"]["count"], 12 * RATE);
    for clock in ["decision", "commit", "readable"] {
        let latency = &run["latencies"][clock];
        let numbers = ["p50", "p90", "p99", "p99_9", "max"].map(|name| latency[name].as_u64().unwrap());
        assert!(latency["count"].as_u64().unwrap() > 0 && numbers.is_sorted(), "{clock}: {latency}");
        assert!(printed.contains(clock), "{printed}");
    }
}

/// A bench on servers that the test can reach into.
struct Bench {
    running: Running,
    settings: PostgresSettings,
    // Declared last: they end after what uses them.
    out: TempDir,
    _kafka: KafkaServer,
    _postgres: PrivatePostgres,
}

impl Bench {
    fn start() -> Self {
        let (kafka, out) = (KafkaServer::start().unwrap(), tempfile::tempdir().unwrap());
        let postgres = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
        let settings = PostgresSettings { database: "postgres".to_owned(), ..postgres.settings() };
        let (rate, directory) = (RATE.to_string(), out.path().to_str().unwrap());
        let arguments = [
            &["bench", "--rate", &rate, "--warm-up", "1s", "--duration", "15s", "--out", directory][..],
            &["--kafka", kafka.brokers(), "--postgres", &settings.hosts[0]],
        ];
        let running = Running::start(&arguments.concat(), &out.path().join("bench.log"));
        Self { running, settings, out, _kafka: kafka, _postgres: postgres }
    }

    fn databases(&self) -> Vec<String> {
        let sql = "SELECT datname::text FROM pg_database WHERE datname LIKE 'streamflow_bench_%'";
        let rows = connect(&self.settings).unwrap().query(sql, &[]).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Waits until so many transactions are committed; a connection to their database.
    fn wait_for(&mut self, transactions: u32) -> Client {
        let begun = Instant::now();
        loop {
            if let Some(database) = self.databases().pop()
                && let Ok(mut client) = connect(&PostgresSettings { database, ..self.settings.clone() })
                && let Ok(row) = client.query_one("SELECT count(*) FROM silver.transactions", &[])
                && row.get::<_, i64>(0) >= i64::from(transactions)
            {
                return client;
            }
            self.running.keep_waiting(begun, PATIENCE, "transactions are committed");
        }
    }

    fn out(&self) -> PathBuf {
        self.out.path().to_owned()
    }
}

#[test]
fn a_wrong_table_voids_the_figures() {
    let mut bench = Bench::start();
    let mut client = bench.wait_for(RATE);
    client.batch_execute("UPDATE silver.transactions SET amount_cents = amount_cents + 1").unwrap();
    drop(client);
    assert_eq!(bench.running.wait().code(), Some(3), "{}", bench.running.printed());
    let void = void(&report(&bench.out()));
    assert!(void.starts_with("wrong result: "), "{void}");
    assert!(bench.running.printed().contains("VOID"), "{}", bench.running.printed());
    assert_eq!(bench.databases(), [""; 0]);
}

#[test]
fn a_generator_that_was_late_voids_the_figures() {
    let mut bench = Bench::start();
    drop(bench.wait_for(2 * RATE));
    bench.running.pause();
    std::thread::sleep(Duration::from_secs(2));
    bench.running.resume();
    assert_eq!(bench.running.wait().code(), Some(3), "{}", bench.running.printed());
    let void = void(&report(&bench.out()));
    assert!(void.starts_with("the generator fell behind"), "{void}");
}

#[test]
fn an_interrupted_bench_leaves_nothing_behind() {
    let mut bench = Bench::start();
    drop(bench.wait_for(1));
    assert_eq!(bench.running.terminate().code(), Some(1), "{}", bench.running.printed());
    assert!(bench.running.printed().contains("interrupted"), "{}", bench.running.printed());
    assert_eq!(bench.databases(), [""; 0]);
    assert!(!bench.out().join("report.json").exists());
}

#[test]
fn bad_arguments_give_one_clear_line() {
    for (arguments, code, words) in [
        (&["bench", "idle", "--rate", "5"][..], 1, "idle has no rate"),
        (&["bench", "late", "--sweep"], 1, "--sweep is for medallion"),
        (&["bench", "outage", "--postgres", "db"], 1, "cannot stop that of --postgres"),
        (&["bench", "--rate", "0"], 2, "must be 1 to 1000000"),
        (&["bench", "--duration", "0s"], 2, "must be 1 second to 1 day"),
        (&["bench", "nothing"], 2, "possible values: medallion"),
        (&["bench", "--set", "workers"], 1, "must be key=value"),
        (&["bench", "--kafka", "x:1", "--postgres", "db:x"], 1, "must be host or host:port"),
    ] {
        let output = command::output(arguments);
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}");
        assert!(printed.contains(words), "{arguments:?}: {printed}");
    }
}
