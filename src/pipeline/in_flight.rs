//! Records in flight: given to the graph and not yet durable.

use super::appended::{Appended, Stretch};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use streamflow_dataflow::changes::PartitionPosition;
use streamflow_model::{PartitionId, Record};

/// The records of one worker.
#[derive(Default)]
pub struct InFlight {
    batches: VecDeque<Batch>,
    records: u64,
    /// Bytes of keys and payloads.
    bytes: u64,
    /// Records by the number of their topic.
    topics: BTreeMap<u16, u64>,
    /// Records that have become durable so far.
    delivered: u64,
}

/// Records of one topic that were given to the graph together.
struct Batch {
    epoch: u64,
    topic: u16,
    records: u64,
    bytes: u64,
    stretches: Vec<Arc<Stretch>>,
    given: Instant,
    /// [`InFlight::delivered`] when it was given.
    delivered_before: u64,
}

/// What has become durable at once.
pub struct Settled {
    /// The durable offsets of the partitions.
    pub positions: Vec<PartitionPosition>,
    pub delivery: Delivery,
}

/// How fast records become durable: the rate between giving the oldest of those that just did, and now.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Records that became durable meanwhile.
    pub records: u64,
    pub took: Duration,
    /// How long the latest of them took.
    pub latest_took: Duration,
}

impl InFlight {
    /// Adds records of one topic, given in `epoch`.
    pub fn give(&mut self, epoch: u64, records: &[Record], appended: &Appended) {
        let Some(topic) = records.first().map(|record| record.source.partition().topic()) else { return };
        let stretches = Stretch::of(records);
        appended.add(&stretches);
        let (count, bytes) = (records.len() as u64, records.iter().map(size).sum());
        self.records += count;
        self.bytes += bytes;
        *self.topics.entry(topic).or_default() += count;
        let (given, delivered_before) = (Instant::now(), self.delivered);
        self.batches.push_back(Batch {
            epoch,
            topic,
            records: count,
            bytes,
            stretches,
            given,
            delivered_before,
        });
    }

    /// The number of records that are not durable yet.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Those of one topic.
    pub fn of_topic(&self, topic: u16) -> u64 {
        self.topics.get(&topic).copied().unwrap_or_default()
    }

    /// Bytes of their keys and values.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The time of the oldest record of each partition, microseconds since 1970.
    pub fn oldest(&self) -> Vec<(PartitionId, i64)> {
        let mut oldest: BTreeMap<PartitionId, i64> = BTreeMap::new();
        for (partition, time) in
            self.batches.iter().flat_map(|batch| &batch.stretches).filter_map(|s| s.oldest())
        {
            oldest.entry(partition).or_insert(time);
        }
        oldest.into_iter().collect()
    }

    /// Removes the records of durable epochs and calls `latency` with the time of each; `None` if there are none.
    pub fn settle(
        &mut self,
        durable: impl Fn(u64) -> bool,
        appended: &Appended,
        mut latency: impl FnMut(i64),
    ) -> Option<Settled> {
        let mut positions = Vec::new();
        let mut oldest = None;
        let mut latest = None;
        while self.batches.front().is_some_and(|batch| durable(batch.epoch)) {
            let Some(batch) = self.batches.pop_front() else { break };
            appended.remove(&batch.stretches);
            self.records -= batch.records;
            self.bytes -= batch.bytes;
            self.topics.entry(batch.topic).and_modify(|count| *count -= batch.records);
            self.delivered += batch.records;
            oldest.get_or_insert((batch.given, batch.delivered_before));
            latest = Some(batch.given);
            for stretch in batch.stretches {
                stretch.times().for_each(&mut latency);
                positions.extend(stretch.progress());
            }
        }
        let (given, delivered_before) = oldest?;
        let delivery = Delivery {
            records: self.delivered - delivered_before,
            took: given.elapsed(),
            latest_took: latest?.elapsed(),
        };
        Some(Settled { positions, delivery })
    }
}

/// The bytes that a record counts for.
fn size(record: &Record) -> u64 {
    let key = record.key.as_ref().map_or(0, |key| key.len());
    let payload = record.payload.as_ref().map_or(0, |payload| payload.len());
    (key + payload) as u64
}
