//! Feeds the graph: opens epochs by the clock, and counts records until they are durable.

use super::appended::{Appended, Stretch};
use crate::config::PipelineSettings;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use streamflow_connectors::source::now_ms;
use streamflow_dataflow::changes::PartitionPosition;
use streamflow_dataflow::inputs::InputHandles;
use streamflow_dataflow::operators::watermark::{Clock, CurrentWatermark};
use streamflow_model::timestamp::SECOND;
use streamflow_model::{PartitionId, Record};

/// The shortest epoch in ms. Each epoch schedules every operator, even without data, and a commit takes
/// longer anyway.
const SHORTEST_EPOCH: u64 = 4;

/// A clock this far behind the last epoch, in ms, has been set back.
const CLOCK_SET_BACK: u64 = 1000;

/// The inputs of the graph on one worker, and the last epoch that was opened.
pub struct Inbound {
    pub handles: InputHandles,
    epoch: u64,
    opened: Instant,
}

impl Inbound {
    /// Inputs whose first epoch is `epoch`, the committed frontier.
    pub fn new(epoch: u64, handles: InputHandles) -> Self {
        Self { handles, epoch, opened: Instant::now() }
    }

    /// Opens the first epoch, which is the same on all workers.
    pub fn open_first_epoch(&mut self) {
        self.handles.advance_to(self.epoch);
    }

    /// Opens the next epoch, by the clock, and returns it; while it is too early, how long until the next
    /// epoch may open. It does not wait for a clock that was set back.
    pub fn open_epoch(&mut self) -> Result<u64, Duration> {
        let now = now_ms();
        if let Some(wait) = until_due(self.epoch, now, self.opened.elapsed()) {
            return Err(wait);
        }
        (self.epoch, self.opened) = (now.max(self.epoch + 1), Instant::now());
        self.handles.advance_to(self.epoch);
        Ok(self.epoch)
    }

    /// Completes the open epoch.
    pub fn complete_epoch(&mut self) {
        self.handles.advance_to(self.epoch + 1);
    }

    /// The frontier of the inputs, ms since 1970: no more input before it.
    pub fn frontier(&self) -> u64 {
        self.epoch + 1
    }
}

/// How long until the next epoch after `epoch`, which was opened so long ago, is due; `now` is in ms since
/// 1970. While the clock is behind because it was set back, epochs are as long as the shortest one.
fn until_due(epoch: u64, now: u64, opened: Duration) -> Option<Duration> {
    let due = epoch + SHORTEST_EPOCH;
    let wait = match due.saturating_sub(now) {
        early if early < CLOCK_SET_BACK => Duration::from_millis(early),
        _ => Duration::from_millis(SHORTEST_EPOCH).saturating_sub(opened),
    };
    (!wait.is_zero()).then_some(wait)
}

/// Records in flight: given to the graph and not yet durable.
#[derive(Default)]
pub struct InFlight {
    epochs: VecDeque<Given>,
    records: u64,
    /// Bytes of keys and payloads.
    bytes: u64,
    /// Since when reading has been paused.
    full_since: Option<Instant>,
    /// The total of earlier pauses.
    full: Duration,
}

struct Given {
    epoch: u64,
    bytes: u64,
    stretches: Vec<Arc<Stretch>>,
}

impl InFlight {
    /// Adds records given in `epoch`.
    pub fn give(&mut self, epoch: u64, records: &[Record], appended: &Appended) {
        let stretches = Stretch::of(records);
        self.records += stretches.iter().map(|stretch| stretch.times().len() as u64).sum::<u64>();
        appended.add(&stretches);
        let bytes = records.iter().map(size).sum();
        self.bytes += bytes;
        self.epochs.push_back(Given { epoch, bytes, stretches });
    }

    /// The number of records that are not durable yet.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Bytes of their keys and values.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the limits and memory allow more records. Also measures how long they do not.
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

    /// The total time for which reading was paused.
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

    /// Removes durable records and calls `latency` with the time of each. Returns the durable offsets of
    /// their partitions.
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

/// The bytes that a record counts for.
fn size(record: &Record) -> u64 {
    let key = record.key.as_ref().map_or(0, |key| key.len());
    let payload = record.payload.as_ref().map_or(0, |payload| payload.len());
    (key + payload) as u64
}

/// Partitions that are read to their end, with that end and the instant of the brokers' clock for which it was
/// last confirmed, ms since 1970. Their partition times follow the clock up to it.
#[derive(Default)]
pub struct Idle(BTreeMap<PartitionId, (u64, u64)>);

impl Idle {
    /// Confirms that the partition was read to its `end` `as_of`, ms since 1970.
    pub fn ended(&mut self, partition: PartitionId, end: u64, as_of: u64) {
        self.0.insert(partition, (end, as_of));
    }

    /// Removes partitions that have delivered new records.
    pub fn busy(&mut self, records: &[Record]) {
        if self.0.is_empty() {
            return;
        }
        for record in records {
            self.0.remove(&record.source.partition());
        }
    }

    /// The clocks of idle partitions: `allowance` microseconds before the last confirmation.
    pub fn clocks(&self, allowance: i64) -> impl Iterator<Item = Clock> + '_ {
        self.0.iter().map(move |(partition, (end, as_of))| Clock {
            partition: *partition,
            time: (*as_of as i64) * 1000 - allowance,
            end: Some(*end),
        })
    }
}

/// How far partitions may be read ahead of the watermark, which is the time of the slowest: what lies between
/// them is state of the graph, so it bounds memory however far apart partitions are.
pub struct Alignment {
    watermark: CurrentWatermark,
    /// Microseconds.
    most: i64,
}

impl Alignment {
    pub fn new(watermark: CurrentWatermark, seconds: u32) -> Self {
        Self { watermark, most: i64::from(seconds) * SECOND }
    }

    /// The latest time of records that are to be read, ms since 1970, once there is a watermark.
    pub fn latest(&self) -> Option<i64> {
        let watermark = self.watermark.get();
        (watermark > i64::MIN).then(|| watermark.saturating_add(self.most) / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_never_shorter_than_the_shortest() {
        let wait =
            |now, opened| until_due(10_000, now, Duration::from_millis(opened)).map(|wait| wait.as_millis());
        assert_eq!(wait(10_001, 1), Some(3));
        assert_eq!(wait(10_004, 4), None);
        assert_eq!(wait(99_000, 0), None);
        // Set back by seconds: the clock says nothing.
        assert_eq!(wait(2_000, 1), Some(3));
        assert_eq!(wait(2_000, 4), None);
    }
}
