//! The servers: those that are given, else a Kafka and a PostgreSQL of its own.

use super::deployment::Deployment;
use super::plan::Plan;
use crate::config::{self, Config};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;
use streamflow_connectors::kafka::{MockBroker, TopicAdmin, TopicSettings};
use streamflow_connectors::postgres::{PostgresSettings, PrivateOptions, PrivatePostgres, connect};
use streamflow_harness::kafka::{self, Broker};

const PARTITIONS: u16 = 3;

/// Where a server's databases are administered from.
const MAINTENANCE_DATABASE: &str = "postgres";

#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Address of a running Kafka, `host:port`.
    pub kafka: Option<String>,
    /// Host of a running PostgreSQL, or `host:port`.
    pub postgres: Option<String>,
    /// Configuration keys, as for `run`.
    pub overrides: Vec<String>,
}

pub struct Servers {
    broker: BrokerKind,
    database: DatabaseKind,
    /// To administer databases.
    admin: PostgresSettings,
    overrides: Vec<String>,
    /// Deployments so far: each has names of its own.
    deployments: Cell<u32>,
}

enum BrokerKind {
    Own { broker: Broker, version: String },
    Mock(MockBroker),
    Given(String),
}

enum DatabaseKind {
    /// It can be stopped and started.
    Own(RefCell<PrivatePostgres>),
    Given(String),
}

impl Servers {
    /// Starts those that are not given.
    ///
    /// # Errors
    /// One that does not start; a configuration key that is wrong.
    pub fn start(options: &ServerOptions) -> Result<Self> {
        let config = Config::load(None, &options.overrides)?;
        let broker = match &options.kafka {
            Some(address) => BrokerKind::Given(address.clone()),
            None => own_broker()?,
        };
        let (database, admin) = match &options.postgres {
            Some(text) => {
                let (host, port) = host_and_port(text, config.postgres.port)?;
                let is_set = options.overrides.iter().any(|set| set.starts_with("postgres.database="));
                let database =
                    if is_set { config.postgres.database.clone() } else { MAINTENANCE_DATABASE.to_owned() };
                let admin = PostgresSettings { hosts: vec![host], port, database, ..config.postgres };
                (DatabaseKind::Given(text.clone()), admin)
            }
            None => {
                let options = PrivateOptions { durable: true, ..PrivateOptions::default() };
                let postgres = PrivatePostgres::start(&options)?;
                let admin = postgres.settings();
                (DatabaseKind::Own(RefCell::new(postgres)), admin)
            }
        };
        Ok(Self { broker, database, admin, overrides: options.overrides.clone(), deployments: Cell::new(0) })
    }

    /// The broker's kind, for those who read the report.
    pub fn broker(&self) -> String {
        match &self.broker {
            BrokerKind::Own { version, .. } => format!("Apache Kafka {version}, own"),
            BrokerKind::Mock(_) => "embedded mock".to_owned(),
            BrokerKind::Given(address) => format!("Kafka at {address}"),
        }
    }

    /// Whether the broker is a test double: it keeps little and checks nothing.
    pub fn is_mock(&self) -> bool {
        matches!(self.broker, BrokerKind::Mock(_))
    }

    /// Where the database is, for those who read the report.
    pub fn database(&self) -> String {
        match &self.database {
            DatabaseKind::Own(_) => "own, durable".to_owned(),
            DatabaseKind::Given(host) => format!("at {host}"),
        }
    }

    /// Versions by name.
    ///
    /// # Errors
    /// PostgreSQL does not answer.
    pub fn versions(&self) -> Result<BTreeMap<String, String>> {
        let kafka = match &self.broker {
            BrokerKind::Own { version, .. } => version.clone(),
            BrokerKind::Mock(_) => "embedded mock".to_owned(),
            BrokerKind::Given(_) => "not known".to_owned(),
        };
        let postgres = self.setting("server_version")?;
        Ok([("kafka".to_owned(), kafka), ("postgresql".to_owned(), postgres)].into())
    }

    /// A setting of PostgreSQL.
    ///
    /// # Errors
    /// PostgreSQL does not answer.
    pub fn setting(&self, name: &str) -> Result<String> {
        Ok(connect(&self.admin)?.query_one("SELECT current_setting($1)", &[&name])?.try_get(0)?)
    }

    /// PostgreSQL is away for so long, as `wait` waits.
    ///
    /// # Errors
    /// It is not its own, or does not come back.
    pub fn interrupt_database(&self, wait: impl FnOnce() -> Result<()>) -> Result<()> {
        let DatabaseKind::Own(postgres) = &self.database else {
            anyhow::bail!("PostgreSQL is not ours to stop");
        };
        postgres.borrow_mut().stop()?;
        let waited = wait();
        postgres.borrow_mut().restart()?;
        waited
    }

