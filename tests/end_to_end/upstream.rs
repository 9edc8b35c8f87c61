//! Another system that writes to a topic in Kafka transactions: most are committed at once, some after seconds,
//! so that their records are visible late, some never.
//!
//! An aborted one is left open, and an error ends its producer: the next producer of the same transactional id
//! aborts what is open and completes what was being committed.

use crate::shop::Shop;
use rand::RngExt;
use serde_json::Value;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use streamflow_connectors::kafka::{KafkaSettings, Message, TransactionError, TransactionalProducer};

/// How long Kafka may take for a request, and longer than a transaction stays open.
const WITHIN: Duration = Duration::from_secs(60);

/// Between an error and the next producer.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The most events of one transaction.
const EVENTS: usize = 20;

/// It works until it is stopped, and leaves no transaction open then.
pub struct Upstream {
    stop: Sender<()>,
    thread: JoinHandle<Outcomes>,
}

/// How its transactions ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcomes {
    /// Committed at once.
    pub committed: u32,
    /// Committed after a second or more.
    pub committed_late: u32,
    /// Aborted, at once or later.
    pub aborted: u32,
    /// Ended by an error: committed or aborted.
    pub interrupted: u32,
}

impl Upstream {
    /// Starts to send what happens in a shop. `id` is the transactional id.
    pub fn start(shop: Shop, settings: KafkaSettings, id: String, topic: String) -> Self {
        let (stop, stopped) = channel();
        let outcomes = Outcomes::default();
        let sending = Sending { shop, settings, id, topic, stopped, outcomes };
        Self { stop, thread: std::thread::spawn(|| sending.run()) }
    }

    /// Lets it end its transaction.
    pub fn stop(self) -> Outcomes {
        drop(self.stop);
        self.thread.join().unwrap()
    }
}

struct Sending {
    shop: Shop,
    settings: KafkaSettings,
    id: String,
    topic: String,
    /// Nothing is ever sent: it is wanted until the other side is dropped.
    stopped: Receiver<()>,
    outcomes: Outcomes,
}

/// What becomes of a transaction.
struct Fate {
    /// How long it stays open after its last record.
    open: Duration,
    is_aborted: bool,
}

impl Sending {
    fn run(mut self) -> Outcomes {
        while self.is_wanted_after(Duration::ZERO) {
            if let Err(error) = self.send_until_aborted() {
                println!("{}: {error}", self.id);
                self.outcomes.interrupted += 1;
                self.is_wanted_after(RETRY_PAUSE);
            }
        }
        while let Err(error) = self.take_over() {
            println!("{}: {error}", self.id);
            std::thread::sleep(RETRY_PAUSE);
        }
        self.outcomes
    }

    /// One transaction after the other, until one is to be aborted or no more is wanted.
    fn send_until_aborted(&mut self) -> Result<(), TransactionError> {
        let producer = self.take_over()?;
        loop {
            let pause = Duration::from_millis(self.shop.dice.random_range(100..1500));
            if !self.is_wanted_after(pause) {
                return Ok(());
            }
            let Fate { open, is_aborted } = self.draw();
            producer.begin()?;
            // One customer is one partition: the others can go on meanwhile.
            let count = self.shop.dice.random_range(1..=EVENTS);
            for event in self.shop.events(count, !open.is_zero()) {
                producer.send(&self.topic, &message(&event), WITHIN)?;
            }
            producer.flush(WITHIN)?;
            self.is_wanted_after(open);
            if is_aborted {
                self.outcomes.aborted += 1;
                return Ok(());
            }
            producer.commit(WITHIN)?;
            let Outcomes { committed, committed_late, .. } = &mut self.outcomes;
            *(if open.is_zero() { committed } else { committed_late }) += 1;
        }
    }

    /// The next producer of the id.
    fn take_over(&self) -> Result<TransactionalProducer, TransactionError> {
        let producer = TransactionalProducer::open(&self.settings, &self.id, WITHIN)?;
        producer.fence(WITHIN)?;
        Ok(producer)
    }

    fn draw(&mut self) -> Fate {
        let dice = &mut self.shop.dice;
        let open = match dice.random_range(0..100) {
            0..15 => dice.random_range(1_000..8_000),
            // Longer than several rounds.
            15..17 => dice.random_range(15_000..40_000),
            _ => 0,
        };
        Fate { open: Duration::from_millis(open), is_aborted: dice.random_bool(0.15) }
    }

    /// Waits, but no longer than it is wanted.
    fn is_wanted_after(&self, time: Duration) -> bool {
        self.stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
    }
}

fn message(event: &Value) -> Message {
    let key = event["customer_id"].as_str().unwrap().as_bytes().to_vec();
    Message { key, value: Some(event.to_string().into_bytes()), headers: Vec::new() }
}
