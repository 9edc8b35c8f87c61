//! `streamflow generate`: synthetic traffic to Kafka or a file.

use crate::config::{self, Config};
use crate::instant;
use crate::misuse::Misuse;
use crate::pace::Pace;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
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
    #[arg(long, default_value_t = 1000.0, value_parser = rate)]
    rate: f64,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Customers
    #[arg(long)]
    customers: Option<u32>,
    /// Event time of the first transaction, RFC 3339 or a date [default: 2026-02-01T00:00:00-03:00; to Kafka: now]
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    start: Option<DateTime<Utc>>,
    /// Fractions: late, duplicate, corrected, voided and malformed events, fraud episodes; e.g. --set
    /// late_rate=0.1
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Configuration file: where Kafka is, and the names of the topics
    #[arg(long)]
    config: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    check_outputs(arguments)?;
    let settings = settings(arguments)?;
    let mut traffic = Traffic::new(settings)?;
    if let Some(directory) = &arguments.reference {
        write_reference(directory, traffic.population())?;
    }
    let mut labels = arguments.labels.as_deref().map(Labels::create).transpose()?;
    match (&arguments.file, arguments.count) {
        (Some(path), Some(count)) => to_file(path, count, &mut traffic, labels.as_mut())?,
        _ => to_kafka(arguments, &mut traffic, labels.as_mut())?,
    }
    labels.map_or(Ok(()), Labels::finish)?;
    Ok(ExitCode::SUCCESS)
}

/// Transactions a second, as an argument.
///
/// # Errors
/// It is no number that the generator takes.
pub fn rate(text: &str) -> Result<f64> {
    match text.parse() {
        Ok(rate) if (0.001..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => bail!("must be 0.001 to 10000000"),
    }
}

/// No two outputs are one file, and a file ends.
fn check_outputs(arguments: &Arguments) -> Result<(), Misuse> {
    if arguments.file.is_some() && arguments.count.is_none() {
        return Err(Misuse("--file needs --count: a file must end".to_owned()));
    }
    let reference =
        arguments.reference.iter().flat_map(|directory| REFERENCE.map(|name| directory.join(name)));
    let outputs = arguments.file.iter().chain(&arguments.labels).cloned().chain(reference);
    let mut outputs: Vec<PathBuf> = outputs.map(|path| std::path::absolute(&path).unwrap_or(path)).collect();
    outputs.sort_unstable();
    match outputs.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(Misuse(format!("{} is named for two outputs", twice[0].display()))),
        None => Ok(()),
    }
}

fn settings(arguments: &Arguments) -> Result<GeneratorSettings> {
    let mut tree = serde_json::json!({});
    config::assign(&mut tree, &arguments.overrides)?;
    let mut settings: GeneratorSettings = serde_json::from_value(tree).context("--set")?;
    settings.seed = arguments.seed;
    settings.transactions_per_second = arguments.rate;
    settings.customers = arguments.customers.unwrap_or(settings.customers);
    match arguments.start {
        Some(start) => settings.start = start.timestamp_micros(),
        None if arguments.file.is_none() => settings.start = Utc::now().timestamp_micros(),
        None => {}
    }
    Ok(settings)
}

/// The files of `--reference`.
const REFERENCE: [&str; 4] = ["customers.jsonl", "stores.jsonl", "products.jsonl", "blacklist.jsonl"];

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
    let [customers, stores, products, blacklist] = REFERENCE.map(|name| directory.join(name));
    write_records(&customers, population.customers())?;
    write_records(&stores, population.stores())?;
    write_records(&products, population.products())?;
    write_records(&blacklist, population.blacklist())
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

fn to_file(path: &Path, count: u64, traffic: &mut Traffic, mut labels: Option<&mut Labels>) -> Result<()> {
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
    let mut pace = Pace::start(Utc::now().timestamp_micros());
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
