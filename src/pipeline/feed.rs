//! What a worker gives to the graph, and when: epochs from the clock, and records counted until they are durable.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};
use streamflow_dataflow::decode::Event;
use streamflow_dataflow::model::{PartitionId, Record, RulesChange};
use streamflow_dataflow::operators::watermark::ReferenceTime;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;

/// An input of the graph.
pub type Handle<D> = InputHandle<u64, CapacityContainerBuilder<Vec<D>>>;

/// A clock this far behind the last epoch, ms, has been set back.
const CLOCK_SET_BACK: u64 = 1000;

/// The inputs of the graph on one worker.
pub struct Inbound {
    /// Decoded records of transaction topics.
    pub transactions: Handle<Event>,
    /// Records of reference topics.
    pub reference: Handle<Record>,
    /// Changes of the rules.
    pub rules: Handle<RulesChange>,
    /// News of partitions.
    pub references: Handle<ReferenceTime>,
    /// The last epoch that was given something or passed over.
    epoch: u64,
}

impl Inbound {
    /// Inputs whose first epoch is `epoch`: the committed frontier.
    pub fn new(
        epoch: u64,
        transactions: Handle<Event>,
        reference: Handle<Record>,
        rules: Handle<RulesChange>,
        references: Handle<ReferenceTime>,
    ) -> Self {
        Self { transactions, reference, rules, references, epoch }
    }

    /// Opens the first epoch, which is the same on all workers.
    pub fn open_first_epoch(&mut self) {
        self.advance_to(self.epoch);
    }

    /// Opens the next epoch, by the clock, and returns it; `None` while the clock has not moved on, so that epochs do
    /// not run ahead of it. A clock that was set back is not waited for.
    pub fn open_epoch(&mut self) -> Option<u64> {
        let now = now_ms();
        if now <= self.epoch && self.epoch - now < CLOCK_SET_BACK {
            return None;
        }
        self.epoch = now.max(self.epoch + 1);
        self.advance_to(self.epoch);
        Some(self.epoch)
    }

    /// Completes the open epoch.
    pub fn complete_epoch(&mut self) {
        self.advance_to(self.epoch + 1);
    }

    fn advance_to(&mut self, epoch: u64) {
        self.transactions.advance_to(epoch);
        self.reference.advance_to(epoch);
        self.rules.advance_to(epoch);
        self.references.advance_to(epoch);
    }
}

/// The clock, ms since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}

/// Records given to the graph and not yet durable.
#[derive(Default)]
pub struct InFlight {
    epochs: VecDeque<Given>,
    records: u64,
}

struct Given {
    epoch: u64,
    /// The records' own times, microseconds since 1970.
    appended_at: Vec<i64>,
}

impl InFlight {
    /// Takes note of records given in `epoch`.
    pub fn give(&mut self, epoch: u64, records: &[Record]) {
        let appended_at: Vec<i64> = records.iter().filter_map(|record| record.appended_at).collect();
        self.records += appended_at.len() as u64;
        self.epochs.push_back(Given { epoch, appended_at });
    }

    /// Records that are not durable yet.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Forgets what is durable and calls `latency` with each record's own time.
    pub fn settle(&mut self, durable: impl Fn(u64) -> bool, mut latency: impl FnMut(i64)) {
        while self.epochs.front().is_some_and(|given| durable(given.epoch)) {
            let Some(given) = self.epochs.pop_front() else { break };
            self.records -= given.appended_at.len() as u64;
            given.appended_at.into_iter().for_each(&mut latency);
        }
    }
}

/// Partitions that have been read to their end: their reference times follow the clock.
#[derive(Default)]
pub struct Idle(BTreeMap<PartitionId, ()>);

impl Idle {
    /// The partition has been read to its end.
    pub fn ended(&mut self, partition: PartitionId) {
        self.0.insert(partition, ());
    }

    /// Records of these partitions have come.
    pub fn busy(&mut self, records: &[Record]) {
        if self.0.is_empty() {
            return;
        }
        for record in records {
            self.0.remove(&record.source.partition());
        }
    }

    /// The reference times of idle partitions: the clock less `allowance` microseconds.
    pub fn reference_times(&self, allowance: i64) -> impl Iterator<Item = ReferenceTime> + '_ {
        let time = (now_ms() as i64) * 1000 - allowance;
        self.0.keys().map(move |partition| ReferenceTime { partition: *partition, time })
    }
}
