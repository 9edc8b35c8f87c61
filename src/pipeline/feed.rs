//! What a worker gives to the graph, and when: epochs from the clock, and records counted until they are durable.

use super::appended::{Appended, Stretch};
use crate::config::PipelineSettings;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use streamflow_connectors::source::now_ms;
use streamflow_dataflow::changes::PartitionPosition;
use streamflow_dataflow::decode::Event;
use streamflow_dataflow::detectors::RulesChange;
use streamflow_dataflow::operators::watermark::ReferenceTime;
use streamflow_model::{PartitionId, Record};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;

/// An input of the graph.
pub type Handle<D> = InputHandle<u64, CapacityContainerBuilder<Vec<D>>>;

/// The shortest epoch, ms. Each costs every operator a schedule, whatever it holds; a commit takes longer anyway.
const SHORTEST_EPOCH: u64 = 4;

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

    /// Opens the next epoch, by the clock, and returns it; while it is too early for one, how long it is until then. A clock that
    /// was set back is not waited for.
    pub fn open_epoch(&mut self) -> Result<u64, Duration> {
        let (now, due) = (now_ms(), self.epoch + SHORTEST_EPOCH);
        if now < due && due - now < CLOCK_SET_BACK {
            return Err(Duration::from_millis(due - now));
        }
        self.epoch = now.max(self.epoch + 1);
        self.advance_to(self.epoch);
        Ok(self.epoch)
    }

    /// Completes the open epoch.
    pub fn complete_epoch(&mut self) {
        self.advance_to(self.epoch + 1);
    }

    /// Nothing more is given to what lies before it, ms since 1970.
    pub fn frontier(&self) -> u64 {
        self.epoch + 1
    }

    fn advance_to(&mut self, epoch: u64) {
        self.transactions.advance_to(epoch);
        self.reference.advance_to(epoch);
        self.rules.advance_to(epoch);
        self.references.advance_to(epoch);
    }
}

/// Records given to the graph and not yet durable.
#[derive(Default)]
pub struct InFlight {
    epochs: VecDeque<Given>,
    records: u64,
    /// Of keys and payloads.
    bytes: u64,
    /// Since when there has been no room for more.
    full_since: Option<Instant>,
    /// How long there was none before.
    full: Duration,
}

struct Given {
    epoch: u64,
    bytes: u64,
    stretches: Vec<Arc<Stretch>>,
}

impl InFlight {
    /// Takes note of records given in `epoch`.
    pub fn give(&mut self, epoch: u64, records: &[Record], appended: &Appended) {
        let stretches = Stretch::of(records);
        self.records += stretches.iter().map(|stretch| stretch.times().len() as u64).sum::<u64>();
        appended.add(&stretches);
        let bytes = records.iter().map(size).sum();
        self.bytes += bytes;
        self.epochs.push_back(Given { epoch, bytes, stretches });
    }

    /// Records that are not durable yet.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Bytes of their keys and values.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is less than the limits allow, and room in memory; for how long there was not is added up.
    pub fn has_room(&mut self, limits: &PipelineSettings, memory_has_room: bool) -> bool {
        let is_below = self.records < limits.uncommitted_records && self.bytes < limits.uncommitted_mib << 20;
        let has_room = is_below && memory_has_room;
        if has_room {
            self.full = self.paused();
            self.full_since = None;
        } else {
            self.full_since.get_or_insert_with(Instant::now);
        }
        has_room
    }

    /// How long there was no room, in all.
    pub fn paused(&self) -> Duration {
        self.full + self.full_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The time of the oldest record of each partition, microseconds since 1970.
    pub fn oldest(&self) -> Vec<(PartitionId, i64)> {
        let mut oldest: BTreeMap<PartitionId, i64> = BTreeMap::new();
        for (partition, time) in
            self.epochs.iter().flat_map(|given| &given.stretches).filter_map(|s| s.oldest())
        {
            oldest.entry(partition).or_insert(time);
        }
        oldest.into_iter().collect()
    }

    /// Forgets what is durable and calls `latency` with each record's own time. Returns how far partitions are durable now.
    pub fn settle(
        &mut self,
        durable: impl Fn(u64) -> bool,
        appended: &Appended,
        mut latency: impl FnMut(i64),
    ) -> Vec<PartitionPosition> {
        let mut progress = Vec::new();
        while self.epochs.front().is_some_and(|given| durable(given.epoch)) {
            let Some(given) = self.epochs.pop_front() else { break };
            appended.remove(&given.stretches);
            self.bytes -= given.bytes;
            for stretch in given.stretches {
                self.records -= stretch.times().len() as u64;
                stretch.times().for_each(&mut latency);
                progress.extend(stretch.progress());
            }
        }
        progress
    }
}

/// Bytes that a record holds.
fn size(record: &Record) -> u64 {
    let key = record.key.as_ref().map_or(0, |key| key.len());
    let payload = record.payload.as_ref().map_or(0, |payload| payload.len());
    (key + payload) as u64
}

/// Partitions that have been read to their end, and when that was last known to be so, ms since 1970: their reference times follow
/// the clock that far.
#[derive(Default)]
pub struct Idle(BTreeMap<PartitionId, u64>);

impl Idle {
    /// The partition ended `as_of` then, ms since 1970, where it has been read to.
    pub fn ended(&mut self, partition: PartitionId, as_of: u64) {
        self.0.insert(partition, as_of);
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

    /// The reference times of idle partitions: `allowance` microseconds before they were known to be.
    pub fn reference_times(&self, allowance: i64) -> impl Iterator<Item = ReferenceTime> + '_ {
        let time = move |as_of: u64| (as_of as i64) * 1000 - allowance;
        self.0
            .iter()
            .map(move |(partition, as_of)| ReferenceTime { partition: *partition, time: time(*as_of) })
    }
}
