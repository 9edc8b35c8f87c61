//! A running pipeline, and a producer that sends anything.

use super::case::{Case, Expectation};
use crate::command::Running;
use crate::consumer::Consumed;
use crate::parts::Parts;
use postgres::Client;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);
const MESSAGE_LIMIT: &str = "12582912";

/// Kafka, PostgreSQL and `streamflow run`.
pub struct World {
    /// The servers.
    pub parts: Parts,
    /// The database, as its owner.
    pub client: Client,
    /// The process.
    pub run: Running,
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl World {
    /// Topics that take 12 MB records, of one partition each, so that a record's offset is its place among
    /// those sent.
    pub fn start() -> Self {
        // First events with a revision wait until idle topics have passed them.
        let more = json!({"workers": 2, "pipeline": {"idle_allowance_seconds": 5}});
        let parts = Parts::start("hostile", 1, &more);
        let producer = ClientConfig::new()
            .set("bootstrap.servers", parts.kafka.brokers())
            .set("message.max.bytes", MESSAGE_LIMIT)
            // In order, each once.
            .set("enable.idempotence", "true")
            .create()
            .unwrap();
        let (client, run) = (parts.connect(), parts.run());
        let world = Self { parts, client, run, producer };
        for topic in ["customers", "stores", "products", "blacklist", "transactions"] {
            world.compress(topic, "producer");
        }
        world
    }

    /// Has the broker pack what comes to a topic in this way.
    pub fn compress(&self, topic: &str, compression: &str) {
        let configs = [
            ("message.timestamp.type", "LogAppendTime"),
            ("max.message.bytes", MESSAGE_LIMIT),
            ("cleanup.policy", if topic == "transactions" { "delete" } else { "compact" }),
            ("compression.type", compression),
        ];
        self.parts.kafka.configure_topic(&self.parts.topic(topic), &configs).unwrap();
    }

    /// Sends the records of all cases in their order.
    pub fn send(&self, topic: &str, cases: &[Case]) {
        let topic = self.parts.topic(topic);
        for Case { name, key, value, headers, .. } in cases {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&topic).partition(0);
            (record.key, record.payload) = (key.as_deref(), value.as_deref());
            let none = OwnedHeaders::new_with_capacity(headers.len());
            record.headers = (!headers.is_empty()).then(|| {
                headers
                    .iter()
                    .fold(none, |all, (key, value)| all.insert(Header { key, value: value.as_ref() }))
            });
            self.producer.send(record).unwrap_or_else(|(error, _)| panic!("{name}: {error}"));
        }
        self.producer.flush(Duration::from_secs(60)).unwrap();
    }

    /// Waits until so many events are in the books.
    pub fn wait_for_events(&mut self, events: i64) {
        let read = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE account = 'read'";
        self.wait_until("all is read", |world| world.count(read) >= events);
        assert_eq!(self.count(read), events);
    }

    /// Waits until no event waits for an answer.
    pub fn wait_for_decisions(&mut self) {
        self.wait_until("all is decided", |world| {
            world.count("SELECT count(*) FROM streamflow.pending_events") == 0
        });
    }

    fn wait_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            self.run.keep_waiting(begun, PATIENCE, what);
        }
    }

    /// A number.
    pub fn count(&mut self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).unwrap().get(0)
    }

    /// The committed records of a topic, once there are so many.
    pub fn published(&mut self, topic: &str, records: usize) -> Vec<Consumed> {
        let mut found = Vec::new();
        self.wait_until("all is published", |world| {
            found = world.parts.consume(topic);
            found.len() >= records
        });
        found
    }

    /// A row of a table.
    pub fn row_of(&mut self, table: &str, id_column: &str, id: &str) -> Value {
        let sql = format!("SELECT to_jsonb(t)::text FROM {table} AS t WHERE {id_column} = $1");
        let rows = self.client.query(&sql, &[&id]).unwrap();
        assert_eq!(rows.len(), 1, "{table} {id}");
        serde_json::from_str(rows[0].get(0)).unwrap()
    }

    /// Which cases did not end as they should: for a failing test's message.
    pub fn differing(&mut self, topic: &str, cases: &[Case]) -> String {
        let sql = "SELECT source_offset, reason, message FROM bronze.dead_letters WHERE source_topic = $1";
        let rows = self.client.query(sql, &[&self.parts.topic(topic)]).unwrap();
        let mut wrong = Vec::new();
        for (offset, case) in cases.iter().enumerate() {
            let row = rows.iter().find(|row| row.get::<_, i64>(0) == offset as i64);
            let reason: Option<&str> = row.map(|row| row.get(1));
            let expected = match &case.expected {
                Expectation::Refused { reason, .. } => Some(*reason),
                Expectation::Kept(_) => None,
            };
            if reason != expected {
                let message: Option<&str> = row.map(|row| row.get(2));
                wrong.push(format!("{}: {reason:?} {message:?}, not {expected:?}", case.name));
            }
        }
        wrong.join("\n")
    }

    /// Copies a table out and in again, in a format of COPY, and compares.
    pub fn copy_and_compare(&mut self, table: &str, format: &str) {
        let mut copy = Vec::new();
        let out = format!("COPY (SELECT * FROM {table}) TO STDOUT (FORMAT {format})");
        self.client.copy_out(&out).unwrap().read_to_end(&mut copy).unwrap();
        let input = format.split(',').next().unwrap();
        self.client.batch_execute(&format!("CREATE TEMP TABLE copied (LIKE {table})")).unwrap();
        let mut writer = self.client.copy_in(&format!("COPY copied FROM STDIN (FORMAT {input})")).unwrap();
        writer.write_all(&copy).unwrap();
        let rows = writer.finish().unwrap() as i64;
        assert!(rows > 0, "{table}");
        let sql = format!("SELECT count(*) FROM (TABLE {table} INTERSECT ALL TABLE copied) AS same");
        assert_eq!(self.count(&sql), rows, "{table} as {format}");
        self.client.batch_execute("DROP TABLE copied").unwrap();
    }

    /// What psql shows.
    pub fn psql(&self, option: &str, sql: &str) -> String {
        let command = format!("{} -X {option} -c \"$0\"", self.parts.postgres.psql_command());
        let output = Command::new("sh").args(["-c", &command, sql]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}
