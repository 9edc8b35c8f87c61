//! Feeds the graph: opens epochs by the clock, follows idle partitions, aligns them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use streamflow_connectors::source::now_ms;
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
    /// When the last epoch was opened by the clock.
    opened: Option<Instant>,
}

impl Inbound {
    /// Inputs whose first epoch is `epoch`, the committed frontier.
    pub fn new(epoch: u64, handles: InputHandles) -> Self {
        Self { handles, epoch, opened: None }
    }

    /// Opens the first epoch, which is the same on all workers.
    pub fn open_first_epoch(&mut self) {
        self.handles.advance_to(self.epoch);
    }

    /// How long until the next epoch may open, while it is too early. It does not wait for a clock that was set
    /// back.
    pub fn too_early(&self) -> Option<Duration> {
        until_due(self.epoch, now_ms(), self.since_opened())
    }

    /// Opens the next epoch, by the clock, and returns it.
    pub fn open_epoch(&mut self) -> u64 {
        (self.epoch, self.opened) = (now_ms().max(self.epoch + 1), Some(Instant::now()));
        self.handles.advance_to(self.epoch);
        self.epoch
    }

    /// How long ago the last epoch was opened by the clock; the longest time before the first.
    pub fn since_opened(&self) -> Duration {
        self.opened.map_or(Duration::MAX, |opened| opened.elapsed())
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

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
