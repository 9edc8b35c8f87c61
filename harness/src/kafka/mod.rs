//! An Apache Kafka of one's own: a KRaft broker and controller in one JVM, on ports of its own, in a directory
//! of its own. It ends when its owner does, however that ends.

mod directory;
mod jars;
mod port;

pub use jars::{find, version};
pub use port::Port;

use crate::process::Process;
use anyhow::{Context, Result, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const READY_WITHIN: Duration = Duration::from_secs(60);
/// Fixed, so that a restarted server finds its storage: each server has a directory of its own anyway.
const CLUSTER_ID: &str = "c3RyZWFtZmxvdy10ZXN0cw";
const PROPERTIES: &str = "server.properties";
const LOG: &str = "server.log";
const LOGGING: &str = "log4j2.properties";

/// A broker; ends when dropped.
#[derive(Debug)]
pub struct Broker {
    // Declared before the directory: the broker ends before its files go.
    process: Option<Process>,
    directory: TempDir,
    address: String,
    jars: PathBuf,
    port: Port,
    controller: Port,
}

impl Broker {
    /// Starts one at the loopback address and waits until it answers, about three seconds.
    ///
    /// # Errors
    /// No Java, jars that are not Kafka's, or a broker that does not start; the message has its log.
    pub fn start(jars: &Path) -> Result<Self> {
        let mut broker = Self::prepare(jars, "127.0.0.1")?;
        broker.format("", &[])?;
        broker.restart()?;
        Ok(broker)
    }

    /// Ports and a directory for one that will listen at `address`, and whose jars are in the directory `jars`.
    ///
    /// # Errors
    /// No free port, or no directory.
    pub fn prepare(jars: &Path, address: &str) -> Result<Self> {
        let (port, controller) = (Port::reserve()?, Port::reserve()?);
        let directory = directory::create().context("cannot make the broker's directory")?;
        let (address, jars) = (address.to_owned(), jars.to_owned());
        Ok(Self { process: None, directory, address, jars, port, controller })
    }

    /// Writes its configuration and formats its storage. `more` are further properties; of one that occurs twice
    /// the last counts. `scram` are users in the form of Kafka's storage tool.
    ///
    /// # Errors
    /// No Java, or what the tool says.
    pub fn format(&self, more: &str, scram: &[String]) -> Result<()> {
        let path = |name| self.directory.path().join(name);
        fs::write(path(LOGGING), include_str!("log4j2.properties"))?;
        fs::write(path(PROPERTIES), self.properties() + more)?;
        let mut java = Command::new("java");
        self.jvm(&mut java);
        java.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(path(PROPERTIES));
        scram.iter().for_each(|user| {
            java.arg("--add-scram").arg(user);
        });
        let output = java.output().context("cannot run java; run `make setup`")?;
        ensure!(output.status.success(), "cannot format: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Starts the broker again on the same port with the same data (after ending it if it runs) and waits
    /// until it answers.
    ///
    /// # Errors
    /// It does not answer within a minute; the message has its log.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        let log = File::options().create(true).append(true).open(self.directory.path().join(LOG))?;
        let errors = log.try_clone()?;
        let mut command = Command::new("java");
        self.jvm(&mut command);
        command.arg("kafka.Kafka").arg(self.directory.path().join(PROPERTIES));
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let process = Process::start("java", move |java| {
            java.args(arguments).stdin(Stdio::null()).stdout(log).stderr(errors);
        });
        self.process = Some(process.context("cannot run setpriv java; run `make setup`")?);
        self.wait_until_ready()
    }

    /// Shuts the broker down and waits until it has ended. Its data stays.
    ///
    /// # Errors
    /// Those of the system.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.terminate()?;
        }
        Ok(())
    }

    /// Kills the broker; its data is as after a crash.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Sends it the signal of this name.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, name: &str) -> Result<()> {
        let process = self.process.as_ref().context("the broker does not run")?;
        Ok(process.signal(name)?)
    }

    /// The address to connect to, `host:port`.
    pub fn address(&self) -> String {
        format!("{}:{}", self.address, self.port.number)
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// The port of the controller.
    pub fn controller_port(&self) -> u16 {
        self.controller.number
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn properties(&self) -> String {
        let (address, broker, controller) = (&self.address, self.port.number, self.controller.number);
        let data = self.directory.path().join("data");
        format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{address}:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://{address}:{broker}
log.dirs={}
# A topic that nobody created is a mistake.
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

    /// A JVM that is quick to start and small; the class and its arguments are still to be added.
    fn jvm(&self, command: &mut Command) {
        let logging = self.directory.path().join(LOGGING);
        command
            .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
            .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp"])
            .arg(self.jars.join("*"))
            .stdin(Stdio::null());
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        while self.admin()?.inner().fetch_metadata(None, Duration::from_secs(1)).is_err() {
            let ended = self.process.as_mut().map(Process::ended).transpose()?.flatten();
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(self.directory.path().join(LOG));
                bail!(
                    "the broker does not answer; its log:\n{}",
                    log.unwrap_or_else(|error| error.to_string())
                );
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>> {
        Ok(ClientConfig::new().set("bootstrap.servers", self.address()).create()?)
    }
}
