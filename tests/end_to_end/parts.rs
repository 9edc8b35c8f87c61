//! A real Kafka with the topics that are read, a real PostgreSQL with the schema, and the configuration that
//! names them.

use crate::command::{self, Running};
use crate::consumer::{Consumed, read_committed};
use postgres::Client;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::{KafkaSettings, Producer, TopicAdmin};
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect};
use streamflow_test_support::{KafkaServer, Port};
use tempfile::TempDir;

const SENT_WITHIN: Duration = Duration::from_secs(120);

/// What a pipeline runs on.
pub struct Parts {
    /// The broker.
    pub kafka: KafkaServer,
    /// The database.
    pub postgres: PrivatePostgres,
    directory: TempDir,
    prefix: String,
    /// Commands started so far: each has a log of its own.
    commands: AtomicUsize,
    /// Reserved for processes: nobody else takes them while these are not listening yet, or any more.
    ports: Mutex<Vec<Port>>,
}

impl Parts {
    /// Starts them. `more` is added to the configuration.
    pub fn start(name: &str, partitions: i32, more: &Value) -> Self {
        Self::start_on(KafkaServer::start().unwrap(), name, partitions, more)
    }

    /// As [`Parts::start`], on a broker that runs.
    pub fn start_on(kafka: KafkaServer, name: &str, partitions: i32, more: &Value) -> Self {
        let postgres =
            PrivatePostgres::start(&PrivateOptions { durable: true, ..PrivateOptions::default() }).unwrap();
        Self::start_with(kafka, postgres, name, partitions, more)
    }

    /// As [`Parts::start`], on servers that run.
    pub fn start_with(
        kafka: KafkaServer,
        postgres: PrivatePostgres,
        name: &str,
        partitions: i32,
        more: &Value,
    ) -> Self {
        // Another Kafka may be used by several test runs.
        let prefix = format!("{name}.{}", std::process::id());
        let parts = Self {
            kafka,
            postgres,
            directory: tempfile::tempdir().unwrap(),
            prefix,
            commands: AtomicUsize::new(0),
            ports: Mutex::default(),
        };
        let broker_clock = ("message.timestamp.type", "LogAppendTime");
        let compacted = [broker_clock, ("cleanup.policy", "compact")];
        for topic in ["customers", "stores", "products", "blacklist"] {
            parts.kafka.create_topic(&parts.topic(topic), 1, &compacted).unwrap();
        }
        parts.kafka.create_topic(&parts.topic("transactions"), partitions, &[broker_clock]).unwrap();
        std::fs::write(parts.config(), parts.configuration(more).to_string()).unwrap();
        command::succeed(&["migrate", "--config", parts.config().to_str().unwrap()]);
        parts
    }

    /// The name of a topic.
    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("streamflow.yaml")
    }

    /// A connection of its owner.
    pub fn connect(&self) -> Client {
        connect(&self.postgres.settings()).unwrap()
    }

    /// The pipeline.
    pub fn run(&self) -> Running {
        self.command("run", &[])
    }

    /// So many processes as one pipeline, by a list of addresses.
    pub fn run_several(&self, processes: usize, options: &[&str]) -> Vec<Running> {
        let ports: Vec<Port> = (0..processes).map(|_| Port::reserve().unwrap()).collect();
        let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{}", port.number)).collect();
        let hosts = hosts.join(",");
        self.ports.lock().unwrap().extend(ports);
        let run = |process: usize| {
            let process = process.to_string();
            self.command("run", &[options, &["--hosts", &hosts, "--process", &process]].concat())
        };
        (0..processes).map(run).collect()
    }

    /// A command that reads the configuration.
    pub fn command(&self, name: &str, options: &[&str]) -> Running {
        self.command_with(name, options, None)
    }

    /// As [`Parts::command`], with a further variable in its environment.
    pub fn command_with(&self, name: &str, options: &[&str], variable: Option<(&str, String)>) -> Running {
        let config = self.config();
        let mut arguments = vec![name, "--config", config.to_str().unwrap()];
        arguments.extend(options);
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        Running::start_with(&arguments, &self.path(&format!("{name}.{number}.log")), variable)
    }

    /// A file among those of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where a partition ends.
    pub fn end(&self, topic: &str, partition: u16) -> u64 {
        let topics = TopicAdmin::connect(&KafkaSettings::plaintext(self.kafka.brokers())).unwrap();
        topics.offsets(topic, partition).unwrap().latest
    }

    /// What is committed in a topic.
    pub fn consume(&self, topic: &str) -> Vec<Consumed> {
        read_committed(self.kafka.brokers(), &self.topic(topic))
    }

    /// Waits until every record of the transactions is committed; nobody sends any more.
    pub fn wait_for_all(&self, run: &mut Running, patience: Duration) {
        self.wait_for(run, self.consume("transactions").len() as u64, patience);
    }

    /// Waits until so many records of the transactions are committed.
    pub fn wait_for(&self, run: &mut Running, records: u64, patience: Duration) {
        let sql = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books \
             WHERE account = 'read' AND topic = $1";
        let (mut client, topic, begun) = (self.connect(), self.topic("transactions"), Instant::now());
        while client.query_one(sql, &[&topic]).unwrap().get::<_, i64>(0) < records as i64 {
            run.keep_waiting(begun, patience, "all is committed");
        }
    }

    /// Has `fill` send records to a topic that keep the times they are given, as if the broker had appended them
    /// then. `more` is what the topic is configured with beside its clock.
    pub fn fill_with_the_past(&self, topic: &str, more: &[(&str, &str)], fill: impl FnOnce(&Producer)) {
        let configure = |clock| {
            let configs = [&[("message.timestamp.type", clock)], more].concat();
            self.kafka.configure_topic(topic, &configs).unwrap();
        };
        configure("CreateTime");
        let producer = Producer::open(&KafkaSettings::plaintext(self.kafka.brokers())).unwrap();
        fill(&producer);
        producer.flush(SENT_WITHIN).unwrap();
        configure("LogAppendTime");
    }

    fn configuration(&self, more: &Value) -> Value {
        let settings = self.postgres.settings();
        let names = [
            "customers",
            "stores",
            "products",
            "blacklist",
            "rules",
            "alerts",
            "metrics",
            "dead_letters",
            "progress",
        ];
        let names = names.map(|name| (name.to_owned(), json!(self.topic(name))));
        let mut topics: serde_json::Map<String, Value> = names.into_iter().collect();
        topics.insert("transactions".to_owned(), json!([self.topic("transactions")]));
        // JSON is YAML.
        let mut configuration = json!({
            "kafka": {"brokers": [self.kafka.brokers()]},
            "postgres": {"hosts": settings.hosts, "port": settings.port, "database": settings.database,
                         "user": settings.user},
            "topics": topics,
            "publisher": {"transactional_id": self.topic("publisher")},
            // A free port: several pipelines run at once.
            "metrics": {"listen": "127.0.0.1:0"},
        });
        configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        configuration
    }
}
