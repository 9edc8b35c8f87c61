use super::consumer::{Consumed, read_committed, table_windows, told_windows};
use crate::config::Config;
use crate::publisher::{Published, create_topics};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postgres::Client;
use serde_json::json;
use std::collections::BTreeMap;
use streamflow_connectors::kafka::KafkaSettings;
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect, migrate};
use streamflow_medallion::outbox::Committed;
use streamflow_medallion::{Progress, migrations};
use streamflow_test_support::KafkaServer;

/// 2026-02-01T05:00Z, ms since 1970.
const START: i64 = 1_769_922_000_000;
const ALERTS: i64 = 40;
const MINUTES: i64 = 3;

pub struct World {
    pub kafka: KafkaServer,
    pub postgres: PrivatePostgres,
    pub config: Config,
    pub filler: Filler,
}

/// Commits rows to be published.
pub struct Filler {
    client: Client,
    frontier: i64,
    alerts: i64,
    letters: i64,
}

impl World {
    /// Starts both servers and creates schema and topics.
    pub fn start(name: &str) -> Self {
        let kafka = KafkaServer::start().unwrap();
        let options = PrivateOptions { durable: true, ..PrivateOptions::default() };
        let postgres = PrivatePostgres::start(&options).unwrap();
        // Another Kafka may be used by several test runs.
        let unique = |topic: &str| format!("{name}.{}.{topic}", std::process::id());
        let mut config = Config::load(None, &[]).unwrap();
        config.kafka = KafkaSettings::plaintext(kafka.brokers());
        config.postgres = postgres.settings();
        config.topics.alerts = unique("alerts");
        config.topics.metrics = unique("metrics");
        config.topics.dead_letters = unique("dlq");
        config.topics.progress = unique("progress");
        config.publisher.transactional_id = unique("publisher");
        config.publisher.batch_records = 50;
        config.publisher.metrics_interval_ms = 1;
        config.publisher.poll_ms = 5;
        let mut client = connect(&config.postgres).unwrap();
        migrate(&mut client, migrations()).unwrap();
        let stores = "INSERT INTO gold.dim_store (store_key, store_id, inferred) VALUES \
             (1, 's-1', true), (2, 's-2', true), (3, 's-3', true)";
        client.batch_execute(stores).unwrap();
        create_topics(&config).unwrap();
        let filler = Filler { client, frontier: START, alerts: 0, letters: 0 };
        Self { kafka, postgres, config, filler }
    }

    pub fn connect(&self) -> Client {
        connect(&self.config.postgres).unwrap()
    }

    fn consume(&self, topic: &str) -> Vec<Consumed> {
        read_committed(self.kafka.brokers(), topic)
    }

    /// Checks that the topics hold what the tables hold: each change once, those of an alert in order, the
    /// last row of each window.
    pub fn check(&mut self) {
        self.check_alerts();
        self.check_dead_letters();
        self.check_windows();
    }

