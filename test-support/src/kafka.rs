//! One Apache Kafka: a KRaft broker and controller in one JVM, on ports of its own, in a directory of its
//! own.
//!
//! `STREAMFLOW_TEST_KAFKA=host:port` names a running one to use instead; it cannot be stopped from here. One
//! with [`Security`] is always started: it has a listener for clients with a password over TLS beside the
//! plaintext one.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::port::Port;
use crate::process::Process;
use crate::tls::{Authority, Identity};
use crate::{directory, jars};

const LOOPBACK: &str = "127.0.0.1";
const READY_WITHIN: Duration = Duration::from_secs(60);
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
const SCRAM_MODULE: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
/// Fixed, so that a restarted server finds its storage: each server has a directory of its own anyway.
const CLUSTER_ID: &str = "c3RyZWFtZmxvdy10ZXN0cw";

/// A Kafka for tests; ends when dropped, and with the test process however that ends.
#[derive(Debug)]
pub struct KafkaServer {
    brokers: String,
    own: Option<OwnServer>,
}

#[derive(Debug)]
struct OwnServer {
    // Declared before the directory: the broker ends before its files go.
    process: Option<Process>,
    directory: TempDir,
    ports: Ports,
}

#[derive(Debug)]
struct Ports {
    broker: Port,
    controller: Port,
    secure: Option<Port>,
}

/// Who may connect over TLS, and as whom the broker shows itself.
#[derive(Debug)]
pub struct Security {
    /// The broker's certificate.
    pub identity: Identity,
    /// The name under which the broker is advertised to clients.
    pub host: String,
    /// A user that can prove its password by SCRAM.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Security {
    /// A broker at `localhost`, with a certificate of `authority`.
    pub fn at_localhost(authority: &Authority, user: &str, password: &str) -> Result<Self> {
        Ok(Self {
            identity: authority.issue("localhost")?,
            host: "localhost".to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }
}

impl KafkaServer {
    /// Starts one and waits until it answers (about three seconds), or takes the one `STREAMFLOW_TEST_KAFKA`
    /// names.
    pub fn start() -> Result<Self> {
        if let Ok(brokers) = std::env::var("STREAMFLOW_TEST_KAFKA") {
            return Ok(Self { brokers, own: None });
        }
        Self::start_own(LOOPBACK, None)
    }

    /// Starts one that listens at another address of this machine, for clients that cannot reach the loopback
    /// address.
    pub fn start_at(address: &str) -> Result<Self> {
        Self::start_own(address, None)
    }

    /// Starts one with a second listener, for clients with a password over TLS.
    pub fn start_secure(security: &Security) -> Result<Self> {
        Self::start_own(LOOPBACK, Some(security))
    }

    fn start_own(address: &str, security: Option<&Security>) -> Result<Self> {
        let secure = security.map(|_| Port::reserve()).transpose()?;
        let ports = Ports { broker: Port::reserve()?, controller: Port::reserve()?, secure };
        let directory = directory::create().context("cannot make the broker's directory")?;
        let mut text = properties(address, &ports, &directory);
        if let Some(security) = security {
            text += &secure_properties(security, &ports, &directory)?;
        }
        fs::write(directory.path().join("server.properties"), text)?;
        format_storage(&directory, security)?;
        let brokers = format!("{address}:{}", ports.broker.number);
        let own = OwnServer { process: None, directory, ports };
        let mut server = Self { brokers, own: Some(own) };
        server.restart()?;
        Ok(server)
    }

    /// The address to connect to, `host:port`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The port of the listener with TLS.
    pub fn secure_port(&self) -> Option<u16> {
        Some(self.own.as_ref()?.ports.secure.as_ref()?.number)
    }

    /// Shuts the broker down and waits until it has ended. Its data stays.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(process) = self.own()?.process.take() {
            process.terminate()?;
        }
        Ok(())
    }

