//! What the benches run on: a real Kafka, a real PostgreSQL with the schema, and the commands.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres};
use streamflow_harness::usage::Usage;
use streamflow_test_support::KafkaServer;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_streamflow");
const PARTITIONS: i32 = 3;

/// The topic of transactions.
pub const TRANSACTIONS: &str = "transactions.raw";
const REFERENCE: [&str; 4] =
    ["reference.customers", "reference.stores", "reference.products", "fraud.blacklist"];

/// Events committed, and how far the frontier is behind the clock, ms.
pub const COMMITTED: &str = "SELECT coalesce(sum(account.value::bigint), 0)::bigint, \
     (extract(epoch FROM clock_timestamp()) * 1000 - max(frontier))::bigint \
     FROM streamflow.progress, jsonb_each_text(books -> 'transactions.raw') AS account WHERE account.key = 'read'";

/// Kafka, PostgreSQL and the configuration that names them.
pub struct World {
    pub postgres: PrivatePostgres,
    pub kafka: KafkaServer,
    directory: TempDir,
}

impl World {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kafka = KafkaServer::start().unwrap();
        let broker_clock = ("message.timestamp.type", "LogAppendTime");
        kafka.create_topic(TRANSACTIONS, PARTITIONS, &[broker_clock]).unwrap();
        for topic in REFERENCE {
            kafka.create_topic(topic, 1, &[broker_clock, ("cleanup.policy", "compact")]).unwrap();
        }
        let postgres =
            PrivatePostgres::start(&PrivateOptions { durable: true, ..PrivateOptions::default() }).unwrap();
        let text = configuration(&kafka, &postgres);
        let world = Self { postgres, kafka, directory };
        std::fs::write(world.config(), text).unwrap();
        assert!(world.command("migrate", &[]).wait());
        world
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("streamflow.yaml")
    }

    /// Where a command's messages go.
    pub fn log(&self, command: &str) -> PathBuf {
        self.directory.path().join(format!("{command}.log"))
    }

    /// A command that reads the configuration.
    pub fn command(&self, name: &str, options: &[&str]) -> Process {
        self.command_with(name, options, ("RUST_LOG", "info"))
    }

    /// As [`World::command`], with a variable in its environment.
    pub fn command_with(&self, name: &str, options: &[&str], variable: (&str, &str)) -> Process {
        let config = self.config();
        let arguments = [name, "--config", config.to_str().unwrap()];
        Process::start(&[&arguments, options].concat(), &self.log(name), variable)
    }
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

/// What a worker answers on its port for metrics.
pub fn ask(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    answer
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A command that ends with the bench.
pub struct Process(Child);

impl Process {
    fn start(arguments: &[&str], log: &Path, variable: (&str, &str)) -> Self {
        let log = File::create(log).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", BINARY]).args(arguments).envs([variable]);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Waits for its end; whether that was a good one.
    pub fn wait(&mut self) -> bool {
        self.0.wait().unwrap().success()
    }

    /// How long it has had a processor, user and system.
    pub fn processor_time(&self) -> Duration {
        self.usage().processor
    }

    /// The most memory that it has had resident, MiB.
    pub fn peak_memory(&self) -> u64 {
        self.usage().peak_memory / (1 << 20)
    }

    fn usage(&self) -> Usage {
        Usage::of(self.0.id()).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
