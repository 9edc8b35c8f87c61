//! A pipeline with a database and topics of its own, which are removed at its end.

use super::signals::Signals;
use crate::config::Config;
use anyhow::{Context, Result, bail};
use postgres::Client;
use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use streamflow_connectors::kafka::TopicAdmin;
use streamflow_connectors::postgres::migrate::migrate;
use streamflow_connectors::postgres::{PostgresSettings, connect};
use streamflow_harness::kafka::Port;
use streamflow_harness::process::Process;
use streamflow_harness::usage::Usage;
use streamflow_medallion::{Progress, migrations};
use tempfile::TempDir;

pub struct Deployment {
    pub config: Config,
    directory: TempDir,
    admin: PostgresSettings,
    /// Whether topics outlive the broker's client.
    has_topics: bool,
    /// The address of the process's metrics.
    metrics: Port,
    process: Option<Process>,
}

impl Deployment {
    /// Makes the database with its schema; `tree` is the configuration without the address of metrics.
    ///
    /// # Errors
    /// Those of the server; the configuration is wrong.
    pub fn create(tree: &Value, database: &str, admin: PostgresSettings, has_topics: bool) -> Result<Self> {
        let metrics = Port::reserve()?;
        let directory = tempfile::Builder::new().prefix("streamflow-bench-").tempdir()?;
        let mut tree = tree.clone();
        let listen = format!("metrics.listen=127.0.0.1:{}", metrics.number);
        crate::config::assign(&mut tree, &[listen])?;
        // JSON is YAML.
        std::fs::write(directory.path().join(CONFIG), tree.to_string())?;
        let config = Config::load(Some(&directory.path().join(CONFIG)), &[])?;
        connect(&admin)?.batch_execute(&format!("CREATE DATABASE {database}"))?;
        let deployment = Self { config, directory, admin, has_topics, metrics, process: None };
        migrate(&mut deployment.connect()?, migrations())?;
        Ok(deployment)
    }

    /// A connection to its database.
    ///
    /// # Errors
    /// Those of the server.
    pub fn connect(&self) -> Result<Client> {
        Ok(connect(&self.config.postgres)?)
    }

    /// Starts `streamflow run`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start(&mut self) -> Result<()> {
        let config = self.directory.path().join(CONFIG);
        let log = File::options().create(true).append(true).open(self.log())?;
        let process = Process::start(std::env::current_exe()?, move |run| {
            run.arg("run").arg("--config").arg(config);
            run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).env("RUST_LOG", "info");
        });
        self.process = Some(process.context("cannot run setpriv; run `make setup`")?);
        Ok(())
    }

    /// Kills it, as kill -9 does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// It does not end well.
    pub fn stop(&mut self) -> Result<()> {
        let Some(process) = self.process.take() else { return Ok(()) };
        let status = process.terminate()?;
        if !status.success() {
            bail!("the pipeline ended with {status}: {}", self.last_words());
        }
        Ok(())
    }

    /// # Errors
    /// It has ended by itself.
    pub fn check_alive(&mut self) -> Result<()> {
        let ended = self.process.as_mut().map(Process::ended).transpose()?.flatten();
        match ended {
            Some(status) => bail!("the pipeline ended with {status}: {}", self.last_words()),
            None => Ok(()),
        }
    }

    /// What it has taken of the machine since its start.
    pub fn usage(&self) -> Usage {
        let usage = self.process.as_ref().map(|process| Usage::of(process.id()));
        usage.and_then(Result::ok).unwrap_or_default()
    }

    /// The port of its metrics.
    pub fn metrics_port(&self) -> u16 {
        self.metrics.number
    }

    /// Waits until so many records of topics that are not transactions are committed, and it has committed at all.
    ///
    /// # Errors
    /// It ends, or takes too long.
    pub fn wait_for_reference(&mut self, records: u64, within: Duration, signals: &Signals) -> Result<()> {
        let mut client = self.connect()?;
        signals.wait_for(within, "the reference records were not committed", || {
            self.check_alive()?;
            let progress = Progress::read(&mut client)?;
            let transactions = &self.config.topics.transactions;
            let topics = progress.offsets.iter().filter(|(topic, _)| !transactions.contains(topic));
            let committed: u64 = topics.flat_map(|(_, offsets)| offsets.values()).sum();
            Ok(progress.frontier > 0 && committed >= records)
        })
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("run.log")
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().last().unwrap_or("it said nothing").to_owned()
    }

    fn remove(&self) -> Result<()> {
        let database = &self.config.postgres.database;
        connect(&self.admin)?.batch_execute(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))?;
        if self.has_topics {
            let inputs = self.config.topics.roles().into_iter().map(|(topic, _)| topic);
            let outputs = self.config.topics.outputs().map(|topic| topic.name);
            let topics: Vec<String> = inputs.chain(outputs).collect();
            TopicAdmin::connect(&self.config.kafka)?.delete(&topics)?;
        }
        Ok(())
    }
}

const CONFIG: &str = "streamflow.yaml";

impl Drop for Deployment {
    fn drop(&mut self) {
        self.process = None;
        if let Err(error) = self.remove() {
            eprintln!("left behind: database and topics {}: {error:#}", self.config.postgres.database);
        }
    }
}
