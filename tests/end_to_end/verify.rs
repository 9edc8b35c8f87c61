//! `streamflow verify`: all is well beside a running pipeline, and each kind of damage is found by the check
//! that is meant for it.

use crate::parts::Parts;
use crate::traffic::DISTURBED;
use crate::{command, foreign};
use postgres::Client;
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Message, TransactionalProducer};
use streamflow_connectors::postgres::{PostgresSettings, connect};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

const WITHIN: Duration = Duration::from_secs(30);

/// The pipeline has ended, or the machine is busy: it need not be fresh.
const STALE: [&str; 4] = ["--warn-behind", "1e9", "--fail-behind", "1e9"];

struct World {
    parts: Parts,
    events: i64,
}

impl World {
    /// Ordinary events, changes, events that are refused, and one in a Kafka transaction, whose marker takes
    /// an offset.
    fn start() -> Self {
        let world = Self { parts: Parts::start("verified", 2, &json!({})), events: 0 };
        let batches = [foreign::ordinary(), foreign::changes(), foreign::refused()];
        // First: what comes after the marker makes it a gap.
        world.write_transaction();
        let topic = world.parts.topic("transactions");
        for batch in &batches {
            world.parts.kafka.write(&topic, None, &batch.bytes).unwrap();
        }
        let events: i64 = batches.iter().map(|batch| batch.events).sum();
        Self { events: events + 1, ..world }
    }

    fn write_transaction(&self) {
        let at = (chrono::Utc::now() - chrono::Duration::minutes(2)).to_rfc3339();
        let event = json!({"transaction_id": "in-transaction", "customer_id": "in-transaction", "store_id": "s",
            "amount": "3.00", "timestamp": at});
        let settings = KafkaSettings::plaintext(self.parts.kafka.brokers());
        let producer = TransactionalProducer::open(&settings, &self.parts.topic("producer"), WITHIN).unwrap();
        producer.fence(WITHIN).unwrap();
        producer.begin().unwrap();
        let value = Some(event.to_string().into_bytes());
        let message = Message { key: b"in-transaction".to_vec(), value, headers: Vec::new() };
        producer.send(&self.parts.topic("transactions"), &message, WITHIN).unwrap();
        producer.commit(WITHIN).unwrap();
    }

    /// All events are committed, and what they led to is published.
    fn is_done(&self, client: &mut Client) -> bool {
        let sql = "SELECT coalesce((SELECT sum(events) FROM streamflow.books WHERE account = 'read'), 0)::int8, \
                   alert_changes, dead_letters FROM streamflow.progress";
        let row = client.query_one(sql, &[]).unwrap();
        let published = |topic, number| self.parts.consume(topic).len() as i64 == row.get::<_, i64>(number);
        row.get::<_, i64>(0) == self.events && published("alerts", 1) && published("dead_letters", 2)
    }

    fn verify(&self, options: &[&str]) -> Output {
        let config = self.parts.config();
        let mut arguments = vec!["verify", "--config", config.to_str().unwrap()];
        arguments.extend(options);
        command::output(&arguments)
    }

    /// The checks and the exit code.
    fn checks(&self, options: &[&str]) -> (Vec<Value>, i32) {
        let output = self.verify(&[options, &["--format", "json"]].concat());
        let checks = serde_json::from_slice(&output.stdout);
        let checks = checks.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (checks, output.status.code().unwrap())
    }

    /// The name of a check without the prefix of this run's topics.
    fn name(&self, check: &Value) -> String {
        check["check"].as_str().unwrap().replace(&self.parts.topic(""), "")
    }

    /// The names of the checks that ended so, sorted.
    fn names(&self, checks: &[Value], verdict: &str) -> Vec<String> {
        let named = checks.iter().filter(|check| check["verdict"] == verdict);
        let mut names: Vec<String> = named.map(|check| self.name(check)).collect();
        names.sort();
        names
    }

