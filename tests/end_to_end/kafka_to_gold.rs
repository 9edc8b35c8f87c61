//! `streamflow migrate`, `run` and `generate` between a real Kafka and a real PostgreSQL.

use crate::command::{self, Running};
use crate::events::Line;
use crate::foreign;
use crate::traffic::{DISTURBED, Traffic};
use postgres::{Client, IsolationLevel};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, TopicAdmin};
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect};
use streamflow_dataflow::rules::RuleSet;
use streamflow_test_support::KafkaServer;
use streamflow_verification as verification;
use tempfile::TempDir;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);
const TRANSACTIONS: u16 = 4;
const PARTITIONS: i32 = 3;
const GENERATED: &str = "200000";

/// Kafka, PostgreSQL and the configuration that names them.
struct World {
    kafka: KafkaServer,
    postgres: PrivatePostgres,
    topics: Vec<String>,
    directory: TempDir,
}

impl World {
    /// Both servers, the topics, the schema.
    fn start() -> Self {
        let kafka = KafkaServer::start().unwrap();
        let postgres =
            PrivatePostgres::start(&PrivateOptions { durable: true, ..PrivateOptions::default() }).unwrap();
        // Another Kafka may be used by several test runs.
        let name = |topic: &str| format!("end-to-end.{}.{topic}", std::process::id());
        let topics = ["customers", "stores", "products", "blacklist", "transactions"].map(name).to_vec();
        let broker_clock = ("message.timestamp.type", "LogAppendTime");
        for topic in &topics[..usize::from(TRANSACTIONS)] {
            kafka.create_topic(topic, 1, &[broker_clock, ("cleanup.policy", "compact")]).unwrap();
        }
        kafka.create_topic(&topics[usize::from(TRANSACTIONS)], PARTITIONS, &[broker_clock]).unwrap();
        let world = Self { kafka, postgres, topics, directory: tempfile::tempdir().unwrap() };
        std::fs::write(world.config(), world.configuration()).unwrap();
        command::succeed(&["migrate", "--config", world.config().to_str().unwrap()]);
        world
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("streamflow.yaml")
    }

    fn configuration(&self) -> String {
        let settings = self.postgres.settings();
        let [customers, stores, products, blacklist, transactions] = &self.topics[..] else { panic!() };
        format!(
            "workers: 2\n\
             kafka:\n  brokers: ['{}']\n\
             postgres:\n  hosts: ['{}']\n  port: {}\n  database: {}\n  user: {}\n\
             topics:\n  transactions: [{transactions}]\n  customers: {customers}\n  stores: {stores}\n  \
             products: {products}\n  blacklist: {blacklist}\nmetrics:\n  listen: 127.0.0.1:0\n",
            self.kafka.brokers(),
            settings.hosts[0],
            settings.port,
            settings.database,
            settings.user
        )
    }

    fn command(&self, name: &str, options: &[&str]) -> Running {
        let config = self.config();
        let mut arguments = vec![name, "--config", config.to_str().unwrap()];
        arguments.extend(options);
        Running::start(&arguments, &self.directory.path().join(format!("{name}.log")))
    }

    fn write(&self, batch: &foreign::Batch) {
        self.kafka.write(&self.topics[usize::from(TRANSACTIONS)], None, &batch.bytes).unwrap();
    }

    fn connect(&self) -> Client {
        connect(&self.postgres.settings()).unwrap()
    }

    /// Records in the partitions of all topics.
    fn end_offsets(&self) -> i64 {
        let topics = TopicAdmin::connect(&KafkaSettings::plaintext(self.kafka.brokers())).unwrap();
        let ends = self.topics.iter().flat_map(|topic| {
            let partitions = 0..topics.partitions(topic).unwrap();
            let end = |partition| topics.offsets(topic, partition).unwrap().latest as i64;
            partitions.map(end).collect::<Vec<_>>()
        });
        ends.sum()
    }
}

/// What one snapshot shows; tables that disagree fail the test. Returns the events read.
fn consistent_read(client: &mut Client) -> i64 {
    let transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let mut snapshot = transaction.start().unwrap();
    let mut number = |sql: &str| -> i64 { snapshot.query_one(sql, &[]).unwrap().get(0) };
    let read = number("SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE account = 'read'");
    let equal = [
        (
            "SELECT count(*) FROM gold.fact_transactions",
            &[
                "SELECT coalesce(sum(transaction_count), 0)::int8 FROM gold.agg_hourly_sales",
                "SELECT coalesce(sum(total_txns), 0)::int8 FROM gold.agg_daily_fraud",
                "SELECT coalesce(sum(transaction_count), 0)::int8 FROM gold.store_performance",
                "SELECT coalesce(sum(transaction_count), 0)::int8 FROM gold.customer_profile",
            ][..],
        ),
        (
            "SELECT count(*) FROM gold.fact_fraud_alerts",
            &[
                "SELECT coalesce(sum(total_alerts), 0)::int8 FROM gold.agg_daily_fraud",
                "SELECT count(*) FROM gold.fact_transactions WHERE is_fraud",
                "SELECT count(*) FROM gold.fraud_alert_history WHERE withdrawn_at IS NULL",
            ],
        ),
        (
            "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books \
             WHERE account IN ('new', 'correcting', 'voiding', 'duplicate', 'superseded')",
            &["SELECT count(*) FROM bronze.raw_transactions"],
        ),
        (
            "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE account <> 'read'",
            &["SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE account = 'read'"],
        ),
        ("SELECT dead_letters FROM streamflow.progress", &["SELECT count(*) FROM bronze.dead_letters"]),
        ("SELECT alert_changes FROM streamflow.progress", &["SELECT count(*) FROM bronze.raw_fraud_alerts"]),
    ];
    for (first, others) in equal {
        let expected = number(first);
        for other in others {
            assert_eq!(number(other), expected, "{other} <> {first}, with {read} events read");
        }
    }
    read
}