    /// Kills the broker; its data is as after a crash.
    pub fn kill(&mut self) -> Result<()> {
        self.own()?.process = None;
        Ok(())
    }

    /// Suspends the broker: it neither answers nor closes connections.
    pub fn pause(&mut self) -> Result<()> {
        self.signal("STOP")
    }

    /// Resumes a suspended broker.
    pub fn resume(&mut self) -> Result<()> {
        self.signal("CONT")
    }

    fn signal(&mut self, name: &str) -> Result<()> {
        let process = self.own()?.process.as_ref().context("the broker does not run")?;
        Ok(process.signal(name)?)
    }

    /// Starts the broker again on the same port with the same data (after ending it if it runs) and waits
    /// until it answers.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        let own = self.own()?;
        own.process = Some(start_broker(&own.directory)?);
        self.wait_until_ready()
    }

    /// Creates a topic with one replica and `configs` such as `("message.timestamp.type", "LogAppendTime")`.
    pub fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        topic.config.extend_from_slice(configs);
        let results = pollster::block_on(self.admin()?.create_topics([&topic], &options()))?;
        for result in results {
            result.map_err(|(name, code)| anyhow::anyhow!("cannot create topic {name}: {code}"))?;
        }
        Ok(())
    }

    /// Replaces the `configs` that a topic was created with.
    pub fn configure_topic(&self, name: &str, configs: &[(&str, &str)]) -> Result<()> {
        let wanted = configs
            .iter()
            .copied()
            .fold(AlterConfig::new(ResourceSpecifier::Topic(name)), |wanted, (key, value)| {
                wanted.set(key, value)
            });
        for result in pollster::block_on(self.admin()?.alter_configs([&wanted], &options()))? {
            result.map_err(|(_, code)| anyhow::anyhow!("cannot configure topic {name}: {code}"))?;
        }
        Ok(())
    }

    /// Adds partitions to a topic, until it has `partitions`.
    pub fn add_partitions(&self, topic: &str, partitions: usize) -> Result<()> {
        let more = NewPartitions::new(topic, partitions);
        let results = pollster::block_on(self.admin()?.create_partitions([&more], &options()))?;
        results.into_iter().try_for_each(|result| {
            result
                .map(drop)
                .map_err(|(name, code)| anyhow::anyhow!("cannot add partitions to {name}: {code}"))
        })
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, topic: &str) -> Result<()> {
        let results = pollster::block_on(self.admin()?.delete_topics(&[topic], &options()))?;
        results.into_iter().try_for_each(|result| {
            result.map(drop).map_err(|(name, code)| anyhow::anyhow!("cannot delete topic {name}: {code}"))
        })
    }

    /// Deletes the records of a partition before `offset`, as retention does.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<()> {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(before))?;
        let deleted = pollster::block_on(self.admin()?.delete_records(&offsets, &options()))?;
        for partition in deleted.elements() {
            partition.error()?;
        }
        Ok(())
    }

    /// Writes `lines` (key, tab, value) with kcat, each one a record; `partition` as given, else by the key.
    pub fn write(&self, topic: &str, partition: Option<i32>, lines: impl AsRef<[u8]>) -> Result<()> {
        let mut kcat = self.kcat(topic);
        kcat.args(["-P", "-K", "\t"]);
        if let Some(partition) = partition {
            kcat.arg("-p").arg(partition.to_string());
        }
        let mut kcat = kcat.stdin(Stdio::piped()).spawn().context("cannot run kcat")?;
        // Taken, so that it is closed before the wait: kcat reads to the end.
        let mut input = kcat.stdin.take().context("kcat has no input")?;
        input.write_all(lines.as_ref())?;
        drop(input);
        ensure!(kcat.wait()?.success(), "kcat could not write to {topic}");
        Ok(())
    }

    /// All committed records of `topic` as kcat prints them in `format` (`%p %o %k %s\n` and the like).
    pub fn read(&self, topic: &str, format: &str) -> Result<String> {
        let mut kcat = self.kcat(topic);
        kcat.args([
            "-C",
            "-e",
            "-q",
            "-o",
            "beginning",
            "-X",
            "isolation.level=read_committed",
            "-f",
            format,
        ]);
        let output = kcat.stderr(Stdio::inherit()).output().context("cannot run kcat")?;
        ensure!(output.status.success(), "kcat could not read {topic}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn kcat(&self, topic: &str) -> Command {
        let mut kcat = Command::new("kcat");
        kcat.args(["-b", &self.brokers, "-t", topic]);
        kcat
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>> {
        Ok(ClientConfig::new().set("bootstrap.servers", &self.brokers).create()?)
    }

    fn own(&mut self) -> Result<&mut OwnServer> {
        self.own.as_mut().context("the Kafka that STREAMFLOW_TEST_KAFKA names is not ours to stop or start")
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        while self.admin()?.inner().fetch_metadata(None, Duration::from_secs(1)).is_err() {
            let own = self.own()?;
            let ended = own.process.as_mut().map(Process::ended).transpose()?.flatten();
            if ended.is_some() || Instant::now() > deadline {
                bail!("the broker does not answer; its log:\n{}", log(&own.directory));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(REQUEST_WITHIN))
}

fn properties(address: &str, ports: &Ports, directory: &TempDir) -> String {
    let (broker, controller) = (ports.broker.number, ports.controller.number);
    let data = directory.path().join("data");
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{address}:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://{address}:{broker}
log.dirs={}
# A topic that nobody created is a mistake in the test.
auto.create.topics.enable=false
# One broker: the internal topics, without which there are no transactions, can have one replica.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
",
        data.display()
    )
}

/// Properties of the second listener; of a property that occurs twice, the last one counts.
fn secure_properties(security: &Security, ports: &Ports, directory: &TempDir) -> Result<String> {
    let Security { identity, host, .. } = security;
    let (broker, controller) = (ports.broker.number, ports.controller.number);
    let port = ports.secure.as_ref().map_or(0, |port| port.number);
    let keystore = directory.path().join("broker.pem");
    fs::write(&keystore, format!("{}{}", identity.key, identity.certificate))?;
    Ok(format!(
        "listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller},SASL_SSL://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker},SASL_SSL://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={SCRAM_MODULE} required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={SCRAM_MODULE} required;
ssl.keystore.type=PEM
ssl.keystore.location={}
",
        keystore.display()
    ))
}

/// A JVM that is quick to start and small; the class and its arguments are still to be added.
fn jvm(command: &mut Command, class_path: &str) {
    command
        .arg(format!("-Dlog4j2.configurationFile={}", jars::logging().display()))
        .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", class_path])
        .stdin(Stdio::null());
}

fn format_storage(directory: &TempDir, security: Option<&Security>) -> Result<()> {
    let mut java = Command::new("java");
    jvm(&mut java, &jars::class_path()?);
    java.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
        .arg(directory.path().join("server.properties"));
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        if let Some(Security { user, password, .. }) = security {
            java.arg("--add-scram").arg(format!("{mechanism}=[name={user},password={password}]"));
        }
    }
    let output = java.output().context("cannot run java; run `make setup`")?;
    ensure!(output.status.success(), "cannot format: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn start_broker(directory: &TempDir) -> Result<Process> {
    let class_path = jars::class_path()?;
    let properties = directory.path().join("server.properties");
    let log = File::options().create(true).append(true).open(directory.path().join("server.log"))?;
    let errors = log.try_clone()?;
    let process = Process::start("java", move |java| {
        jvm(java, &class_path);
        java.arg("kafka.Kafka").arg(properties).stdout(log).stderr(errors);
    });
    process.context("cannot run setpriv java; run `make setup`")
}

fn log(directory: &TempDir) -> String {
    let path = directory.path().join("server.log");
    fs::read_to_string(path).unwrap_or_else(|error| error.to_string())
}
