//! The demo's traffic, in a thread of its own.

use super::Options;
use crate::config::Config;
use crate::pace::Pace;
use anyhow::{Context, Result, anyhow};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use streamflow_connectors::kafka::Producer;
use streamflow_generator::{self as generator, DimensionRecord, GeneratedEvent, GeneratorSettings};

/// Customers for each transaction a second: few, so that histories grow within a minute.
const CUSTOMERS_PER_RATE: f64 = 50.0;

/// Customers whose dimension records are sent; facts of the others get inferred members.
const REFERENCE_CUSTOMERS: usize = 5_000;

/// Dimension records between two pauses: the embedded broker keeps only a few megabytes.
const REFERENCE_BURST: usize = 1_000;

/// Sends the traffic.
pub struct TrafficThread {
    end: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64>>,
}

impl TrafficThread {
    /// Starts to send.
    pub fn start(options: &Options, config: &Config) -> Result<Self> {
        let settings = GeneratorSettings {
            seed: options.seed,
            customers: (options.rate * CUSTOMERS_PER_RATE).clamp(1_000.0, 2_000_000.0) as u32,
            transactions_per_second: options.rate,
            start: chrono::Utc::now().timestamp_micros(),
            late_by_max: 20,
            late_rate: 0.02,
            fraud_episode_rate: 0.005,
            ..GeneratorSettings::default()
        };
        let events = generator::Traffic::new(settings)?;
        let producer = Producer::open(&config.kafka)?;
        let end = Arc::new(AtomicBool::new(false));
        let sender = Sender { producer, config: config.clone(), end: Arc::clone(&end), sent: 0 };
        let duration = options.duration;
        let thread = std::thread::Builder::new()
            .name("traffic".to_owned())
            .spawn(move || sender.run(events, duration))
            .context("cannot start a thread")?;
        Ok(Self { end, thread })
    }

    /// Ends the traffic early.
    pub fn end(&self) {
        self.end.store(true, Ordering::Relaxed);
    }

    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    pub fn join(self) -> Result<u64> {
        self.thread.join().map_err(|_| anyhow!("the traffic stopped"))?
    }
}

struct Sender {
    producer: Producer,
    config: Config,
    end: Arc<AtomicBool>,
    sent: u64,
}

impl Sender {
    fn run(mut self, mut events: generator::Traffic, duration: Duration) -> Result<u64> {
        let topics = self.config.topics.clone();
        let population = events.population();
        self.send_all(&topics.blacklist, population.blacklist())?;
        self.send_all(&topics.stores, population.stores())?;
        self.send_all(&topics.products, population.products())?;
        self.send_all(&topics.customers, population.customers().take(REFERENCE_CUSTOMERS))?;
        let mut event = GeneratedEvent::default();
        events.next_into(&mut event);
        let mut pace = Pace::start(event.due);
        let started = Instant::now();
        while started.elapsed() < duration && !self.end.load(Ordering::Relaxed) {
            pace.wait_for(event.due);
            self.producer.send(&topics.transactions[0], &event.key, Some(&event.payload), None)?;
            self.sent += 1;
            events.next_into(&mut event);
        }
        self.producer.flush(Duration::from_secs(30))?;
        Ok(self.sent)
    }

    fn send_all(&mut self, topic: &str, records: impl Iterator<Item = DimensionRecord>) -> Result<()> {
        for (number, record) in records.enumerate() {
            self.producer.send(topic, record.key.as_bytes(), Some(&record.value), None)?;
            self.sent += 1;
            if number % REFERENCE_BURST == REFERENCE_BURST - 1 {
                self.producer.flush(Duration::from_secs(30))?;
            }
        }
        Ok(())
    }
}