/// Looks at snapshot after snapshot until `done` says so of the events read; returns how many it took.
fn watch(client: &mut Client, run: &mut Running, mut done: impl FnMut(&mut Client, i64) -> bool) -> usize {
    let begun = Instant::now();
    for snapshots in 1.. {
        let read = consistent_read(client);
        assert!(run.ended().is_none(), "run has ended:\n{}", run.printed());
        if done(client, read) {
            return snapshots;
        }
        assert!(begun.elapsed() < PATIENCE, "stuck at {read} events:\n{}", run.printed());
        std::thread::sleep(Duration::from_millis(20));
    }
    unreachable!()
}

fn verify(client: &mut Client) {
    let begun = Instant::now();
    let comparisons = verification::all(client, &RuleSet::default()).unwrap();
    crate::results::assert_equal(&comparisons);
    let rows: i64 = comparisons.iter().map(|comparison| comparison.rows).sum();
    println!("{} tables with {rows} rows verified in {:.1?}", comparisons.len(), begun.elapsed());
}

fn count(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}

/// An event of the past half hour and its changes, as kcat writes them.
fn backlog(lines: &[Line]) -> foreign::Batch {
    let mut batch = foreign::Batch::default();
    for line in lines.iter().filter(|line| !line.bytes.contains(&b'\t')) {
        batch.keyed(line.customer.as_deref().unwrap_or("nobody"), &line.bytes);
    }
    batch
}

#[test]
fn every_table_is_what_the_events_give() {
    let world = World::start();
    let mut client = world.connect();
    let mut run = world.command("run", &[]);
    let begun = Instant::now();
    let generated = ["--count", GENERATED, "--rate", "20000", "--customers", "20000"];
    let rates = DISTURBED.iter().flat_map(|rate| ["--set", *rate]);
    let more = ["--set", "late_by_max=5", "--seed", "5"];
    let options: Vec<&str> = generated.into_iter().chain(rates).chain(more).collect();
    let mut generate = world.command("generate", &options);

    world.write(&foreign::ordinary());
    let recent = Traffic::generate_from(40_000, &DISTURBED, chrono::Duration::minutes(-40));
    world.write(&backlog(&recent.lines));
    let raised = "SELECT count(*) FROM gold.fact_fraud_alerts WHERE transaction_id = 'foreign-burst-9'";
    let mut snapshots = watch(&mut client, &mut run, |client, _| count(client, raised) == 1);
    world.write(&foreign::changes());
    world.write(&foreign::refused());

    let mut end = None;
    snapshots += watch(&mut client, &mut run, |_, read| {
        if let Some(status) = generate.ended() {
            assert!(status.success(), "{}", generate.printed());
            end.get_or_insert_with(|| world.end_offsets());
        }
        end == Some(read)
    });
    println!("{} events in {:.1?}; {snapshots} snapshots were consistent", end.unwrap(), begun.elapsed());
    verify(&mut client);
    check_foreign(&mut client);
    stop_under_load(&world, &mut client, &mut run);
    damage_is_found(&mut client);
}

fn check_foreign(client: &mut Client) {
    let sql =
        "SELECT reason, count(*) FROM bronze.dead_letters WHERE key LIKE 'foreign-%' GROUP BY 1 ORDER BY 1";
    let refused: Vec<(String, i64)> =
        client.query(sql, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    let refused: Vec<(&str, i64)> =
        refused.iter().map(|(reason, events)| (reason.as_str(), *events)).collect();
    assert_eq!(refused, foreign::REFUSED);
    let sql = "SELECT count(*) FROM bronze.raw_transactions WHERE payload LIKE '%\"foreign-%'";
    let ordinary = foreign::ordinary().events + foreign::changes().events;
    assert_eq!(count(client, sql), ordinary);
    let sql = "SELECT count(*) FROM silver.clean_transactions WHERE transaction_id LIKE 'foreign-%'";
    // The changes are copies, two corrections and two voids.
    assert_eq!(count(client, sql), ordinary - foreign::DUPLICATES - 4);
    let row = client
        .query_one(
            "SELECT amount::text, revision FROM silver.clean_transactions WHERE transaction_id = 'foreign-corrected'",
            &[],
        )
        .unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1)), ("20.00", 2));
    let sql = "SELECT change, cause, fraud_score::text FROM bronze.raw_fraud_alerts \
         WHERE transaction_id = 'foreign-burst-9' ORDER BY sequence";
    let told: Vec<[String; 3]> =
        client.query(sql, &[]).unwrap().iter().map(|row| [row.get(0), row.get(1), row.get(2)]).collect();
    assert_eq!(told, [["raised", "transaction", "0.800"], ["withdrawn", "void", "0.800"]]);
}