    fn check_alerts(&mut self) {
        let records = self.consume(&self.config.topics.alerts);
        let mut partitions: BTreeMap<i64, i32> = BTreeMap::new();
        let mut sequences: BTreeMap<i64, i64> = BTreeMap::new();
        for record in &records {
            let change = record.json();
            let alert = change["alert"].as_i64().unwrap();
            assert_eq!(*partitions.entry(alert).or_insert(record.partition), record.partition);
            assert_eq!(String::from_utf8(record.key.clone()).unwrap(), format!("c-{}", alert % 10));
            let sequence = sequences.entry(alert).or_default();
            *sequence += 1;
            assert_eq!(change["sequence"], *sequence, "alert {alert}");
        }
        let sql = "SELECT payload::text FROM bronze.raw_fraud_alerts";
        let mut expected = self.filler.texts(sql);
        let mut found: Vec<String> =
            records.into_iter().map(|record| String::from_utf8(record.value.unwrap()).unwrap()).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    fn check_dead_letters(&self) {
        let records = self.consume(&self.config.topics.dead_letters);
        assert_eq!(records.len() as i64, self.filler.letters);
        for (number, record) in (1..).zip(&records) {
            assert_eq!(record.key, format!("t-0-{number}").as_bytes());
            assert_eq!(record.value, payload(number));
            let of = |name: &str| record.headers.iter().find(|(header, _)| header == name).unwrap().1.clone();
            assert_eq!(of("dlq.number"), number.to_string().as_bytes());
            assert_eq!(of("dlq.key"), b"k");
        }
    }

    fn check_windows(&mut self) {
        let records = self.consume(&self.config.topics.metrics);
        let expected = table_windows(&mut self.filler.client);
        assert!(!expected.is_empty());
        assert_eq!(told_windows(&records), expected);
    }
}

/// Takes the lease from its holder, as a starting process does.
pub fn take_lease(config: &Config) -> i64 {
    let mut client = connect(&config.postgres).unwrap();
    Progress::take_lease(&mut client, config.time_zone).unwrap().generation
}

/// What is committed now, for a holder of the lease.
pub fn committed(config: &Config, generation: i64) -> Committed {
    let progress = Progress::read(&mut connect(&config.postgres).unwrap()).unwrap();
    Committed { generation, ..(&progress).into() }
}

/// The value of a dead letter: text, arbitrary bytes, empty, or none.
fn payload(number: i64) -> Option<Vec<u8>> {
    match number % 4 {
        0 => Some(format!("{{\"number\": {number}").into_bytes()),
        1 => Some(vec![0, 255, (number % 256) as u8]),
        2 => Some(Vec::new()),
        _ => None,
    }
}

impl Filler {
    /// Commits a frontier with `alerts` alert changes, `letters` dead letters and some windows.
    pub fn fill(&mut self, alerts: i64, letters: i64) {
        self.frontier += 7;
        let mut transaction = self.client.transaction().unwrap();
        for number in self.alerts + 1..=self.alerts + alerts {
            // Changes of an alert come in the order of their numbers.
            let (alert, sequence) = (number % ALERTS, (number - 1) / ALERTS + 1);
            let payload = json!({"alert": alert, "sequence": sequence, "number": number}).to_string();
            let sql = "INSERT INTO bronze.raw_fraud_alerts VALUES \
                 ($1, 'a-' || $2::int8, $3, 'revised', 'transaction', 't', 'c-' || $2 % 10, 0.7, now(), $4::text::json)";
            transaction.execute(sql, &[&number, &alert, &sequence, &payload]).unwrap();
        }
        for number in self.letters + 1..=self.letters + letters {
            let payload = payload(number);
            let is_base64 = payload.as_ref().is_some_and(|bytes| std::str::from_utf8(bytes).is_err());
            let text = payload.map(|bytes| {
                if is_base64 { STANDARD.encode(bytes) } else { String::from_utf8(bytes).unwrap() }
            });
            let sql = "INSERT INTO bronze.dead_letters VALUES \
                 ($1, 't', 0, $1, 'malformed_json', 'm', 'k', false, $2, $3, false, 3, now())";
            transaction.execute(sql, &[&number, &text, &is_base64]).unwrap();
        }
        (self.alerts, self.letters) = (self.alerts + alerts, self.letters + letters);
        let minute = START / 60_000 + self.frontier % MINUTES;
        let windows = "INSERT INTO gold.realtime_metrics (window_start, store_key, currency, transaction_count, \
                 total_amount, alert_count, distinct_customers, changed_frontier) \
             SELECT to_timestamp($1::int8 * 60), store_key, currency, $2::int8, $2 * 1.01, 0, \
                 CASE WHEN store_key IS NULL THEN 1 END, $2 \
             FROM unnest('{NULL, 1, 2, 3}'::int4[]) AS stores (store_key), \
                 unnest('{BRL, USD}'::text[]) AS currencies (currency) \
             ON CONFLICT (window_start, store_key, currency) DO UPDATE SET total_amount = excluded.total_amount, \
                 transaction_count = excluded.transaction_count, changed_frontier = excluded.changed_frontier";
        transaction.execute(windows, &[&minute, &self.frontier]).unwrap();
        // One store's window is emptied now and then, and filled again later.
        let emptied = "DELETE FROM gold.realtime_metrics WHERE store_key = 3 AND $1::int8 % 2 = 0";
        transaction.execute(emptied, &[&self.frontier]).unwrap();
        let progress = "UPDATE streamflow.progress SET frontier = $1, alert_changes = $2, dead_letters = $3, \
             watermark = to_timestamp($1::int8 / 1000.0)";
        transaction.execute(progress, &[&self.frontier, &self.alerts, &self.letters]).unwrap();
        transaction.commit().unwrap();
    }

    /// Reconnects after the server was restarted.
    pub fn reconnect(&mut self, config: &Config) {
        self.client = connect(&config.postgres).unwrap();
    }

    pub fn is_published(&self, published: &Published) -> bool {
        let Published { alert_number, dead_letter_number, metrics_frontier, .. } = published;
        (*alert_number, *dead_letter_number, *metrics_frontier) == (self.alerts, self.letters, self.frontier)
    }

    fn texts(&mut self, sql: &str) -> Vec<String> {
        self.client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    }
}
