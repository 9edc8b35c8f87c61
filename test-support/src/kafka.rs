//! One Apache Kafka, and what tests do to it.
//!
//! `STREAMFLOW_TEST_KAFKA=host:port` names a running one to use instead; it cannot be stopped from here. One
//! with [`Security`] is always started: it has listeners for clients with a password, and for clients with a
//! certificate, over TLS beside the plaintext one.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use streamflow_harness::kafka::{Broker, Port};

use crate::jars;
use crate::segments::{self, Harm};
use crate::tls::{Authority, Identity};

const LOOPBACK: &str = "127.0.0.1";
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
const PLAIN_MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM_MODULE: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

/// A Kafka for tests; ends when dropped, and with the test process however that ends.
#[derive(Debug)]
pub struct KafkaServer {
    brokers: String,
    own: Option<OwnServer>,
}

#[derive(Debug)]
struct OwnServer {
    broker: Broker,
    secure: Option<Secure>,
}

/// The ports of the listeners with TLS.
#[derive(Debug)]
struct Secure {
    /// For clients with a password.
    password: Port,
    /// For clients with a certificate.
    certificate: Port,
}

/// Who may connect over TLS, and as whom the broker shows itself.
#[derive(Debug)]
pub struct Security {
    /// The broker's certificate.
    pub identity: Identity,
    /// The name under which the broker is advertised to clients.
    pub host: String,
    /// The certificate of the authority whose clients may connect without a password.
    pub authority: String,
    /// A user that can prove its password by SCRAM, or send it.
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
            authority: authority.certificate().to_owned(),
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
        let reserve = |_| anyhow::Ok(Secure { password: Port::reserve()?, certificate: Port::reserve()? });
        let secure = security.map(reserve).transpose()?;
        let mut broker = Broker::prepare(&jars::fetch()?, address)?;
        let (mut more, mut scram) = (String::new(), Vec::new());
        if let (Some(security), Some(ports)) = (security, &secure) {
            more = secure_properties(security, ports, &broker)?;
            let Security { user, password, .. } = security;
            scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"]
                .map(|mechanism| format!("{mechanism}=[name={user},password={password}]"))
                .to_vec();
        }
        broker.format(&more, &scram)?;
        broker.restart()?;
        Ok(Self { brokers: broker.address(), own: Some(OwnServer { broker, secure }) })
    }

    /// The address to connect to, `host:port`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The port of the listener with TLS for clients with a password.
    pub fn secure_port(&self) -> Option<u16> {
        Some(self.own.as_ref()?.secure.as_ref()?.password.number)
    }

    /// The port of the listener with TLS for clients with a certificate.
    pub fn certificate_port(&self) -> Option<u16> {
        Some(self.own.as_ref()?.secure.as_ref()?.certificate.number)
    }

    /// Shuts the broker down and waits until it has ended. Its data stays.
    pub fn stop(&mut self) -> Result<()> {
        self.own()?.stop()
    }

    /// Kills the broker; its data is as after a crash.
    pub fn kill(&mut self) -> Result<()> {
        self.own()?.kill();
        Ok(())
    }

    /// Suspends the broker: it neither answers nor closes connections.
    pub fn pause(&mut self) -> Result<()> {
        self.own()?.signal("STOP")
    }

    /// Resumes a suspended broker.
    pub fn resume(&mut self) -> Result<()> {
        self.own()?.signal("CONT")
    }

    /// Starts the broker again on the same port with the same data (after ending it if it runs) and waits
    /// until it answers.
    pub fn restart(&mut self) -> Result<()> {
        self.own()?.restart()
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

    /// Damages batches of records on the broker's disk, each given by its topic, its partition and an offset in it,
    /// and starts the broker again.
    pub fn harm(&mut self, batches: &[(&str, i32, i64, Harm)]) -> Result<()> {
        self.stop()?;
        let data = self.own()?.directory().join("data");
        for (topic, partition, offset, harm) in batches {
            let file = data.join(format!("{topic}-{partition}")).join("00000000000000000000.log");
            segments::harm(&file, *offset, *harm)
                .with_context(|| format!("cannot damage {topic}, partition {partition}"))?;
        }
        self.restart()
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

    fn own(&mut self) -> Result<&mut Broker> {
        let own = self.own.as_mut().map(|own| &mut own.broker);
        own.context("the Kafka that STREAMFLOW_TEST_KAFKA names is not ours to stop or start")
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(REQUEST_WITHIN))
}

/// Properties of the other listeners; of a property that occurs twice, the last one counts.
fn secure_properties(security: &Security, ports: &Secure, own: &Broker) -> Result<String> {
    let Security { identity, host, authority, user, password } = security;
    let (broker, controller) = (own.port(), own.controller_port());
    let (sasl, ssl) = (ports.password.number, ports.certificate.number);
    let (keystore, truststore) = (own.directory().join("broker.pem"), own.directory().join("clients.pem"));
    fs::write(&keystore, format!("{}{}", identity.key, identity.certificate))?;
    fs::write(&truststore, authority)?;
    Ok(format!(
        "listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller},\
SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{ssl}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker},SASL_SSL://{host}:{sasl},SSL://{host}:{ssl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config={PLAIN_MODULE} required user_{user}=\"{password}\";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={SCRAM_MODULE} required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={SCRAM_MODULE} required;
listener.name.ssl.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={}
ssl.truststore.type=PEM
ssl.truststore.location={}
",
        keystore.display(),
        truststore.display()
    ))
}