/// Asked to stop in the middle of its work, it commits what it has read.
fn stop_under_load(world: &World, client: &mut Client, run: &mut Running) {
    let before = consistent_read(client);
    let generate = world.command("generate", &["--rate", "2000", "--customers", "2000", "--seed", "9"]);
    watch(client, run, |_, read| read > before + 10_000);
    let status = run.terminate();
    assert_eq!(status.code(), Some(0), "{}", run.printed());
    drop(generate);
    let after = consistent_read(client);
    println!("{} of {} events were read before the stop", after - before, world.end_offsets() - before);
    verify(client);
}

/// What each of these statements spoils, the verification of the table named finds.
const DAMAGE: [(&str, &str); 20] = [
    (
        "bronze.raw_transactions",
        "UPDATE bronze.raw_transactions SET schema_version = 7 WHERE payload LIKE '%foreign-plain-3%'",
    ),
    (
        "bronze.dead_letters (reasons)",
        "UPDATE bronze.dead_letters SET reason = 'too_late' WHERE reason = 'missing_field'",
    ),
    (
        "streamflow.books, from bronze",
        "UPDATE streamflow.progress SET books = jsonb_set(books, '{fraud}', '{\"read\": 1}')",
    ),
    ("streamflow.progress", "UPDATE streamflow.progress SET dead_letters = dead_letters + 1"),
    ("bronze.raw_fraud_alerts", "UPDATE bronze.raw_fraud_alerts SET sequence = 3 WHERE number = 10"),
    (
        "gold.fact_fraud_alerts, from the outbox",
        "UPDATE gold.fact_fraud_alerts SET detected_at = detected_at - interval '1 ms' WHERE transaction_id = (SELECT min(transaction_id) FROM gold.fact_fraud_alerts)",
    ),
    (
        "silver.clean_transactions, from bronze",
        "UPDATE silver.transactions SET payment_method = 'cheque' WHERE transaction_id = 'foreign-plain-3'",
    ),
    (
        "gold.fact_fraud_alerts, from bronze",
        "UPDATE gold.fact_fraud_alerts SET rule_details = '{}' WHERE transaction_id = (SELECT min(transaction_id) FROM gold.fact_fraud_alerts)",
    ),
    (
        "gold.customer_profile, from bronze",
        "UPDATE gold.customer_totals SET minute_sum = minute_sum + 1 WHERE customer_key = 1",
    ),
    (
        "gold.agg_hourly_sales, from bronze",
        "UPDATE gold.agg_hourly_sales SET total_amount = total_amount + 0.01 WHERE store_key = 1",
    ),
    ("gold.store_performance, from bronze", "DELETE FROM gold.store_performance WHERE store_key = 1"),
    ("gold.agg_daily_fraud, from bronze", "UPDATE gold.daily_fraud_totals SET total_alerts = 100000000"),
    (
        "gold.rule_performance, from bronze",
        "UPDATE gold.rule_performance SET alerts_alone = alerts_alone + 1",
    ),
    (
        "gold.payment_performance, from bronze",
        "UPDATE gold.payment_performance SET alert_count = alert_count + 1",
    ),
    (
        "gold.realtime_metrics, from bronze",
        "UPDATE gold.realtime_metrics SET distinct_customers = 0 WHERE store_key IS NULL",
    ),
    (
        "gold.realtime_metrics (stores), from bronze",
        "UPDATE gold.realtime_metrics SET alert_count = -1 WHERE store_key = 2",
    ),
    (
        "silver.quality_counts, from bronze",
        "UPDATE silver.quality_counts SET events = events + 1 WHERE measure = 'no_place'",
    ),
    ("gold.customer_profile", "SELECT"),
    ("gold.store_performance", "SELECT"),
    ("gold.fraud_alert_history", "UPDATE gold.fraud_alert_history SET causes = '{}'"),
];

/// The verification is no empty ceremony.
fn damage_is_found(client: &mut Client) {
    for (_, statement) in DAMAGE {
        client.batch_execute(statement).unwrap();
    }
    let comparisons = verification::all(client, &RuleSet::default()).unwrap();
    for (table, statement) in DAMAGE {
        let comparison = comparisons.iter().find(|comparison| comparison.table == table).expect(table);
        assert!(comparison.differing > 0, "{table} hides: {statement}");
        assert!(!comparison.sample.is_empty(), "{table}");
    }
}
