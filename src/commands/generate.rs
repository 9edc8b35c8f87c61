//! `streamflow generate`: synthetic traffic to Kafka or a file.

use crate::config::{self, Config};
use crate::pace::Pace;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use streamflow_connectors::kafka::{Producer, TopicAdmin};
use streamflow_generator::{DimensionRecord, GeneratedEvent, GeneratorSettings, Label, Population, Traffic};
use streamflow_model::timestamp;

/// Write synthetic transactions with labelled fraud to Kafka or a file.
///
/// The same settings give the same bytes. Labels go to a file of their own and never reach the pipeline. To
/// Kafka it goes on until --count, SIGINT or SIGTERM, and ends once everything sent is acknowledged.
///
/// Examples:
///   streamflow generate --count 2000000 --file traffic.jsonl --labels labels.jsonl
///   streamflow generate --rate 1000 --config streamflow.yaml
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write events to this file instead of Kafka, as fast as possible; `-` is standard output
    #[arg(long)]
    file: Option<PathBuf>,
    /// Write customers.jsonl, stores.jsonl, products.jsonl and blacklist.jsonl to this directory
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Write the labels of injected fraud to this file, one JSON object a line
    #[arg(long)]
    labels: Option<PathBuf>,
    /// Events to write [default: without end]
    #[arg(long)]
    count: Option<u64>,
    /// Ordinary transactions per second of event time; to Kafka also of wall-clock time
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Customers
    #[arg(long)]
    customers: Option<u32>,
    /// Event time of the first transaction, RFC 3339 [default: 2026-02-01T00:00:00-03:00; to Kafka: now]
    #[arg(long)]
    start: Option<String>,
    /// Fractions: late, duplicate, corrected, voided and malformed events, fraud episodes; e.g. --set
    /// late_rate=0.1
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Configuration file: where Kafka is, and the names of the topics
    #[arg(long)]
    config: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let settings = settings(arguments)?;
    let mut traffic = Traffic::new(settings)?;
    if let Some(directory) = &arguments.reference {
        write_reference(directory, traffic.population())?;
    }
    let mut labels = arguments.labels.as_deref().map(Labels::create).transpose()?;
    match &arguments.file {
        Some(path) => to_file(path, arguments.count, &mut traffic, labels.as_mut())?,
        None => to_kafka(arguments, &mut traffic, labels.as_mut())?,
    }
    labels.map_or(Ok(()), Labels::finish)?;
    Ok(ExitCode::SUCCESS)
}

fn settings(arguments: &Arguments) -> Result<GeneratorSettings> {
    let mut tree = serde_json::json!({});
    config::assign(&mut tree, &arguments.overrides)?;
    let mut settings: GeneratorSettings = serde_json::from_value(tree).context("--set")?;
    settings.seed = arguments.seed;
    settings.transactions_per_second = arguments.rate;
    settings.customers = arguments.customers.unwrap_or(settings.customers);
    match &arguments.start {
        Some(text) => {
            settings.start =
                timestamp::parse(text).with_context(|| format!("--start {text}: must be RFC 3339"))?;
        }
        None if arguments.file.is_none() => settings.start = chrono::Utc::now().timestamp_micros(),
        None => {}
    }
    Ok(settings)
}

struct Labels {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Labels {
    fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    fn write(&mut self, label: &Label) -> Result<()> {
        serde_json::to_writer(&mut self.file, label)?;
        self.file.write_all(b"\n").with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn finish(mut self) -> Result<()> {
        self.file.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn write_reference(directory: &Path, population: &Population) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    write_records(&directory.join("customers.jsonl"), population.customers())?;
    write_records(&directory.join("stores.jsonl"), population.stores())?;
    write_records(&directory.join("products.jsonl"), population.products())?;
    write_records(&directory.join("blacklist.jsonl"), population.blacklist())
}

fn write_records(path: &Path, records: impl Iterator<Item = DimensionRecord>) -> Result<()> {
    let create = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        for record in records {
            file.write_all(&record.value)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    };
    create().with_context(|| format!("cannot write {}", path.display()))
}

fn to_file(
    path: &Path,
    count: Option<u64>,
    traffic: &mut Traffic,
    mut labels: Option<&mut Labels>,
) -> Result<()> {
    let Some(count) = count else { bail!("--file needs --count: a file must end") };
    let output: Box<dyn Write> = if path == Path::new("-") {
        Box::new(std::io::stdout().lock())
    } else {
        Box::new(File::create(path).with_context(|| format!("cannot create {}", path.display()))?)
    };
    let mut output = BufWriter::with_capacity(1 << 20, output);
    let mut event = GeneratedEvent::default();
    let cannot_write = || format!("cannot write {}", path.display());
    for _ in 0..count {
        traffic.next_into(&mut event);
        output.write_all(&event.payload).with_context(cannot_write)?;
        output.write_all(b"\n").with_context(cannot_write)?;
        if let (Some(labels), Some(label)) = (&mut labels, &event.label) {
            labels.write(label)?;
        }
    }
    output.flush().with_context(cannot_write)
}

fn to_kafka(arguments: &Arguments, traffic: &mut Traffic, mut labels: Option<&mut Labels>) -> Result<()> {
    let config = Config::load(arguments.config.as_deref(), &[])?;
    let topic = &config.topics.transactions[0];
    // Brokers that do not let this client in say so here at once, and to a producer never.
    TopicAdmin::connect(&config.kafka)?.partitions(topic)?;
    let producer = Producer::open(&config.kafka)?;
    // Without a handler the first process of a container would ignore SIGTERM.
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed))?;
    send_reference(&producer, &config, traffic.population())?;
    let mut pace = Pace::start(chrono::Utc::now().timestamp_micros());
    let mut event = GeneratedEvent::default();
    let mut sent = 0;
    while arguments.count.is_none_or(|count| sent < count) && !stop.load(Ordering::Relaxed) {
        traffic.next_into(&mut event);
        pace.wait_for(event.due);
        producer.send(topic, &event.key, Some(&event.payload), None)?;
        if let (Some(labels), Some(label)) = (&mut labels, &event.label) {
            labels.write(label)?;
        }
        sent += 1;
        pace.report(sent);
    }
    producer.flush(Duration::from_secs(60))?;
    let deliveries = producer.deliveries();
    tracing::info!(delivered = deliveries.delivered, failed = deliveries.failed, "generation ended");
    match deliveries.first_failure {
        Some(failure) => bail!("{} records were not delivered; the first: {failure}", deliveries.failed),
        None => Ok(()),
    }
}

/// Sends the whole population to the reference topics.
fn send_reference(producer: &Producer, config: &Config, population: &Population) -> Result<()> {
    send_records(producer, &config.topics.customers, population.customers())?;
    send_records(producer, &config.topics.stores, population.stores())?;
    send_records(producer, &config.topics.products, population.products())?;
    send_records(producer, &config.topics.blacklist, population.blacklist())
}

fn send_records(
    producer: &Producer,
    topic: &str,
    records: impl Iterator<Item = DimensionRecord>,
) -> Result<()> {
    for record in records {
        producer.send(topic, record.key.as_bytes(), Some(&record.value), None)?;
    }
    Ok(())
}