    fn found(&self, checks: &[Value], name: &str) -> String {
        let check = checks.iter().find(|check| self.name(check) == name);
        check.unwrap_or_else(|| panic!("no check {name} in {checks:#?}"))["found"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A connection to the server, but not to the database that is copied.
    fn maintenance(&self) -> Client {
        let settings = self.parts.postgres.settings();
        connect(&PostgresSettings { database: "template1".to_owned(), ..settings }).unwrap()
    }

    /// Verifies a copy of the database in which `statement` was run. Fails unless exactly `failing` fail.
    fn damage(&self, statement: &str, options: &[&str], failing: &[&str]) -> Vec<Value> {
        let settings = self.parts.postgres.settings();
        let mut maintenance = self.maintenance();
        let copy = format!(
            "DROP DATABASE IF EXISTS damaged WITH (FORCE); CREATE DATABASE damaged TEMPLATE {}",
            settings.database
        );
        // One by one: neither is possible within a transaction.
        copy.split("; ").for_each(|statement| maintenance.batch_execute(statement).unwrap());
        let statement = statement.replace("TRANSACTIONS", &self.parts.topic("transactions"));
        let damaged = PostgresSettings { database: "damaged".to_owned(), ..settings };
        connect(&damaged).unwrap().batch_execute(&statement).unwrap();
        let options = [&STALE[..], &["--set", "postgres.database=damaged"], options].concat();
        let (checks, code) = self.checks(&options);
        assert_eq!(self.names(&checks, "fail"), failing, "{statement}: {checks:#?}");
        assert_eq!(self.names(&checks, "error"), [""; 0], "{statement}: {checks:#?}");
        assert_eq!(code, i32::from(!failing.is_empty()), "{statement}");
        checks
    }
}

#[test]
fn all_is_well_or_exactly_the_damage_is_found() {
    let world = World::start();
    let mut run = world.parts.run();
    let (mut client, begun) = (world.parts.connect(), Instant::now());
    while !world.is_done(&mut client) {
        run.keep_waiting(begun, PATIENCE, "all is committed");
    }
    client.batch_execute("CREATE ROLE verifier LOGIN IN ROLE streamflow_writer").unwrap();
    beside_a_running_pipeline(&world);
    assert!(run.terminate().success(), "{}", run.printed());
    drop(client);
    damaged_tables(&world);
    damaged_recomputation(&world);
    damaged_progress(&world);
    out_of_reach(&world);
    damaged_kafka(&world);
}

/// Commits, publishing and new records in between look like nothing else.
#[test]
fn a_pipeline_under_load_is_well() {
    let world = World { parts: Parts::start("loaded", 3, &json!({"workers": 2})), events: 0 };
    let run = world.parts.run();
    let rates = DISTURBED.iter().flat_map(|rate| ["--set", *rate]);
    let dense = ["--rate", "500", "--customers", "1000", "--seed", "3"];
    let options: Vec<&str> = dense.into_iter().chain(rates).collect();
    let generate = world.parts.command("generate", &options);
    let (mut client, begun) = (world.parts.connect(), Instant::now());
    let alerts = "SELECT alert_changes FROM streamflow.progress";
    while client.query_one(alerts, &[]).unwrap().get::<_, i64>(0) < 5 {
        assert!(begun.elapsed() < PATIENCE, "stuck:\n{}", run.printed());
        std::thread::sleep(Duration::from_millis(50));
    }
    for options in [&["--from-bronze"][..], &["--sample", "20"], &["--sample", "20"]] {
        let (checks, code) = world.checks(&[&STALE, options].concat());
        assert_eq!(code, 0, "{checks:#?}");
    }
    drop((generate, run));
}

fn beside_a_running_pipeline(world: &World) {
    for options in [&["--from-bronze"][..], &["--sample", "1000"], &["--skip-recomputation"]] {
        // How fresh it is depends on what else the machine does.
        let options = [&STALE[..], &["--set", "postgres.user=verifier"], options].concat();
        let (checks, code) = world.checks(&options);
        let passed = world.names(&checks, "pass");
        assert_eq!((passed.len(), code), (checks.len(), 0), "{options:?}: {checks:#?}");
        assert!(world.found(&checks, "postgresql").contains("as verifier"));
        let events = world.found(&checks, "events of transactions");
        assert!(events.starts_with(&format!("{} events", world.events)), "{events}");
        assert!(events.contains("1 offsets hold none"), "{events}");
        let alerts = world.found(&checks, "published alerts");
        assert!(alerts.starts_with("2 alert changes told"), "{alerts}");
    }
    let table = world.verify(&["--skip-recomputation"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.starts_with("pass ") && table.contains(" 0 failed") && !table.contains('\x1b'), "{table}");
}

const SALES: [&str; 5] = [
    "gold.agg_hourly_sales",
    "gold.customer_profile",
    "gold.payment_performance",
    "gold.realtime_metrics",
    "gold.store_performance",
];

fn damaged_tables(world: &World) {
    world.damage("SELECT", &["--from-bronze"], &[]);
    let cheaper = "UPDATE silver.transactions SET amount_cents = amount_cents - 1 WHERE transaction_id = 'foreign-plain-3'";
    let checks = world.damage(cheaper, &[], &SALES);
    let details = checks.iter().find(|check| check["check"] == SALES[1]).unwrap();
    assert!(details["details"].to_string().contains("foreign-3"), "{details}");
    world.damage(cheaper, &["--sample", "1000"], &SALES);
    world.damage(cheaper, &["--skip-recomputation"], &[]);
    world.damage(
        "UPDATE silver.transactions SET topic_key = 99 WHERE transaction_id = 'foreign-plain-3'",
        &[],
        &["foreign keys of silver.transactions"],
    );
    world.damage(
        "ALTER TABLE gold.agg_hourly_sales ADD CONSTRAINT of_store FOREIGN KEY (store_key) \
             REFERENCES gold.dim_store NOT VALID",
        &[],
        &["foreign key of_store of gold.agg_hourly_sales"],
    );
    world.damage(
        "ALTER TABLE silver.transactions ADD CONSTRAINT of_payment FOREIGN KEY (payment_method) \
             REFERENCES silver.products NOT VALID",
        &[],
        &["foreign key of_payment of silver.transactions", "foreign keys of silver.transactions"],
    );
    world.damage(
        "DELETE FROM streamflow.topics",
        &["--skip-recomputation"],
        &["foreign keys of silver.transactions"],
    );
}

fn damaged_recomputation(world: &World) {
    let deleted = "DELETE FROM gold.agg_daily_fraud";
    world.damage(deleted, &[], &["gold.agg_daily_fraud"]);
    world.damage(deleted, &["--sample", "1000"], &["gold.agg_daily_fraud"]);
    world.damage(
        "DELETE FROM bronze.raw_fraud_alerts WHERE number = 2",
        &[],
        &["gold.fraud_alert_history", "published alerts"],
    );
    world.damage(
        "UPDATE bronze.raw_fraud_alerts SET payload = (payload::text || ' ')::json WHERE number = 1",
        &[],
        &["published alerts"],
    );
    world.damage(
        "UPDATE bronze.dead_letters SET message = 'something else' WHERE id = 3",
        &[],
        &["published dead_letters"],
    );
    world.damage(
        "DELETE FROM bronze.raw_transactions WHERE payload LIKE '%foreign-voided%'",
        &[],
        &["books of transactions", "bronze.raw_transactions", "events of transactions"],
    );
    world.damage(
        "UPDATE bronze.raw_transactions SET source_offset = source_offset + 1000000 WHERE payload LIKE '%burst-7%'",
        &["--skip-recomputation"],
        &["events of transactions"],
    );
}

fn damaged_progress(world: &World) {
    let books = "UPDATE streamflow.progress SET books = \
             jsonb_set(books, '{TRANSACTIONS,read}', ((books -> 'TRANSACTIONS' ->> 'read')::int + 1)::text::jsonb)";
    world.damage(books, &[], &["books of transactions", "streamflow.books"]);
    let moved = "UPDATE streamflow.progress SET books = jsonb_set(jsonb_set(books, '{TRANSACTIONS,new}', \
             ((books -> 'TRANSACTIONS' ->> 'new')::int - 1)::text::jsonb), '{TRANSACTIONS,too_late}', '2')";
    world.damage(moved, &["--skip-recomputation"], &["books of transactions"]);
    let ahead = "UPDATE streamflow.progress SET offsets = jsonb_set(offsets, '{TRANSACTIONS,0}', '1000000')";
    world.damage(ahead, &["--skip-recomputation"], &["offsets of transactions"]);
    let vanished = "UPDATE streamflow.progress SET offsets = jsonb_set(offsets, '{TRANSACTIONS,7}', '0')";
    let failing = ["offsets of transactions", "topic transactions"];
    world.damage(vanished, &["--skip-recomputation"], &failing);
    let older = "UPDATE streamflow.progress SET dead_letters = dead_letters - 1";
    world.damage(older, &["--skip-recomputation"], &["published dead_letters"]);
    let unpublished = "INSERT INTO bronze.raw_fraud_alerts SELECT number + 2, alert_id, 9, change, cause, transaction_id, \
             customer_id, fraud_score, detected_at, payload FROM bronze.raw_fraud_alerts WHERE number = 1; \
         UPDATE streamflow.progress SET alert_changes = alert_changes + 1";
    let checks = world.damage(unpublished, &["--skip-recomputation"], &[]);
    assert_eq!(world.names(&checks, "warn"), ["published alerts"]);
    assert!(world.found(&checks, "published alerts").contains("1 behind"));
    let edited = "UPDATE streamflow.schema_migrations SET checksum = '\\x00' WHERE number = 3";
    world.damage(edited, &["--skip-recomputation"], &["schema"]);
    let older = "DELETE FROM streamflow.schema_migrations WHERE number > 10";
    let checks = world.damage(older, &[], &["schema"]);
    assert!(!checks.iter().any(|check| check["check"] == "freshness"), "{checks:#?}");
    let (checks, code) = world.checks(&["--skip-recomputation", "--fail-behind", "0.01"]);
    assert_eq!((world.names(&checks, "fail"), code), (vec!["freshness".to_owned()], 1));
}

/// What cannot be checked is no failed check, unless it is the connection.
fn out_of_reach(world: &World) {
    for (option, failing) in [("postgres.port=1", "postgresql"), ("kafka.brokers=['127.0.0.1:1']", "kafka")] {
        let (checks, code) = world.checks(&[&STALE[..], &["--skip-recomputation", "--set", option]].concat());
        assert_eq!((world.names(&checks, "fail"), code), (vec![failing.to_owned()], 1), "{checks:#?}");
    }
    world.parts.connect().batch_execute("CREATE ROLE stranger LOGIN IN ROLE streamflow_reader").unwrap();
    let (checks, code) = world.checks(&["--set", "postgres.user=stranger"]);
    assert_eq!((world.names(&checks, "error"), code), (vec!["database".to_owned()], 2), "{checks:#?}");
    for options in
        [&["--set", "workers=0"][..], &["--sample", "0"], &["--sample", "5", "--skip-recomputation"]]
    {
        let output = world.verify(options);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{options:?}");
        assert!(!output.stderr.is_empty(), "{options:?}");
    }
}

/// Last, because it cannot be undone.
fn damaged_kafka(world: &World) {
    let kafka = &world.parts.kafka;
    let alerts = world.parts.topic("alerts");
    kafka.write(&alerts, None, "foreign-burst\t{\"transaction_id\": \"t\", \"sequence\": 1}\n").unwrap();
    world.damage("SELECT", &[], &["published alerts"]);
    let delete = |topic: &str| kafka.delete_topic(&world.parts.topic(topic)).unwrap();
    delete("stores");
    world.damage("SELECT", &["--skip-recomputation"], &["published alerts", "topic stores"]);
    delete("alerts");
    let checks = world.damage("SELECT", &["--skip-recomputation"], &["topic alerts", "topic stores"]);
    assert_eq!(world.names(&checks, "warn"), ["published alerts"]);
    let topic = world.parts.topic("transactions");
    kafka.delete_records(&topic, 0, 20).unwrap();
    let late = "UPDATE streamflow.progress SET offsets = jsonb_set(offsets, '{TRANSACTIONS,0}', '3')";
    let failing = [
        "books of transactions",
        "events of transactions",
        "offsets of transactions",
        "topic alerts",
        "topic stores",
    ];
    world.damage(late, &["--skip-recomputation"], &failing);
    world.damage("SELECT", &["--skip-recomputation"], &["topic alerts", "topic stores"]);
}