    /// A database and topics, new and empty.
    ///
    /// # Errors
    /// Those of the servers.
    pub fn deploy(&self, plan: &Plan) -> Result<Deployment> {
        self.deployments.set(self.deployments.get() + 1);
        let name = format!("streamflow_bench_{}_{}", std::process::id(), self.deployments.get());
        let tree = self.configuration(&name, plan)?;
        let deployment = Deployment::create(&tree, &name, self.admin.clone(), !self.is_mock())?;
        self.create_topics(&deployment.config)?;
        Ok(deployment)
    }

    fn configuration(&self, name: &str, plan: &Plan) -> Result<Value> {
        let brokers = match &self.broker {
            BrokerKind::Own { broker, .. } => broker.address(),
            BrokerKind::Mock(broker) => broker.address(),
            BrokerKind::Given(address) => address.clone(),
        };
        // The embedded broker knows neither; they matter where records are kept.
        let is_real = !self.is_mock();
        let PostgresSettings { hosts, port, user, .. } = &self.admin;
        let topic = |of: &str| format!("{name}.{of}");
        let mut tree = json!({
            "workers": plan.workers,
            "kafka": {"brokers": [brokers], "producer": {"idempotent": is_real}},
            "postgres": {"hosts": hosts, "port": port, "user": user},
            "pipeline": {"require_log_append_time": is_real},
            "publisher": {"transactional_id": name},
            "topics": {
                "transactions": [topic("transactions")], "customers": topic("customers"), "stores": topic("stores"),
                "products": topic("products"), "blacklist": topic("blacklist"), "rules": topic("rules"), "alerts": topic("alerts"),
                "metrics": topic("metrics"), "dead_letters": topic("dead_letters"), "progress": topic("progress"),
                "clock": topic("clock"),
            },
        });
        let overrides = self.overrides.iter().filter(|set| !set.starts_with("postgres.database="));
        config::assign(&mut tree, &overrides.cloned().collect::<Vec<_>>())?;
        config::assign(&mut tree, &[format!("postgres.database={name}")])?;
        Ok(tree)
    }

    fn create_topics(&self, config: &Config) -> Result<()> {
        let partitions =
            |topic: &String| if config.topics.transactions.contains(topic) { PARTITIONS } else { 1 };
        let roles = config.topics.roles();
        if let BrokerKind::Mock(broker) = &self.broker {
            for (topic, _) in &roles {
                broker.create_topic(topic, partitions(topic))?;
            }
            for topic in config.topics.outputs() {
                broker.create_topic(&topic.name, topic.partitions)?;
            }
            return Ok(());
        }
        let clock = ("message.timestamp.type".to_owned(), "LogAppendTime".to_owned());
        let compacted = ("cleanup.policy".to_owned(), "compact".to_owned());
        let topics = roles.iter().map(|(topic, _)| {
            let mut configs = BTreeMap::from([clock.clone()]);
            if !config.topics.transactions.contains(topic) {
                configs.extend([compacted.clone()]);
            }
            TopicSettings { name: topic.clone(), partitions: partitions(topic), replication: -1, configs }
        });
        TopicAdmin::connect(&config.kafka)?.create_missing(&topics.collect::<Vec<_>>())?;
        Ok(())
    }
}

fn own_broker() -> Result<BrokerKind> {
    let Some(jars) = kafka::find() else {
        eprintln!(
            "Apache Kafka's jars are not here (`make jars`, or STREAMFLOW_KAFKA_JARS): the broker is the embedded mock, \
             whose figures are no evidence"
        );
        return Ok(BrokerKind::Mock(MockBroker::start()?));
    };
    let version = kafka::version(&jars).unwrap_or_default();
    Ok(BrokerKind::Own { broker: Broker::start(&jars)?, version })
}

/// `host` or `host:port`; the directory of a socket is a host.
fn host_and_port(text: &str, default: u16) -> Result<(String, u16)> {
    match text.rsplit_once(':') {
        Some((host, port)) => {
            let port =
                port.parse().with_context(|| format!("--postgres {text}: must be host or host:port"))?;
            Ok((host.to_owned(), port))
        }
        None => Ok((text.to_owned(), default)),
    }
}

/// How long a server may take to answer what a trial waits for.
pub const PATIENCE: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_port() {
        assert_eq!(host_and_port("db", 5432).unwrap(), ("db".to_owned(), 5432));
        assert_eq!(host_and_port("db:6543", 5432).unwrap(), ("db".to_owned(), 6543));
        assert_eq!(host_and_port("/tmp/pg", 5432).unwrap(), ("/tmp/pg".to_owned(), 5432));
        let message = host_and_port("db:x", 5432).unwrap_err().to_string();
        assert_eq!(message, "--postgres db:x: must be host or host:port");
    }
}
